/* Symbolic values as text, the way Python would show them. */
#include <stdio.h>
#include <string.h>

#include "pickle_machine.h"

#define DEPTH 6

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

static void put_byte(struct text *t, uint8_t c)
{
	char escaped[8];

	if (c == '\\' || c == '\'')
		snprintf(escaped, sizeof(escaped), "\\%c", c);
	else if (c == '\n')
		snprintf(escaped, sizeof(escaped), "\\n");
	else if (c < 0x20 || c == 0x7f)
		snprintf(escaped, sizeof(escaped), "\\x%02x", c);
	else
		snprintf(escaped, sizeof(escaped), "%c", c);
	put(t, escaped);
}

/* Text stays as it is above ASCII; what is not UTF-8 there is for the reader of the alert to
 * escape. */
static void put_quoted(const struct mw_machine *m, struct text *t, struct mw_value v)
{
	put(t, v.kind == MW_V_BYTES ? "b'" : "'");
	for (uint64_t i = 0; i < v.number && t->len + 1 < t->size; i++)
		put_byte(t, m->data[v.at + i]);
	put(t, "'");
}

static void put_raw(const struct mw_machine *m, struct text *t, struct mw_value v)
{
	for (uint64_t i = 0; i < v.number && t->len + 1 < t->size; i++)
		put_byte(t, m->data[v.at + i]);
}

static void show(const struct mw_machine *m, struct text *t, struct mw_value v, int depth);

/* Python 2's name for the module, which every stream up to protocol 2 uses. */
static void show_global(const struct mw_machine *m, struct text *t, const struct mw_node *node)
{
	static const char old[] = "__builtin__";
	struct mw_value module = node->value[0];

	if (node->count < 2) {
		put(t, "...");
		return;
	}
	if (module.number == sizeof(old) - 1 && !memcmp(m->data + module.at, old, sizeof(old) - 1))
		put(t, "builtins");
	else
		put_raw(m, t, module);
	put(t, ".");
	put_raw(m, t, node->value[1]);
}

static void show_members(const struct mw_machine *m, struct text *t, struct mw_value v,
                         const struct mw_node *node, int depth)
{
	const char *brackets = v.kind == MW_V_LIST ? "[]" : v.kind == MW_V_TUPLE ? "()" : "{}";
	char open[2] = {brackets[0], 0}, close[2] = {brackets[1], 0};

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
	} else if (v.kind == MW_V_GLOBAL) {
		show_global(m, t, node);
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
	case MW_V_TEXT:
	case MW_V_BYTES:
		put_quoted(m, t, v);
		break;
	case MW_V_GLOBAL:
	case MW_V_TUPLE:
	case MW_V_CALL:
	case MW_V_LIST:
	case MW_V_DICT:
	case MW_V_SET:
		show_node(m, t, v, depth);
		break;
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
