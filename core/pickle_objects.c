/* Opcodes that hold values in others, fetch globals and call. */
#include <stddef.h>

#include "pickle_step.h"

#define UNKNOWN ((struct mw_value){.kind = MW_V_UNKNOWN})

static bool is_container(struct mw_value v)
{
	return v.kind == MW_V_LIST || v.kind == MW_V_DICT || v.kind == MW_V_SET;
}

/* Stores a value in a container, or hands it to an object's method. */
static void store(struct mw_machine *m, struct mw_value container, struct mw_value v)
{
	struct mw_node *node = is_container(container) ? mw_machine_node(m, container) : NULL;

	mw_machine_use(m, v, false);
	if (!node)
		return;
	if (node->count < MW_NODE_VALUES)
		node->value[node->count] = v;
	node->count++;
}

/* A tuple of what lies from `first` on, which stays on the stack. */
static struct mw_value tuple(struct mw_machine *m, uint32_t first)
{
	uint32_t count = m->stack.count - first;
	const struct mw_value *values = count ? m->stack.at + first : NULL;

	for (uint32_t i = 0; i < count; i++)
		mw_machine_use(m, values[i], false);
	return mw_machine_make(m, MW_V_TUPLE, values, count);
}

static struct mw_value tuple_of_one(struct mw_machine *m, struct mw_value v)
{
	return mw_machine_make(m, MW_V_TUPLE, &v, 1);
}

/* Takes everything from `first` on, and the mark below, off the stack. */
static void drop_to(struct mw_machine *m, uint32_t first)
{
	m->stack.count = first ? first - 1 : 0;
}

void mw_step_tuple(struct mw_machine *m, const struct mw_pickle_op *op)
{
	uint32_t first = mw_machine_above_mark(m);
	struct mw_value v = tuple(m, first);

	(void)op;
	drop_to(m, first);
	mw_machine_push(m, v);
}

void mw_step_short_tuple(struct mw_machine *m, const struct mw_pickle_op *op)
{
	uint32_t count = op->code == ')' ? 0 : op->code - 0x84u;
	struct mw_value values[3] = {0};

	for (uint32_t i = count; i; i--)
		values[i - 1] = mw_machine_use(m, mw_machine_pop(m), false);
	mw_machine_push(m, mw_machine_make(m, MW_V_TUPLE, values, count));
}

static uint8_t container_of(uint8_t code)
{
	switch (code) {
	case 'd':
	case '}':
		return MW_V_DICT;
	case 'l':
	case ']':
		return MW_V_LIST;
	default:
		return MW_V_SET;
	}
}

void mw_step_empty(struct mw_machine *m, const struct mw_pickle_op *op)
{
	mw_machine_push(m, mw_machine_make(m, container_of(op->code), NULL, 0));
}

/* What lies above the mark goes into a new container. */
void mw_step_filled(struct mw_machine *m, const struct mw_pickle_op *op)
{
	uint32_t first = mw_machine_above_mark(m);
	struct mw_value v = mw_machine_make(m, container_of(op->code), NULL, 0);

	for (uint32_t i = first; i < m->stack.count; i++)
		store(m, v, m->stack.at[i]);
	drop_to(m, first);
	mw_machine_push(m, v);
}

static void fetch(struct mw_machine *m, const struct mw_global *global)
{
	struct mw_value v = {.kind = MW_V_GLOBAL, .number = m->globals++};

	m->global[v.number % MW_GLOBALS] = *global;
	m->watch = false;
	if (m->on_global)
		m->on_global(m, global);
	v.watched = m->watch;
	mw_machine_push(m, v);
}

static void call(struct mw_machine *m, const struct mw_pickle_op *op, struct mw_value callable,
                 struct mw_value args, const char *method)
{
	struct mw_call c = {op, callable, args, method};

	mw_machine_use(m, args, false);
	if (m->on_call)
		m->on_call(m, &c);
}

static void push_call(struct mw_machine *m, const struct mw_pickle_op *op, struct mw_value callable,
                      struct mw_value args)
{
	struct mw_value pair[2] = {mw_machine_use(m, callable, true), args};

	call(m, op, callable, args, NULL);
	mw_machine_push(m, mw_machine_make(m, MW_V_CALL, pair, 2));
}

/* What is done to an object by its own methods is a call, unless the object is a plain container.
 */
static void change(struct mw_machine *m, const struct mw_pickle_op *op, struct mw_value object,
                   struct mw_value args, const char *method)
{
	mw_machine_use(m, object, false);
	if (!is_container(object))
		call(m, op, object, args, method);
}

void mw_step_reduce(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_value args;

	if (op->code == 0x92) /* NEWOBJ_EX: keyword arguments */
		mw_machine_use(m, mw_machine_pop(m), false);
	args = mw_machine_pop(m);
	push_call(m, op, mw_machine_pop(m), args);
}

/* The callable is the first above the mark. */
void mw_step_obj(struct mw_machine *m, const struct mw_pickle_op *op)
{
	uint32_t first = mw_machine_above_mark(m);
	struct mw_value callable = UNKNOWN, args = UNKNOWN;

	if (first < m->stack.count) {
		callable = m->stack.at[first];
		args = tuple(m, first + 1);
	} else {
		m->broken |= !m->lost;
	}
	drop_to(m, first);
	push_call(m, op, callable, args);
}

void mw_step_inst(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_global g = {op->text, op->text_len, op->text2, op->text2_len,
	                      op->at,   op->name,     false,     false};
	struct mw_value args;

	mw_step_tuple(m, op);
	args = mw_machine_pop(m);
	fetch(m, &g);
	push_call(m, op, mw_machine_pop(m), args);
}

void mw_step_build(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_value state = mw_machine_use(m, mw_machine_pop(m), false);

	change(m, op, mw_machine_top(m), tuple_of_one(m, state), "__setstate__");
}

void mw_step_persistent(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_value id = {.kind = MW_V_TEXT, .at = op->text, .number = op->text_len};

	if (op->code == 'Q')
		id = mw_machine_use(m, mw_machine_pop(m), false);
	call(m, op, UNKNOWN, tuple_of_one(m, id), "persistent_load");
	mw_machine_push(m, UNKNOWN);
}

/* One value, or a key and a value, for the object below them. */
void mw_step_add(struct mw_machine *m, const struct mw_pickle_op *op)
{
	bool item = op->code == 's';
	struct mw_value v = mw_machine_pop(m);
	struct mw_value key = item ? mw_machine_pop(m) : UNKNOWN;
	struct mw_value object = mw_machine_top(m);

	if (item)
		store(m, object, key);
	store(m, object, v);
	change(m, op, object, UNKNOWN, item ? "__setitem__" : "append");
}

/* What lies above the mark, for the object below it; when that is nothing, nothing is called. */
void mw_step_add_all(struct mw_machine *m, const struct mw_pickle_op *op)
{
	uint32_t first = mw_machine_above_mark(m), end = m->stack.count;
	const char *method = op->code == 'u' ? "__setitem__" : op->code == 'e' ? "extend" : "add";
	struct mw_value object;

	drop_to(m, first);
	object = mw_machine_top(m);
	for (uint32_t i = first; i < end; i++)
		store(m, object, m->stack.at[i]);
	if (first < end)
		change(m, op, object, UNKNOWN, method);
}

void mw_step_global(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_global g = {op->text, op->text_len, op->text2, op->text2_len,
	                      op->at,   op->name,     false,     false};

	fetch(m, &g);
}

void mw_step_stack_global(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_value name = mw_machine_pop(m), module = mw_machine_pop(m);
	bool known = module.kind == MW_V_TEXT && name.kind == MW_V_TEXT && !module.escaped &&
	             !name.escaped;
	struct mw_global g = {module.at, module.number, name.at, name.number,
	                      op->at,    op->name,      !known,  false};

	mw_machine_use(m, name, false);
	mw_machine_use(m, module, false);
	fetch(m, &g);
}

/* Only the process knows what the code stands for. */
void mw_step_extension(struct mw_machine *m, const struct mw_pickle_op *op)
{
	struct mw_global g = {
	        .offset = op->at, .opcode = op->name, .wildcard = true, .extension = true};

	fetch(m, &g);
}
