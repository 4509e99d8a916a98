#include "pickle_ops.h"

#include <string.h>

/* Shapes of arguments: fixed integers of 1, 2, 4, 8 bytes (negative: little-endian signed), bytes
 * behind a length of 1, 4, 8 bytes, one line, two lines, none. */
enum shape { NONE, U1, U2, I4, U4, F8, U8, L1, L4, L8, LINE, LINES };

static const struct {
	const char *name;
	uint8_t shape;
} ops[256] = {
        ['('] = {"MARK", NONE},          ['.'] = {"STOP", NONE},
        ['0'] = {"POP", NONE},           ['1'] = {"POP_MARK", NONE},
        ['2'] = {"DUP", NONE},           ['F'] = {"FLOAT", LINE},
        ['I'] = {"INT", LINE},           ['J'] = {"BININT", I4},
        ['K'] = {"BININT1", U1},         ['L'] = {"LONG", LINE},
        ['M'] = {"BININT2", U2},         ['N'] = {"NONE", NONE},
        ['P'] = {"PERSID", LINE},        ['Q'] = {"BINPERSID", NONE},
        ['R'] = {"REDUCE", NONE},        ['S'] = {"STRING", LINE},
        ['T'] = {"BINSTRING", L4},       ['U'] = {"SHORT_BINSTRING", L1},
        ['V'] = {"UNICODE", LINE},       ['X'] = {"BINUNICODE", L4},
        ['a'] = {"APPEND", NONE},        ['b'] = {"BUILD", NONE},
        ['c'] = {"GLOBAL", LINES},       ['d'] = {"DICT", NONE},
        ['}'] = {"EMPTY_DICT", NONE},    ['e'] = {"APPENDS", NONE},
        ['g'] = {"GET", LINE},           ['h'] = {"BINGET", U1},
        ['i'] = {"INST", LINES},         ['j'] = {"LONG_BINGET", U4},
        ['l'] = {"LIST", NONE},          [']'] = {"EMPTY_LIST", NONE},
        ['o'] = {"OBJ", NONE},           ['p'] = {"PUT", LINE},
        ['q'] = {"BINPUT", U1},          ['r'] = {"LONG_BINPUT", U4},
        ['s'] = {"SETITEM", NONE},       ['t'] = {"TUPLE", NONE},
        [')'] = {"EMPTY_TUPLE", NONE},   ['u'] = {"SETITEMS", NONE},
        ['G'] = {"BINFLOAT", F8},        [0x80] = {"PROTO", U1},
        [0x81] = {"NEWOBJ", NONE},       [0x82] = {"EXT1", U1},
        [0x83] = {"EXT2", U2},           [0x84] = {"EXT4", I4},
        [0x85] = {"TUPLE1", NONE},       [0x86] = {"TUPLE2", NONE},
        [0x87] = {"TUPLE3", NONE},       [0x88] = {"NEWTRUE", NONE},
        [0x89] = {"NEWFALSE", NONE},     [0x8a] = {"LONG1", L1},
        [0x8b] = {"LONG4", L4},          ['B'] = {"BINBYTES", L4},
        ['C'] = {"SHORT_BINBYTES", L1},  [0x8c] = {"SHORT_BINUNICODE", L1},
        [0x8d] = {"BINUNICODE8", L8},    [0x8e] = {"BINBYTES8", L8},
        [0x8f] = {"EMPTY_SET", NONE},    [0x90] = {"ADDITEMS", NONE},
        [0x91] = {"FROZENSET", NONE},    [0x92] = {"NEWOBJ_EX", NONE},
        [0x93] = {"STACK_GLOBAL", NONE}, [0x94] = {"MEMOIZE", NONE},
        [0x95] = {"FRAME", U8},          [0x96] = {"BYTEARRAY8", L8},
        [0x97] = {"NEXT_BUFFER", NONE},  [0x98] = {"READONLY_BUFFER", NONE},
};

struct reader {
	const uint8_t *data;
	size_t len;
	uint64_t at;
};

static bool little_endian(struct reader *r, int bytes, uint64_t *ret)
{
	if (r->len - r->at < (uint64_t)bytes)
		return false;
	*ret = 0;
	for (int i = 0; i < bytes; i++)
		*ret |= (uint64_t)r->data[r->at + (uint64_t)i] << (8 * i);
	r->at += (uint64_t)bytes;
	return true;
}

static bool counted(struct reader *r, int bytes, struct mw_pickle_op *op)
{
	if (!little_endian(r, bytes, &op->text_len) || op->text_len > r->len - r->at)
		return false;
	op->text = r->at;
	r->at += op->text_len;
	return true;
}

static bool line(struct reader *r, uint64_t *text, uint64_t *text_len)
{
	const uint8_t *newline = memchr(r->data + r->at, '\n', r->len - r->at);

	if (!newline)
		return false;
	*text = r->at;
	*text_len = (uint64_t)(newline - (r->data + r->at));
	r->at += *text_len + 1;
	return true;
}

/* INT, LONG, GET and PUT carry their number as text. Python reads more than digits there ("1_0" is
 * ten), so what is not plain is not to be relied on. */
static void textual(const struct reader *r, struct mw_pickle_op *op)
{
	const uint8_t *s = r->data + op->text;
	uint64_t n = op->text_len, i = n && s[0] == '-';
	uint64_t number = 0;

	if (n && op->code == 'L' && s[n - 1] == 'L')
		n--;
	op->plain = n > i && n - i <= 18;
	for (uint64_t k = i; op->plain && k < n; k++) {
		op->plain = s[k] >= '0' && s[k] <= '9';
		number = number * 10 + (s[k] - '0');
	}
	op->number = !op->plain ? 0 : i ? 0 - number : number;
}

static bool arguments(struct reader *r, struct mw_pickle_op *op)
{
	switch ((enum shape)ops[op->code].shape) {
	case NONE:
		return true;
	case U1:
		return little_endian(r, 1, &op->number);
	case U2:
		return little_endian(r, 2, &op->number);
	case U4:
		return little_endian(r, 4, &op->number);
	case F8:
	case U8:
		return little_endian(r, 8, &op->number);
	case I4:
		if (!little_endian(r, 4, &op->number))
			return false;
		op->number = (uint64_t)(int64_t)(int32_t)op->number;
		return true;
	case L1:
		return counted(r, 1, op);
	case L4:
		return counted(r, 4, op);
	case L8:
		return counted(r, 8, op);
	case LINE:
		if (!line(r, &op->text, &op->text_len))
			return false;
		textual(r, op);
		return true;
	case LINES:
		return line(r, &op->text, &op->text_len) && line(r, &op->text2, &op->text2_len);
	}
	return false;
}

bool mw_pickle_decode(const uint8_t *data, size_t len, uint64_t at, struct mw_pickle_op *ret)
{
	struct reader r = {data, len, at + 1};

	ret->name = "";
	if (at >= len)
		return false;
	ret->code = data[at];
	ret->name = ops[ret->code].name;
	ret->at = at;
	ret->number = ret->text_len = 0;
	if (!ret->name || !arguments(&r, ret))
		return false;
	ret->end = r.at;
	return true;
}
