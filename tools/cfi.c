#include "cfi.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* More than compilers nest, and libunwind keeps the memory for each. */
#define REMEMBERED_MAX 64

#if defined(__x86_64__)
#define REGISTERS 17 /* that libunwind keeps: rax to rip */
#define RETURN_COLUMN 16
#else
#define REGISTERS 97
#define RETURN_COLUMN 30
#endif

/* From the DWARF 5 specification, 6.4.2 and 7.24. The first three carry an operand in their low
 * six bits. */
enum {
	CFA_ADVANCE_LOC = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_GNU_ARGS_SIZE = 0x2e,
};

/* From the DWARF 5 specification, 7.7.1. */
enum {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_CONST4U = 0x0c,
	OP_CONST4S = 0x0d,
	OP_CONST8U = 0x0e,
	OP_CONST8S = 0x0f,
	OP_CONSTU = 0x10,
	OP_CONSTS = 0x11,
	OP_DUP = 0x12,
	OP_OVER = 0x14,
	OP_SWAP = 0x16,
	OP_ABS = 0x19,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_MUL = 0x1e,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_XOR = 0x27,
	OP_EQ = 0x29,
	OP_NE = 0x2e,
	OP_LIT0 = 0x30,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_NOP = 0x96,
};

/* How pointers in .eh_frame are written, from the LSB specification. */
enum {
	PE_OMIT = 0xff,
	PE_FORMAT = 0x0f,
	PE_BASE = 0x70,
	PE_PCREL = 0x10,
};

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

/* The shared instructions and the entry's own are one program. libunwind stops in it where it
 * passes the address it looks for, but executes all of the shared ones. */
struct program {
	bool in_cie;
	bool has_cfa; /* the rule that finds the caller's frame is there */
	unsigned int remembered;
	struct mw_cfi *cfi;
};

struct cie {
	uint8_t fde_form;
	uint8_t lsda_form;
	bool sized;
};

static void skip(struct cursor *c, uint64_t len)
{
	if (c->bad || len > (uint64_t)(c->end - c->at)) {
		c->bad = true;
		return;
	}
	c->at += len;
}

static uint8_t byte(struct cursor *c)
{
	skip(c, 1);
	return c->bad ? 0 : c->at[-1];
}

/* Signed ones are read the same way; nobody here needs their value. libunwind shifts by more
 * than 63 for a longer one, so that the two readers would disagree. */
static uint64_t leb(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t b = byte(c);

		value |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return value;
	}
	c->bad = true;
	return 0;
}

static void regnum(struct cursor *c)
{
	if (leb(c) >= REGISTERS)
		c->bad = true;
}

static void pointer(struct cursor *c, uint8_t form)
{
	static const uint8_t sizes[16] = {
	        [0x0] = 8, [0x2] = 2, [0x3] = 4, [0x4] = 8, [0xa] = 2, [0xb] = 4, [0xc] = 8};
	uint8_t size = sizes[form & PE_FORMAT];

	if (form == PE_OMIT)
		return;
	if (!size || ((form & PE_BASE) && (form & PE_BASE) != PE_PCREL))
		c->bad = true;
	skip(c, size);
}

/* No branches, so that what is read here is what is executed, and no division. */
static void operation(struct cursor *c)
{
	uint8_t op = byte(c);

	if ((op >= OP_DUP && op <= OP_OVER) || (op >= OP_SWAP && op <= OP_AND) ||
	    (op >= OP_SHL && op <= OP_XOR) || (op >= OP_EQ && op <= OP_NE) ||
	    (op >= OP_LIT0 && op <= OP_LIT31))
		return;
	if (op >= OP_BREG0 && op <= OP_BREG31) {
		leb(c);
		return;
	}
	switch (op) {
	case OP_DEREF:
	case OP_MINUS:
	case OP_MUL:
	case OP_MUL + 1:
	case OP_MUL + 2:
	case OP_MUL + 3:
	case OP_PLUS:
	case OP_NOP:
		return;
	case OP_CONST1U:
	case OP_CONST1S:
		skip(c, 1);
		return;
	case OP_CONST2U:
	case OP_CONST2S:
		skip(c, 2);
		return;
	case OP_CONST4U:
	case OP_CONST4S:
		skip(c, 4);
		return;
	case OP_ADDR:
	case OP_CONST8U:
	case OP_CONST8S:
		skip(c, 8);
		return;
	case OP_CONSTU:
	case OP_CONSTS:
	case OP_PLUS_UCONST:
		leb(c);
		return;
	default:
		c->bad = true;
	}
}

static void expression(struct cursor *c)
{
	uint64_t len = leb(c);
	struct cursor inner = {c->at, c->at, false};

	skip(c, len);
	inner.end = c->at;
	while (!c->bad && inner.at < inner.end) {
		operation(&inner);
		c->bad = inner.bad;
	}
}

/* The rule for the caller's frame. */
static void frame_rule(struct cursor *c, struct program *p, uint8_t op)
{
	if (op == CFA_DEF_CFA_EXPRESSION)
		expression(c);
	else
		regnum(c);
	if (op == CFA_DEF_CFA || op == CFA_DEF_CFA_SF)
		leb(c);
	p->has_cfa = true;
}

/* What is restored later must have the frame rule. */
static void state(struct cursor *c, struct program *p, uint8_t op)
{
	if (p->in_cie || !p->has_cfa)
		c->bad = true;
	if (op == CFA_REMEMBER_STATE)
		p->remembered++;
	else if (!p->remembered--)
		c->bad = true;
	if (p->remembered > REMEMBERED_MAX)
		c->bad = true;
}

static void register_rule(struct cursor *c, uint8_t op)
{
	regnum(c);
	switch (op) {
	case CFA_REGISTER:
		regnum(c);
		break;
	case CFA_OFFSET_EXTENDED:
	case CFA_OFFSET_EXTENDED_SF:
		leb(c);
		break;
	case CFA_EXPRESSION:
	case CFA_VAL_EXPRESSION:
		expression(c);
		break;
	}
}

/* libunwind may stop here, and then it needs the frame rule. */
static void advance(struct cursor *c, struct program *p, uint64_t len)
{
	skip(c, len);
	if (!p->has_cfa)
		c->bad = true;
}

static void keep_offset(struct mw_cfi *cfi, uint64_t offset)
{
	size_t least = 0;

	for (size_t i = 0; i < cfi->offset_count; i++) {
		if (cfi->offset[i] == offset)
			return;
		if (cfi->offset[i] < cfi->offset[least])
			least = i;
	}
	if (cfi->offset_count < MW_CFI_OFFSETS)
		cfi->offset[cfi->offset_count++] = offset;
	else if (offset > cfi->offset[least])
		cfi->offset[least] = offset;
}

static void extended(struct cursor *c, struct program *p, uint8_t op)
{
	switch (op) {
	case CFA_NOP:
		break;
	case CFA_ADVANCE_LOC1:
		advance(c, p, 1);
		break;
	case CFA_ADVANCE_LOC2:
		advance(c, p, 2);
		break;
	case CFA_ADVANCE_LOC4:
		advance(c, p, 4);
		break;
	case CFA_OFFSET_EXTENDED:
	case CFA_OFFSET_EXTENDED_SF:
	case CFA_RESTORE_EXTENDED:
	case CFA_UNDEFINED:
	case CFA_SAME_VALUE:
	case CFA_REGISTER:
	case CFA_EXPRESSION:
	case CFA_VAL_EXPRESSION:
		register_rule(c, op);
		break;
	case CFA_REMEMBER_STATE:
	case CFA_RESTORE_STATE:
		state(c, p, op);
		break;
	case CFA_DEF_CFA:
	case CFA_DEF_CFA_SF:
	case CFA_DEF_CFA_REGISTER:
	case CFA_DEF_CFA_EXPRESSION:
		frame_rule(c, p, op);
		break;
	case CFA_DEF_CFA_OFFSET:
		keep_offset(p->cfi, leb(c));
		break;
	case CFA_DEF_CFA_OFFSET_SF:
	case CFA_GNU_ARGS_SIZE:
		leb(c);
		break;
	default:
		c->bad = true;
	}
}

static void instruction(struct cursor *c, struct program *p)
{
	uint8_t op = byte(c);

	switch (op & 0xc0) {
	case CFA_ADVANCE_LOC:
		advance(c, p, 0);
		break;
	case CFA_OFFSET:
	case CFA_RESTORE:
		if ((op & 0x3f) >= REGISTERS)
			c->bad = true;
		if ((op & 0xc0) == CFA_OFFSET)
			leb(c);
		break;
	default:
		extended(c, p, op);
	}
}

static bool run(struct cursor *c, struct program *p)
{
	while (!c->bad && c->at < c->end)
		instruction(c, p);
	return !c->bad;
}

/* What follows the augmentation string's `z`: one letter, one value. libunwind keeps four letters
 * of the string and does not use the size for finding the end, so both must agree with it. */
static void augmentation(struct cursor *c, const char *letters, struct cie *ret)
{
	uint64_t len = leb(c);
	const uint8_t *start = c->at;

	for (; *letters && !c->bad; letters++) {
		switch (*letters) {
		case 'L':
			ret->lsda_form = byte(c);
			break;
		case 'R':
			ret->fde_form = byte(c);
			break;
		case 'P':
			pointer(c, byte(c));
			break;
		case 'S':
			break;
		default:
			c->bad = true;
		}
	}
	if ((uint64_t)(c->at - start) != len)
		c->bad = true;
}

static void letters(struct cursor *c, char ret[static 5])
{
	for (size_t i = 0; i < 5; i++) {
		ret[i] = (char)byte(c);
		if (!ret[i])
			return;
	}
	c->bad = true;
	ret[4] = 0;
}

static bool check_cie(const struct mw_cfi *cfi, struct program *p, struct cie *ret)
{
	struct cursor c = {cfi->cie + 8, cfi->cie + cfi->cie_len, false};
	uint8_t version = byte(&c);
	char string[5] = "";

	*ret = (struct cie){.lsda_form = PE_OMIT};
	letters(&c, string);
	leb(&c); /* code alignment */
	leb(&c); /* data alignment */
	if ((version == 1 ? byte(&c) : leb(&c)) != RETURN_COLUMN)
		return false;
	if ((version != 1 && version != 3) || (string[0] && string[0] != 'z'))
		return false;
	ret->sized = string[0];
	if (ret->sized)
		augmentation(&c, string + 1, ret);
	p->in_cie = true;
	return run(&c, p);
}

static bool check_fde(const struct mw_cfi *cfi, struct program *p, const struct cie *cie)
{
	struct cursor c = {cfi->fde + 8, cfi->fde + cfi->fde_len, false};
	uint64_t len;

	if (cie->fde_form == PE_OMIT)
		return false;
	pointer(&c, cie->fde_form);
	pointer(&c, cie->fde_form & PE_FORMAT);
	len = cie->sized ? leb(&c) : 0;
	skip(&c, len);
	p->in_cie = false;
	return run(&c, p) && p->has_cfa;
}

/* One entry with its 4-byte length and 4-byte link; compilers write the 8-byte kind only for
 * tables beyond 4 GB. */
static int read_entry(const struct mw_elf *elf, uint64_t vaddr, uint8_t *buf, size_t max,
                      uint32_t *ret_link)
{
	uint32_t head[2];
	int r;

	r = mw_elf_read(elf, vaddr, head, sizeof(head));
	if (r < 0)
		return r;
	if (head[0] < 4 || head[0] > max - 4)
		return -EBADMSG;
	r = mw_elf_read(elf, vaddr, buf, head[0] + 4);
	if (r < 0)
		return r;
	/* The file may have changed in between. What counts is what is kept. */
	memcpy(buf, head, sizeof(head));
	*ret_link = head[1];
	return (int)(head[0] + 4);
}

static int load(struct mw_cfi *cfi, const struct mw_elf *elf, uint64_t fde_vaddr)
{
	uint32_t link, cie_link;
	struct program p = {.cfi = cfi};
	struct cie cie;
	int r;

	cfi->offset_count = 0;
	r = read_entry(elf, fde_vaddr, cfi->fde, sizeof(cfi->fde), &link);
	if (r < 0)
		return r;
	cfi->fde_len = (size_t)r;
	cfi->fde_vaddr = fde_vaddr;
	/* The link counts back from itself. libunwind reads it as signed. */
	cfi->cie_vaddr = fde_vaddr + 4 - (uint64_t)(int64_t)(int32_t)link;
	r = read_entry(elf, cfi->cie_vaddr, cfi->cie, sizeof(cfi->cie), &cie_link);
	if (r < 0)
		return r;
	cfi->cie_len = (size_t)r;
	/* Overlapping ones would be two copies of the same bytes. */
	if (cfi->cie_vaddr - fde_vaddr < cfi->fde_len || fde_vaddr - cfi->cie_vaddr < cfi->cie_len)
		return -EBADMSG;
	if (cie_link || !check_cie(cfi, &p, &cie) || !check_fde(cfi, &p, &cie))
		return -EBADMSG;
	return 0;
}

int mw_cfi_load(struct mw_cfi *ret, const struct mw_elf *elf, uint64_t fde_vaddr)
{
	int r;

	ret->fde_len = 0;
	ret->cie_len = 0;
	r = load(ret, elf, fde_vaddr);
	if (r < 0) {
		ret->fde_len = 0;
		ret->cie_len = 0;
	}
	return r;
}
