#include "pickle_machine.h"

#include <stdlib.h>
#include <string.h>

#define UNKNOWN ((struct mw_value){.kind = MW_V_UNKNOWN})

bool mw_machine_start(struct mw_machine *m, const uint8_t *data, size_t len)
{
	*m = (struct mw_machine){.data = data, .len = len, .watched = UINT64_MAX};
	m->nodes = calloc(MW_NODES, sizeof(*m->nodes));
	return m->nodes != NULL;
}

void mw_machine_end(struct mw_machine *m)
{
	free(m->nodes);
	free(m->stack.at);
	free(m->memo.at);
}

static bool reserve(struct mw_machine *m, struct mw_values *v, uint32_t count, uint32_t most)
{
	uint32_t room = v->room ? v->room : 64;
	struct mw_value *at;

	if (count > most)
		return false;
	while (room < count)
		room *= 2;
	if (room == v->room)
		return true;
	at = realloc(v->at, room * sizeof(*at));
	if (!at) {
		m->error = true;
		return false;
	}
	memset(at + v->room, 0, (room - v->room) * sizeof(*at));
	v->at = at;
	v->room = room;
	return true;
}

static void push(struct mw_machine *m, struct mw_value v)
{
	if (!reserve(m, &m->stack, m->stack.count + 1, MW_STACK_MAX)) {
		m->lost = true;
		return;
	}
	m->stack.at[m->stack.count++] = v;
}

static struct mw_value pop(struct mw_machine *m)
{
	return m->stack.count ? m->stack.at[--m->stack.count] : UNKNOWN;
}

static struct mw_value top(const struct mw_machine *m)
{
	return m->stack.count ? m->stack.at[m->stack.count - 1] : UNKNOWN;
}

/* A use of the watched global: as a callable, or as anything else. Dropping it is no use. */
static struct mw_value use(struct mw_machine *m, struct mw_value v, bool called)
{
	if (v.kind == MW_V_GLOBAL && v.number == m->watched) {
		m->calls += called;
		m->others += !called;
	}
	return v;
}

const struct mw_node *mw_machine_node(const struct mw_machine *m, struct mw_value v)
{
	const struct mw_node *node = &m->nodes[v.at % MW_NODES];

	return node->generation == v.generation ? node : NULL;
}

static struct mw_value make(struct mw_machine *m, uint8_t kind, const struct mw_value *values,
                            uint32_t count)
{
	uint32_t i = m->next++ % MW_NODES;
	struct mw_node *node = &m->nodes[i];

	node->generation++;
	node->count = count;
	for (uint32_t k = 0; values && k < count && k < MW_NODE_VALUES; k++)
		node->value[k] = values[k];
	return (struct mw_value){.kind = kind, .generation = node->generation, .at = i};
}

/* Index of the first value above the topmost mark; 0 when there is none (an error in the stream).
 */
static uint32_t above_mark(const struct mw_machine *m)
{
	uint32_t i = m->stack.count;

	while (i && m->stack.at[i - 1].kind != MW_V_MARK)
		i--;
	return i;
}

static bool is_container(struct mw_value v)
{
	return v.kind == MW_V_LIST || v.kind == MW_V_DICT || v.kind == MW_V_SET;
}

/* Stores a value in a container, or hands it to an object's method. */
static void store(struct mw_machine *m, struct mw_value container, struct mw_value v)
{
	struct mw_node *node = &m->nodes[container.at % MW_NODES];

	use(m, v, false);
	if (!is_container(container) || node->generation != container.generation)
		return;
	if (node->count < MW_NODE_VALUES)
		node->value[node->count] = v;
	node->count++;
}

/* Takes everything above the mark, and the mark, off the stack. `used`: stored somewhere. */
static void drop_to(struct mw_machine *m, uint32_t first, bool used)
{
	for (uint32_t i = first; used && i < m->stack.count; i++)
		use(m, m->stack.at[i], false);
	m->stack.count = first ? first - 1 : 0;
}

static struct mw_value tuple(struct mw_machine *m, uint32_t first)
{
	uint32_t count = m->stack.count - first;

	for (uint32_t i = first; i < m->stack.count; i++)
		use(m, m->stack.at[i], false);
	return make(m, MW_V_TUPLE, m->stack.at ? m->stack.at + first : NULL, count);
}

static void push_tuple_of(struct mw_machine *m, uint32_t count)
{
	uint32_t first = m->stack.count > count ? m->stack.count - count : 0;
	struct mw_value v = tuple(m, first);

	m->stack.count = first;
	push(m, v);
}

static void push_tuple_to_mark(struct mw_machine *m)
{
	uint32_t first = above_mark(m);
	struct mw_value v = tuple(m, first);

	m->stack.count = first ? first - 1 : 0;
	push(m, v);
}

/* What lies above the mark goes into a new container. */
static void push_container(struct mw_machine *m, uint8_t kind)
{
	uint32_t first = above_mark(m);
	struct mw_value v = make(m, kind, NULL, 0);

	for (uint32_t i = first; i < m->stack.count; i++)
		store(m, v, m->stack.at[i]);
	drop_to(m, first, false);
	push(m, v);
}

static void fetch(struct mw_machine *m, struct mw_global global)
{
	struct mw_value pair[2] = {
	        {.kind = MW_V_TEXT, .at = global.module, .number = global.module_len},
	        {.kind = MW_V_TEXT, .at = global.name, .number = global.name_len}};
	struct mw_value v = make(m, MW_V_GLOBAL, pair, global.wildcard ? 0 : 2);

	v.number = m->globals++;
	m->last = global;
	if (m->on_global)
		m->on_global(m, &global);
	push(m, v);
}

static void call(struct mw_machine *m, const struct mw_pickle_op *op, struct mw_value callable,
                 struct mw_value args, const char *method)
{
	struct mw_call c = {op, callable, args, method};

	use(m, args, false);
	if (m->on_call)
		m->on_call(m, &c);
}

static void push_call(struct mw_machine *m, const struct mw_pickle_op *op, struct mw_value callable,
                      struct mw_value args)
{
	struct mw_value pair[2] = {use(m, callable, true), args};

	call(m, op, callable, args, NULL);
	push(m, make(m, MW_V_CALL, pair, 2));
}

/* What is done to an object by its own methods is a call, unless the object is a plain container.
 */
static void change(struct mw_machine *m, const struct mw_pickle_op *op, struct mw_value object,
                   struct mw_value argument, const char *method)
{
	use(m, object, false);
	if (!is_container(object))
		call(m, op, object, argument, method);
}

static void remember(struct mw_machine *m, uint64_t index)
{
	if (index >= MW_MEMO_MAX || !reserve(m, &m->memo, (uint32_t)index + 1, MW_MEMO_MAX))
		return; /* read back as unknown */
	m->memo.at[index] = top(m);
	if (m->memo.count <= index)
		m->memo.count = (uint32_t)index + 1;
}

static struct mw_value recall(const struct mw_machine *m, uint64_t index)
{
	return index < m->memo.count ? m->memo.at[index] : UNKNOWN;
}

static void step_call(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_value args, callable;
	uint32_t first;

	switch (op->code) {
	case 0x92: /* NEWOBJ_EX */
		use(m, pop(m), false);
		/* fall through */
	case 'R':
	case 0x81: /* NEWOBJ */
		args = pop(m);
		callable = pop(m);
		push_call(m, op, callable, args);
		break;
	case 'o': /* the callable is the first above the mark */
		first = above_mark(m);
		callable = first < m->stack.count ? m->stack.at[first] : UNKNOWN;
		args = first < m->stack.count ? tuple(m, first + 1) : UNKNOWN;
		m->stack.count = first ? first - 1 : 0;
		push_call(m, op, callable, args);
		break;
	case 'i':
		push_tuple_to_mark(m);
		args = pop(m);
		fetch(m, (struct mw_global){op->text, op->text_len, op->text2, op->text2_len,
		                            op->at, false});
		push_call(m, op, pop(m), args);
		break;
	case 'b':
		args = pop(m);
		change(m, op, top(m), args, "__setstate__");
		break;
	case 'P':
	case 'Q':
		args = op->code == 'Q' ? pop(m) : UNKNOWN;
		call(m, op, UNKNOWN, args, "persistent_load");
		push(m, UNKNOWN);
		break;
	default:
		break;
	}
}

/* Adds what lies above the mark, or the top `count` values, to the object below. */
static void add(struct mw_machine *m, const struct mw_pickle_op *op, uint32_t count,
                const char *method)
{
	uint32_t mark = above_mark(m);
	uint32_t first = !count ? mark : m->stack.count > count ? m->stack.count - count : 0;
	uint32_t below = count ? first : first ? first - 1 : 0;
	struct mw_value object = below ? m->stack.at[below - 1] : UNKNOWN;

	for (uint32_t i = first; i < m->stack.count; i++)
		store(m, object, m->stack.at[i]);
	m->stack.count = below;
	change(m, op, object, UNKNOWN, method);
}

static void step_container(struct mw_machine *m, const struct mw_pickle_op *op)
{
	switch (op->code) {
	case 'a':
		add(m, op, 1, "append");
		break;
	case 's':
		add(m, op, 2, "__setitem__");
		break;
	case 'e':
		add(m, op, 0, "extend");
		break;
	case 'u':
		add(m, op, 0, "__setitem__");
		break;
	case 0x90: /* ADDITEMS */
		add(m, op, 0, "add");
		break;
	case 'd':
		push_container(m, MW_V_DICT);
		break;
	case 'l':
		push_container(m, MW_V_LIST);
		break;
	case 0x91: /* FROZENSET */
		push_container(m, MW_V_SET);
		break;
	case 't':
		push_tuple_to_mark(m);
		break;
	case ')':
		push(m, make(m, MW_V_TUPLE, NULL, 0));
		break;
	case 0x85:
	case 0x86:
	case 0x87:
		push_tuple_of(m, op->code - 0x84u);
		break;
	default: /* EMPTY_LIST, EMPTY_DICT, EMPTY_SET */
		push(m, make(m,
		             op->code == ']'   ? MW_V_LIST
		             : op->code == '}' ? MW_V_DICT
		                               : MW_V_SET,
		             NULL, 0));
	}
}

static void step_global(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_global g = {op->text, op->text_len, op->text2, op->text2_len, op->at, false};
	struct mw_value name, module;

	if (op->code == 0x93) { /* STACK_GLOBAL */
		name = pop(m);
		module = pop(m);
		g = (struct mw_global){
		        module.at, module.number,
		        name.at,   name.number,
		        op->at,    module.kind != MW_V_TEXT || name.kind != MW_V_TEXT};
	} else if (op->code != 'c') {
		g.wildcard = true; /* EXT: only the process knows what the code stands for */
	}
	fetch(m, g);
}

static struct mw_value text_value(const struct mw_pickle_op *op, uint8_t kind)
{
	return (struct mw_value){.kind = kind, .at = op->text, .number = op->text_len};
}

/* STRING carries its quotes. */
static struct mw_value quoted(const struct mw_pickle_op *op)
{
	struct mw_value v = text_value(op, MW_V_TEXT);

	if (v.number >= 2) {
		v.at++;
		v.number -= 2;
	}
	return v;
}

static void step_value(struct mw_machine *m, const struct mw_pickle_op *op)
{
	switch (op->code) {
	case 'N':
		push(m, (struct mw_value){.kind = MW_V_NONE});
		break;
	case 0x88:
		push(m, (struct mw_value){.kind = MW_V_TRUE});
		break;
	case 0x89:
		push(m, (struct mw_value){.kind = MW_V_FALSE});
		break;
	case 'I':
	case 'L':
	case 'J':
	case 'K':
	case 'M':
		push(m, (struct mw_value){.kind = MW_V_INT, .number = op->number});
		break;
	case 'S':
		push(m, quoted(op));
		break;
	case 'T':
	case 'U':
	case 'V':
	case 'X':
	case 0x8c:
	case 0x8d:
		push(m, text_value(op, MW_V_TEXT));
		break;
	case 'B':
	case 'C':
	case 0x8e:
	case 0x96:
		push(m, text_value(op, MW_V_BYTES));
		break;
	case 'F':
	case 'G':
	case 0x8a:
	case 0x8b:
	case 0x97:
		push(m, UNKNOWN);
		break;
	default:
		break;
	}
}

/* Opcodes that only move values about. True when `op` was one. */
static bool step_stack(struct mw_machine *m, const struct mw_pickle_op *op)
{
	switch (op->code) {
	case '(':
		push(m, (struct mw_value){.kind = MW_V_MARK});
		return true;
	case '0':
		pop(m);
		return true;
	case '1':
		drop_to(m, above_mark(m), false);
		return true;
	case '2':
		push(m, top(m));
		return true;
	case 'g':
	case 'h':
	case 'j':
		push(m, recall(m, op->number));
		return true;
	case 'p':
	case 'q':
	case 'r':
		remember(m, op->number);
		return true;
	case 0x94: /* MEMOIZE */
		remember(m, m->memo.count);
		return true;
	case 0x95:
		m->framed = true;
		return true;
	default:
		return false;
	}
}

bool mw_machine_step(struct mw_machine *m, const struct mw_pickle_op *op)
{
	if (op->code == '.') {
		use(m, pop(m), false);
		return false;
	}
	if (step_stack(m, op))
		return !m->error;
	if (strchr("Roib\x81\x92PQ", op->code))
		step_call(m, op);
	else if (strchr("aseudlt)]}\x85\x86\x87\x8f\x90\x91", op->code))
		step_container(m, op);
	else if (strchr("c\x82\x83\x84\x93", op->code))
		step_global(m, op);
	else
		step_value(m, op);
	return !m->error;
}
