/* Symbolic values as text, the way Python would show them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle_machine.h"
#include "pickle_names.h"

#define DEPTH 6
#define NAME_MOST 255u

struct text {
	char *out;
	size_t size, len;
};

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s), room = t->size - 1 - t->len;

	if (n > room)
		n = room;
	memcpy(t->out + t->len, s, n);
	t->len += n;
	t->out[t->len] = '\0';
}

static bool is_full(const struct text *t)
{
	return t->len + 1 >= t->size;
}

static void put_byte(struct text *t, uint8_t c, bool ascii)
{
	char escaped[8];

	if (c == '\\' || c == '\'')
		snprintf(escaped, sizeof(escaped), "\\%c", c);
	else if (c == '\n')
		snprintf(escaped, sizeof(escaped), "\\n");
	else if (c < 0x20 || c == 0x7f || (ascii && c > 0x7f))
		snprintf(escaped, sizeof(escaped), "\\x%02x", c);
	else
		snprintf(escaped, sizeof(escaped), "%c", c);
	put(t, escaped);
}

/* Text stays as it is above ASCII; what is not UTF-8 there is for the reader of the alert to
 * escape. Text that has escapes in the stream is shown with those. */
static void put_quoted(const struct mw_machine *m, struct text *t, struct mw_value v)
{
	bool bytes = v.kind == MW_V_BYTES;

	put(t, bytes ? "b'" : "'");
	for (uint64_t i = 0; i < v.number && !is_full(t); i++) {
		if (v.escaped && m->data[v.at + i] == '\\')
			put(t, "\\");
		else
			put_byte(t, m->data[v.at + i], bytes);
	}
	put(t, "'");
}

static void put_raw(struct text *t, const void *bytes, uint64_t len)
{
	const uint8_t *s = bytes;

	for (uint64_t i = 0; i < len && !is_full(t); i++)
		put_byte(t, s[i], false);
}

static void show(const struct mw_machine *m, struct text *t, struct mw_value v, int depth);

static uint32_t at_most_name(uint64_t len)
{
	return len < NAME_MOST ? (uint32_t)len : NAME_MOST;
}

static void show_global(const struct mw_machine *m, struct text *t, struct mw_value v)
{
	const struct mw_global *g = mw_machine_global(m, v);
	struct mw_str module, name;

	if (!g || g->wildcard) {
		put(t, "...");
		return;
	}
	module = (struct mw_str){(const char *)m->data + g->module, at_most_name(g->module_len)};
	name = (struct mw_str){(const char *)m->data + g->name, at_most_name(g->name_len)};
	mw_pickle_modern_name(&module, &name);
	put_raw(t, module.s, module.len);
	put(t, ".");
	put_raw(t, name.s, name.len);
}

/* As short as reads back the same, the way Python does it. */
static void show_float(struct text *t, uint64_t bits)
{
	char number[40];
	double value;

	memcpy(&value, &bits, sizeof(value));
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(number, sizeof(number), "%.*g", digits, value);
		if (strtod(number, NULL) == value)
			break;
	}
	put(t, number);
	if (!strpbrk(number, ".en"))
		put(t, ".0");
}

static void show_members(const struct mw_machine *m, struct text *t, struct mw_value v,
                         const struct mw_node *node, int depth)
{
	const char *brackets = v.kind == MW_V_LIST ? "[]" : v.kind == MW_V_TUPLE ? "()" : "{}";
	char open[2] = {brackets[0], 0}, close[2] = {brackets[1], 0};

	if (v.kind == MW_V_SET && !node->count) {
		put(t, "set()");
		return;
	}
	put(t, open);
	for (uint32_t i = 0; i < node->count && i < MW_NODE_VALUES; i++) {
		put(t, !i ? "" : v.kind == MW_V_DICT && i % 2 ? ": " : ", ");
		show(m, t, node->value[i], depth - 1);
	}
	if (node->count > MW_NODE_VALUES)
		put(t, ", ...");
	else if (node->count == 1 && v.kind == MW_V_TUPLE)
		put(t, ",");
	put(t, close);
}

static void show_node(const struct mw_machine *m, struct text *t, struct mw_value v, int depth)
{
	const struct mw_node *node = mw_machine_node(m, v);

	if (!node || !depth) {
		put(t, "...");
	} else if (v.kind == MW_V_CALL) {
		show(m, t, node->value[0], depth - 1);
		if (node->value[1].kind == MW_V_TUPLE)
			show(m, t, node->value[1], depth - 1);
		else
			put(t, "(...)");
	} else {
		show_members(m, t, v, node, depth);
	}
}

static void show(const struct mw_machine *m, struct text *t, struct mw_value v, int depth)
{
	char number[32];

	if (is_full(t))
		return; /* values that hold each other would be gone through for nothing */
	switch ((enum mw_value_kind)v.kind) {
	case MW_V_NONE:
		put(t, "None");
		break;
	case MW_V_TRUE:
		put(t, "True");
		break;
	case MW_V_FALSE:
		put(t, "False");
		break;
	case MW_V_INT:
		snprintf(number, sizeof(number), "%lld", (long long)v.number);
		put(t, number);
		break;
	case MW_V_FLOAT:
		show_float(t, v.number);
		break;
	case MW_V_NUMBER:
		put_raw(t, m->data + v.at, v.number);
		break;
	case MW_V_TEXT:
	case MW_V_BYTES:
		put_quoted(m, t, v);
		break;
	case MW_V_GLOBAL:
		show_global(m, t, v);
		break;
	case MW_V_TUPLE:
	case MW_V_CALL:
	case MW_V_LIST:
	case MW_V_DICT:
	case MW_V_SET:
		show_node(m, t, v, depth);
		break;
	case MW_V_ABSENT:
	case MW_V_UNKNOWN:
	case MW_V_MARK:
		put(t, "...");
		break;
	}
}

void mw_machine_show(const struct mw_machine *m, struct mw_value v, char *out, size_t size)
{
	struct text t = {out, size, 0};

	out[0] = '\0';
	show(m, &t, v, DEPTH);
}
