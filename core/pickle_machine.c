#include "pickle_machine.h"

#include <stdlib.h>
#include <string.h>

#define UNKNOWN ((struct mw_value){.kind = MW_V_UNKNOWN})

bool mw_machine_start(struct mw_machine *m, const uint8_t *data, size_t len)
{
	*m = (struct mw_machine){.data = data, .len = len};
	m->nodes = calloc(MW_NODES, sizeof(*m->nodes));
	m->global = calloc(MW_GLOBALS, sizeof(*m->global));
	return m->nodes && m->global;
}

void mw_machine_end(struct mw_machine *m)
{
	free(m->nodes);
	free(m->global);
	free(m->stack.at);
	free(m->memo.at);
}

struct mw_walk mw_machine_walk(struct mw_machine *m)
{
	struct mw_walk walk = {0};
	struct mw_pickle_op op;

	while (mw_pickle_decode(m->data, m->len, walk.end, &op)) {
		walk.end = op.end;
		if (!mw_machine_step(m, &op)) {
			walk.complete = op.code == '.' && !m->broken;
			return walk;
		}
	}
	walk.ran_out = op.name != NULL;
	walk.end = m->len;
	return walk;
}

static void lose(struct mw_machine *m)
{
	m->lost = m->doubt = true;
}

static bool reserve(struct mw_machine *m, struct mw_values *v, uint32_t count, uint32_t most)
{
	uint32_t room = v->room ? v->room : 64;
	struct mw_value *at;

	if (count <= v->room)
		return true;
	if (count > most)
		return false;
	while (room < count)
		room *= 2;
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

void mw_machine_push(struct mw_machine *m, struct mw_value v)
{
	if (reserve(m, &m->stack, m->stack.count + 1, MW_STACK_MAX))
		m->stack.at[m->stack.count++] = v;
	else
		lose(m);
}

/* Once values have been lost, it is not known whether one is missing in the stream itself. */
static struct mw_value missing(struct mw_machine *m)
{
	m->broken |= !m->lost;
	return UNKNOWN;
}

struct mw_value mw_machine_top(struct mw_machine *m)
{
	struct mw_value v;

	if (!m->stack.count)
		return missing(m);
	v = m->stack.at[m->stack.count - 1];
	return v.kind == MW_V_MARK ? missing(m) : v;
}

struct mw_value mw_machine_pop(struct mw_machine *m)
{
	struct mw_value v = mw_machine_top(m);

	if (m->stack.count)
		m->stack.count--;
	return v;
}

uint32_t mw_machine_above_mark(struct mw_machine *m)
{
	uint32_t i = m->stack.count;

	while (i && m->stack.at[i - 1].kind != MW_V_MARK)
		i--;
	if (!i)
		missing(m);
	return i;
}

struct mw_value mw_machine_use(struct mw_machine *m, struct mw_value v, bool called)
{
	if (v.watched) {
		m->calls += called;
		m->others += !called;
	}
	return v;
}

/* An index that is not kept makes every later MEMOIZE uncertain too. */
void mw_machine_remember(struct mw_machine *m, uint64_t index, bool plain)
{
	struct mw_value v = mw_machine_top(m);

	if (!plain || index >= MW_MEMO_MAX ||
	    !reserve(m, &m->memo, (uint32_t)index + 1, MW_MEMO_MAX)) {
		m->doubt = true;
		return;
	}
	m->memo_filled += m->memo.at[index].kind == MW_V_ABSENT;
	m->memo.at[index] = v;
	if (m->memo.count <= index)
		m->memo.count = (uint32_t)index + 1;
}

/* An unpickler that reads several streams keeps its memo: what is absent may be from one before. */
struct mw_value mw_machine_recall(struct mw_machine *m, uint64_t index, bool plain)
{
	struct mw_value v = {.kind = MW_V_ABSENT};

	if (plain && index < m->memo.count)
		v = m->memo.at[index];
	if (v.kind != MW_V_ABSENT)
		return v;
	m->doubt = true;
	return UNKNOWN;
}

struct mw_node *mw_machine_node(const struct mw_machine *m, struct mw_value v)
{
	struct mw_node *node = &m->nodes[v.at % MW_NODES];

	return v.kind >= MW_V_TUPLE && node->generation == v.generation ? node : NULL;
}

const struct mw_global *mw_machine_global(const struct mw_machine *m, struct mw_value v)
{
	if (v.kind != MW_V_GLOBAL || m->globals - v.number > MW_GLOBALS)
		return NULL;
	return &m->global[v.number % MW_GLOBALS];
}

struct mw_value mw_machine_make(struct mw_machine *m, uint8_t kind, const struct mw_value *values,
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
