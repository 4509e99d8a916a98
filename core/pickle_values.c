/* Opcodes that push a plain value. */
#include "pickle_step.h"

#define UNKNOWN ((struct mw_value){.kind = MW_V_UNKNOWN})

void mw_step_constant(struct mw_machine *m, const struct mw_pickle_op *op)
{
	uint8_t kind = op->code == 'N' ? MW_V_NONE : op->code == 0x88 ? MW_V_TRUE : MW_V_FALSE;

	mw_machine_push(m, (struct mw_value){.kind = kind});
}

void mw_step_integer(struct mw_machine *m, const struct mw_pickle_op *op)
{
	mw_machine_push(m, (struct mw_value){.kind = MW_V_INT, .number = op->number});
}

/* INT spells the truth values too. */
void mw_step_number(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_value v = {.kind = MW_V_NUMBER, .at = op->text, .number = op->text_len};

	if (op->code == 'I' && op->plain && op->text_len == 2 && m->data[op->text] == '0' &&
	    op->number < 2)
		v.kind = op->number ? MW_V_TRUE : MW_V_FALSE;
	else if (op->code != 'F' && op->plain)
		v = (struct mw_value){.kind = MW_V_INT, .number = op->number};
	mw_machine_push(m, v);
}

/* LONG1: little-endian, two's complement. */
void mw_step_long(struct mw_machine *m, const struct mw_pickle_op *op)
{
	const uint8_t *s = m->data + op->text;
	uint64_t n = op->text_len, number = 0;

	if (n > 8) {
		mw_machine_push(m, UNKNOWN);
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		number |= (uint64_t)s[i] << (8 * i);
	if (n && n < 8 && s[n - 1] & 0x80)
		number |= UINT64_MAX << (8 * n);
	mw_machine_push(m, (struct mw_value){.kind = MW_V_INT, .number = number});
}

/* Its argument was read as a little-endian number, and is a big-endian one. */
void mw_step_float(struct mw_machine *m, const struct mw_pickle_op *op)
{
	mw_machine_push(
	        m, (struct mw_value){.kind = MW_V_FLOAT, .number = __builtin_bswap64(op->number)});
}

void mw_step_text(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_value v = {.kind = MW_V_TEXT, .at = op->text, .number = op->text_len};

	if (op->code == 'S' && v.number >= 2) { /* in quotes */
		v.at++;
		v.number -= 2;
	}
	for (uint64_t i = 0; (op->code == 'S' || op->code == 'V') && i < v.number; i++)
		v.escaped |= m->data[v.at + i] == '\\';
	mw_machine_push(m, v);
}

void mw_step_bytes(struct mw_machine *m, const struct mw_pickle_op *op)
{
	mw_machine_push(
	        m, (struct mw_value){.kind = MW_V_BYTES, .at = op->text, .number = op->text_len});
}

void mw_step_unknown(struct mw_machine *m, const struct mw_pickle_op *op)
{
	(void)op;
	mw_machine_push(m, UNKNOWN);
}
