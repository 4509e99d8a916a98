#include "insn.h"

#include <string.h>

/* What an opcode brings with it, as in the opcode maps of Intel's manual, volume 2, appendix A. */
enum {
	MODRM = 1,  /* a ModR/M byte, and what that asks for */
	IMM8 = 2,   /* 1 byte */
	IMMZ = 4,   /* 4 bytes, 2 with the operand-size prefix */
	IMM16 = 8,  /* 2 bytes */
	BAD = 16,   /* no instruction in 64-bit mode */
	IMM32 = 32, /* 4 bytes whatever the prefix: near jumps */
};

struct prefixes {
	bool size16, address32, rex_w;
};

static uint8_t arithmetic(uint8_t op)
{
	static const uint8_t low[8] = {MODRM, MODRM, MODRM, MODRM, IMM8, IMMZ, BAD, BAD};

	return low[op & 7];
}

static uint8_t one_byte(uint8_t op)
{
	if (op < 0x40)
		return arithmetic(op);
	if (op < 0x60)
		return 0; /* push and pop; a REX prefix does not get here */
	if (op >= 0x70 && op < 0x80)
		return IMM8;
	if ((op >= 0x84 && op < 0x90) || (op >= 0xd0 && op < 0xd4) || (op >= 0xd8 && op < 0xe0))
		return MODRM;
	if (op >= 0xb0 && op < 0xb8)
		return IMM8;
	if (op >= 0xe0 && op < 0xe8)
		return IMM8;
	switch (op) {
	case 0x63:
	case 0xf6: /* and an operand in two of its forms */
	case 0xf7:
	case 0xfe:
	case 0xff:
		return MODRM;
	case 0x68:
	case 0xa9:
		return IMMZ;
	case 0x69:
	case 0x81:
	case 0xc7:
		return MODRM | IMMZ;
	case 0x6a:
	case 0xa8:
	case 0xcd:
	case 0xeb:
		return IMM8;
	case 0x6b:
	case 0x80:
	case 0x83:
	case 0xc0:
	case 0xc1:
	case 0xc6:
		return MODRM | IMM8;
	case 0xc2:
	case 0xca:
		return IMM16;
	case 0xc8:
		return IMM16 | IMM8;
	case 0xe8:
	case 0xe9:
		return IMM32;
	case 0x60:
	case 0x61:
	case 0x62:
	case 0x82:
	case 0x9a:
	case 0xc4:
	case 0xc5:
	case 0xce:
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xea:
		return BAD;
	}
	return 0;
}

/* Those of the second map (0f xx). */
static uint8_t two_bytes(uint8_t op)
{
	if (op >= 0x80 && op < 0x90)
		return IMM32;
	if ((op >= 0x30 && op < 0x38) || (op >= 0xc8 && op < 0xd0))
		return 0;
	if ((op >= 0x70 && op < 0x74) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
	    (op >= 0xc4 && op < 0xc7))
		return MODRM | IMM8;
	switch (op) {
	case 0x04:
	case 0x0a:
	case 0x0c:
	case 0x0f:
	case 0x38:
	case 0x3a:
		return BAD;
	case 0x05:
	case 0x06:
	case 0x07:
	case 0x08:
	case 0x09:
	case 0x0b:
	case 0x0e:
	case 0x77:
	case 0xa0:
	case 0xa1:
	case 0xa2:
	case 0xa8:
	case 0xa9:
	case 0xaa:
		return 0;
	}
	return MODRM;
}

/* Of the maps that VEX and EVEX number: 1 is the second, 2 is 0f 38, 3 is 0f 3a. */
static uint8_t in_map(unsigned int map, uint8_t op)
{
	switch (map) {
	case 1:
		return two_bytes(op);
	case 2:
	case 5:
	case 6:
		return MODRM;
	case 3:
		return MODRM | IMM8;
	}
	return BAD;
}

/* Bytes of the ModR/M byte and of the address that it asks for; 0: they are not all there. */
static size_t modrm_len(const uint8_t *at, size_t left)
{
	static const uint8_t displacement[4] = {0, 1, 4, 0};
	uint8_t mode, low;
	size_t len = 1;

	if (!left)
		return 0;
	mode = at[0] >> 6;
	low = at[0] & 7;
	if (mode == 3)
		return 1;
	if (low == 4) {
		if (left < 2)
			return 0;
		low = at[1] & 7;
		len = 2;
	}
	return len + (!mode && low == 5 ? 4 : displacement[mode]);
}

static size_t immediate_len(uint8_t has, const struct prefixes *prefixes)
{
	size_t len = 0;

	if (has & IMM8)
		len += 1;
	if (has & IMM16)
		len += 2;
	if (has & IMM32)
		len += 4;
	if (has & IMMZ)
		len += prefixes->size16 && !prefixes->rex_w ? 2 : 4;
	return len;
}

/* mov with an operand of 8 bytes, or an address of 8. */
static size_t long_operand(uint8_t op, const struct prefixes *prefixes)
{
	if (op >= 0xb8 && op < 0xc0)
		return prefixes->rex_w ? 8 : prefixes->size16 ? 2 : 4;
	if (op >= 0xa0 && op < 0xa4)
		return prefixes->address32 ? 4 : 8;
	return 0;
}

static size_t skip_prefixes(const uint8_t *code, size_t len, struct prefixes *ret)
{
	size_t at = 0;

	for (; at < len; at++) {
		switch (code[at]) {
		case 0x66:
			ret->size16 = true;
			continue;
		case 0x67:
			ret->address32 = true;
			continue;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			continue;
		}
		break;
	}
	if (at < len && (code[at] & 0xf0) == 0x40) {
		ret->rex_w = code[at] & 8;
		at++;
	}
	return at;
}

/* An opcode: how long it is with what selects its map, and what it has. */
struct opcode {
	size_t len;
	uint8_t op;
	uint8_t has;
	bool first_map;
};

/* Behind a VEX prefix of 2 or 3 bytes or an EVEX one of 4. */
static bool read_vector(const uint8_t *code, size_t len, struct opcode *ret)
{
	size_t whole = code[0] == 0xc5 ? 3 : code[0] == 0xc4 ? 4 : 5;
	unsigned int map = 1;

	if (len < whole)
		return false;
	if (code[0] != 0xc5)
		map = code[1] & (code[0] == 0xc4 ? 31 : 7);
	ret->len = whole;
	ret->op = code[whole - 1];
	ret->has = in_map(map, ret->op);
	return true;
}

static bool read_escaped(const uint8_t *code, size_t len, struct opcode *ret)
{
	bool third = len > 2 && (code[1] == 0x38 || code[1] == 0x3a);

	if (len < 2)
		return false;
	ret->len = third ? 3 : 2;
	ret->op = code[ret->len - 1];
	ret->has = third ? in_map(code[1] == 0x38 ? 2 : 3, ret->op) : two_bytes(ret->op);
	return true;
}

static bool read_opcode(const uint8_t *code, size_t len, struct opcode *ret)
{
	*ret = (struct opcode){.len = 1};
	if (!len)
		return false;
	if (code[0] == 0xc4 || code[0] == 0xc5 || code[0] == 0x62)
		return read_vector(code, len, ret);
	if (code[0] == 0x0f)
		return read_escaped(code, len, ret);
	ret->op = code[0];
	ret->has = one_byte(ret->op);
	ret->first_map = true;
	return true;
}

/* The two groups of opcodes whose first forms have an operand and the others have none. */
static uint8_t test_operand(const struct opcode *opcode, uint8_t modrm)
{
	if (!opcode->first_map || (modrm >> 3 & 7) > 1)
		return 0;
	return opcode->op == 0xf6 ? IMM8 : opcode->op == 0xf7 ? IMMZ : 0;
}

static bool is_branch(const struct opcode *opcode, const uint8_t *code)
{
	uint8_t op = opcode->op;

	if (opcode->first_map)
		return (op >= 0x70 && op < 0x80) || (op >= 0xe0 && op < 0xe4);
	return opcode->len == 2 && code[0] == 0x0f && op >= 0x80 && op < 0x90;
}

static enum mw_insn_flow flow(const struct opcode *opcode, const uint8_t *code)
{
	if (is_branch(opcode, code))
		return MW_INSN_MAYBE_JUMP;
	if (opcode->first_map && (opcode->op == 0xeb || opcode->op == 0xe9))
		return MW_INSN_JUMP;
	if (opcode->first_map && opcode->op == 0xff && (code[1] >> 3 & 6) == 4)
		return MW_INSN_INDIRECT;
	return MW_INSN_NEXT;
}

static int32_t read_distance(const struct opcode *opcode, const uint8_t *end)
{
	int32_t distance;

	if (opcode->has & IMM8)
		return (int8_t)end[-1];
	memcpy(&distance, end - 4, 4);
	return distance;
}

bool mw_insn_read(const uint8_t *code, size_t len, struct mw_insn *ret)
{
	struct prefixes prefixes = {0};
	struct opcode opcode;
	size_t at, more;

	*ret = (struct mw_insn){0};
	if (len > MW_INSN_MAX)
		len = MW_INSN_MAX;
	at = skip_prefixes(code, len, &prefixes);
	if (!read_opcode(code + at, len - at, &opcode) || opcode.has & BAD)
		return false;
	code += at;
	len -= at;
	ret->len = (uint32_t)(at + opcode.len);
	more = immediate_len(opcode.has, &prefixes);
	if (opcode.has & MODRM) {
		size_t modrm = modrm_len(code + opcode.len, len - opcode.len);

		if (!modrm)
			return false;
		more += modrm + immediate_len(test_operand(&opcode, code[opcode.len]), &prefixes);
	} else if (opcode.first_map) {
		more += long_operand(opcode.op, &prefixes);
	}
	if (more > len - opcode.len)
		return false;
	ret->len += (uint32_t)more;
	ret->flow = flow(&opcode, code);
	if (ret->flow == MW_INSN_JUMP || ret->flow == MW_INSN_MAYBE_JUMP)
		ret->distance = read_distance(&opcode, code + opcode.len + more);
	return true;
}
