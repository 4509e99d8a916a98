/* What each opcode does to the symbolic machine. */
#include "pickle_step.h"

static void step_mark(struct mw_machine *m, const struct mw_pickle_op *op)
{
	(void)op;
	mw_machine_push(m, (struct mw_value){.kind = MW_V_MARK});
}

/* A mark, too, is popped. */
static void step_pop(struct mw_machine *m, const struct mw_pickle_op *op)
{
	(void)op;
	if (m->stack.count)
		m->stack.count--;
	else
		m->broken |= !m->lost;
}

static void step_pop_mark(struct mw_machine *m, const struct mw_pickle_op *op)
{
	uint32_t first = mw_machine_above_mark(m);

	(void)op;
	m->stack.count = first ? first - 1 : 0;
}

static void step_dup(struct mw_machine *m, const struct mw_pickle_op *op)
{
	(void)op;
	mw_machine_push(m, mw_machine_top(m));
}

static bool is_plain(const struct mw_pickle_op *op)
{
	return (op->code != 'g' && op->code != 'p') || op->plain;
}

static void step_get(struct mw_machine *m, const struct mw_pickle_op *op)
{
	mw_machine_push(m, mw_machine_recall(m, op->number, is_plain(op)));
}

static void step_put(struct mw_machine *m, const struct mw_pickle_op *op)
{
	mw_machine_remember(m, op->code == 0x94 ? m->memo_filled : op->number, is_plain(op));
}

/* A frame in a frame: unpicklers that read from a file drop the rest of the outer one. */
static void step_frame(struct mw_machine *m, const struct mw_pickle_op *op)
{
	m->doubt |= op->at < m->frame_end;
	m->frame_end = op->number > UINT64_MAX - op->end ? UINT64_MAX : op->end + op->number;
}

static void step_stop(struct mw_machine *m, const struct mw_pickle_op *op)
{
	(void)op;
	mw_machine_use(m, mw_machine_pop(m), false);
}

static void step_nothing(struct mw_machine *m, const struct mw_pickle_op *op)
{
	(void)m;
	(void)op;
}

static mw_step *const steps[256] = {
        ['('] = step_mark,
        ['.'] = step_stop,
        ['0'] = step_pop,
        ['1'] = step_pop_mark,
        ['2'] = step_dup,
        ['F'] = mw_step_number,
        ['I'] = mw_step_number,
        ['J'] = mw_step_integer,
        ['K'] = mw_step_integer,
        ['L'] = mw_step_number,
        ['M'] = mw_step_integer,
        ['N'] = mw_step_constant,
        ['P'] = mw_step_persistent,
        ['Q'] = mw_step_persistent,
        ['R'] = mw_step_reduce,
        ['S'] = mw_step_text,
        ['T'] = mw_step_text,
        ['U'] = mw_step_text,
        ['V'] = mw_step_text,
        ['X'] = mw_step_text,
        ['a'] = mw_step_add,
        ['b'] = mw_step_build,
        ['c'] = mw_step_global,
        ['d'] = mw_step_filled,
        ['}'] = mw_step_empty,
        ['e'] = mw_step_add_all,
        ['g'] = step_get,
        ['h'] = step_get,
        ['i'] = mw_step_inst,
        ['j'] = step_get,
        ['l'] = mw_step_filled,
        [']'] = mw_step_empty,
        ['o'] = mw_step_obj,
        ['p'] = step_put,
        ['q'] = step_put,
        ['r'] = step_put,
        ['s'] = mw_step_add,
        ['t'] = mw_step_tuple,
        [')'] = mw_step_short_tuple,
        ['u'] = mw_step_add_all,
        ['G'] = mw_step_float,
        [0x80] = step_nothing,
        [0x81] = mw_step_reduce,
        [0x82] = mw_step_extension,
        [0x83] = mw_step_extension,
        [0x84] = mw_step_extension,
        [0x85] = mw_step_short_tuple,
        [0x86] = mw_step_short_tuple,
        [0x87] = mw_step_short_tuple,
        [0x88] = mw_step_constant,
        [0x89] = mw_step_constant,
        [0x8a] = mw_step_long,
        [0x8b] = mw_step_unknown,
        ['B'] = mw_step_bytes,
        ['C'] = mw_step_bytes,
        [0x8c] = mw_step_text,
        [0x8d] = mw_step_text,
        [0x8e] = mw_step_bytes,
        [0x8f] = mw_step_empty,
        [0x90] = mw_step_add_all,
        [0x91] = mw_step_filled,
        [0x92] = mw_step_reduce,
        [0x93] = mw_step_stack_global,
        [0x94] = step_put,
        [0x95] = step_frame,
        [0x96] = mw_step_bytes,
        [0x97] = mw_step_unknown,
        [0x98] = step_nothing,
};

/* An opcode that reaches over the end of its frame: readers of files, readers of bytes and the
 * unpickler in Python each go on with other bytes. */
bool mw_machine_step(struct mw_machine *m, const struct mw_pickle_op *op)
{
	m->doubt |= op->at < m->frame_end && op->end > m->frame_end;
	steps[op->code](m, op);
	return !m->error && !m->broken && op->code != '.';
}
