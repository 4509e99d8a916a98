#include "pickle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pickle_machine.h"

/* Names longer than this were cut by the process that sent them. */
#define CUT 127

/* The opcodes between the last global that was fetched and the next one that was not. */
struct window {
	const struct mw_pickle_query *query;
	struct mw_pickle_answer *answer;
	uint64_t matched; /* of the seen names, walking the stream once */
	uint64_t from;    /* offset of the last global's opcode */
	bool open;        /* that opcode has been passed and no other global fetched since */
	bool closed;
	int rank;       /* of the call in the answer so far */
	uint64_t index; /* of the last global */
};

static bool is_name(const struct mw_machine *m, const struct mw_global *g, struct mw_str seen)
{
	char text[CUT + 1];
	uint64_t n = 0;

	if (g->wildcard)
		return true;
	for (uint64_t i = 0; i < g->module_len && n < CUT - 1; i++)
		text[n++] = (char)m->data[g->module + i];
	text[n++] = ' ';
	for (uint64_t i = 0; i < g->name_len && n < CUT; i++)
		text[n++] = (char)m->data[g->name + i];
	return n == seen.len && !memcmp(text, seen.s, n);
}

/* First pass: which global of the stream is the last one that was fetched? Events are a subsequence
 * of the stream's globals (a subclass may answer some names itself), so the earliest one from the
 * count on that ends a match of the last names is it. `history` holds the stream's last globals. */
struct align {
	const struct mw_pickle_query *query;
	struct mw_global history[64];
	uint64_t found; /* index, UINT64_MAX until known */
	struct mw_global global;
};

static bool ends_match(const struct mw_machine *m, const struct align *a, uint64_t last)
{
	uint64_t k = a->query->count, back = 0;

	while (k && back <= last && back < 64) {
		if (is_name(m, &a->history[(last - back) % 64], a->query->seen[k - 1]))
			k--;
		else if (!back)
			return false; /* the last name has to be this very global */
		back++;
	}
	return !k || back == 64;
}

static void align_global(struct mw_machine *m, const struct mw_global *g)
{
	struct align *a = m->context;
	uint64_t index = m->globals - 1;

	a->history[index % 64] = *g;
	if (a->found == UINT64_MAX && m->globals >= a->query->total && ends_match(m, a, index)) {
		a->found = index;
		a->global = *g;
	}
}

/* Walks the stream; returns where it ended. `complete` when STOP was reached. */
static uint64_t run(struct mw_machine *m, bool *complete)
{
	struct mw_pickle_op op;
	uint64_t at = 0;

	*complete = false;
	while (mw_pickle_decode(m->data, m->len, at, &op)) {
		at = op.end;
		if (!mw_machine_step(m, &op)) {
			*complete = op.code == '.';
			return at;
		}
	}
	return m->len;
}

static bool is_harmless(const char *callable)
{
	static const char *const plain[] = {"collections.OrderedDict",
	                                    "torch._utils._rebuild",
	                                    "copyreg._reconstructor",
	                                    "copy_reg._reconstructor",
	                                    "numpy.core.multiarray.",
	                                    "numpy._core.multiarray.",
	                                    "numpy.dtype",
	                                    "_codecs.encode",
	                                    "numpy.ndarray",
	                                    "copyreg.__newobj__"};

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (!strncmp(callable, plain[i], strlen(plain[i])))
			return true;
	return false;
}

static void describe(const struct mw_machine *m, const struct mw_call *call,
                     struct mw_pickle_answer *answer)
{
	size_t n;

	strcpy(answer->opcode, "?");
	strncpy(answer->opcode, call->op->name, sizeof(answer->opcode) - 1);
	answer->call[0] = '\0';
	if (call->callable.kind != MW_V_UNKNOWN || !call->method)
		mw_machine_show(m, call->callable, answer->call, sizeof(answer->call));
	n = strlen(answer->call);
	if (call->method) {
		if (n && n + 1 < sizeof(answer->call))
			answer->call[n++] = '.';
		answer->call[n] = '\0';
		strncat(answer->call, call->method, sizeof(answer->call) - 1 - n);
	}
	if (call->args.kind == MW_V_TUPLE)
		mw_machine_show(m, call->args, answer->args, sizeof(answer->args));
	else
		strcpy(answer->args, "(...)");
	answer->offset = answer->offset_end = call->op->at;
	answer->found = true;
}

/* 2: named as the process names it; 1: some call; 0: one of a plain rebuilder. */
static int rank(const struct mw_pickle_query *q, const char *callable)
{
	size_t n = strlen(callable), h = q->hint.len;

	if (n && callable[n - 1] == ')')
		n--;
	if (n && callable[n - 1] == '\'')
		n--;
	if (h && n > h && !memcmp(callable + n - h, q->hint.s, h) &&
	    (callable[n - h - 1] == '.' || callable[n - h - 1] == '\''))
		return 2;
	return !is_harmless(callable);
}

static bool tells(const struct mw_machine *m, const struct mw_pickle_query *q)
{
	return q->tell >= 0 && q->tell_exact && !m->framed;
}

static bool holds(const struct mw_machine *m, struct mw_value v, uint64_t global, int depth)
{
	const struct mw_node *node;

	if (v.kind == MW_V_GLOBAL)
		return v.number == global;
	if (v.kind < MW_V_TUPLE || !depth || !(node = mw_machine_node(m, v)))
		return false;
	for (uint32_t i = 0; i < node->count && i < MW_NODE_VALUES; i++)
		if (holds(m, node->value[i], global, depth - 1))
			return true;
	return false;
}

/* The first call that has to do with the global that is being fetched. */
static void use_call(struct mw_machine *m, const struct mw_call *call)
{
	struct window *w = m->context;

	if (w->open && !w->answer->found &&
	    (holds(m, call->callable, w->index, 3) || holds(m, call->args, w->index, 3)))
		describe(m, call, w->answer);
}

/* Is this the call? Certain by position; otherwise one of the candidates, of which only those of
 * the highest rank count. */
static void window_call(struct mw_machine *m, const struct mw_call *call)
{
	struct window *w = m->context;
	struct mw_pickle_answer *answer = w->answer;
	struct mw_pickle_answer fresh;
	int r;

	if (!w->open || w->closed || w->query->importing)
		return;
	if (tells(m, w->query)) {
		if (call->op->end == (uint64_t)w->query->tell)
			describe(m, call, answer);
		return;
	}
	fresh = *answer;
	describe(m, call, &fresh);
	r = rank(w->query, fresh.call);
	if (answer->found && r < w->rank)
		return;
	if (answer->found && r == w->rank) {
		answer->offset_end = call->op->at;
		return;
	}
	*answer = fresh;
	w->rank = r;
}

static void window_global(struct mw_machine *m, const struct mw_global *g)
{
	struct window *w = m->context;

	if (m->globals - 1 == w->index) {
		w->open = true;
		w->from = g->offset;
	} else if (w->open) {
		w->closed = true;
	}
}

static void answer_import(const struct mw_machine *m, const struct mw_global *g,
                          struct mw_pickle_answer *answer)
{
	struct mw_value module = {.kind = MW_V_TEXT, .at = g->module, .number = g->module_len};
	struct mw_value name = {.kind = MW_V_TEXT, .at = g->name, .number = g->name_len};
	char text[128];
	size_t n = 0;

	if (g->wildcard)
		return;
	mw_machine_show(m, module, text, sizeof(text));
	n = strlen(text);
	memcpy(answer->call, text + 1, n > 2 ? n - 2 : 0);
	answer->call[n > 2 ? n - 2 : 0] = '\0';
	strcat(answer->call, ".");
	mw_machine_show(m, name, text, sizeof(text));
	n = strlen(text);
	strncat(answer->call, text + 1, n > 2 ? n - 2 : 0);
	strcpy(answer->opcode, "GLOBAL");
	answer->offset = answer->offset_end = g->offset;
	answer->found = true;
}

/* Finds the last fetched global. Returns 0 with its index, UINT64_MAX when it is not in the stream.
 */
static int align(const struct mw_pickle_query *q, struct mw_pickle_answer *answer, uint64_t *ret,
                 struct mw_global *ret_global)
{
	struct align a = {.query = q, .found = UINT64_MAX};
	struct mw_machine m;
	int error = 0;

	if (!mw_machine_start(&m, q->data, q->len))
		return -ENOMEM;
	m.context = &a;
	m.on_global = align_global;
	answer->stream_len = run(&m, &answer->complete);
	if (m.error)
		error = -ENOMEM;
	*ret = a.found;
	if (a.found != UINT64_MAX)
		*ret_global = a.global;
	mw_machine_end(&m);
	return error;
}

int mw_pickle_locate(const struct mw_pickle_query *query, struct mw_pickle_answer *ret)
{
	struct window w = {.query = query, .answer = ret};
	struct mw_global global = {.wildcard = true};
	struct mw_machine m;
	bool complete;
	int error;

	memset(ret, 0, sizeof(*ret));
	error = align(query, ret, &w.index, &global);
	if (error)
		return error;
	if (query->importing && w.index != UINT64_MAX) {
		m = (struct mw_machine){.data = query->data, .len = query->len};
		answer_import(&m, &global, ret);
		return 0;
	}
	if (!mw_machine_start(&m, query->data, query->len))
		return -ENOMEM;
	w.open = query->total == 0 && query->count == 0;
	m.context = &w;
	m.on_global = window_global;
	m.on_call = query->fetching ? use_call : window_call;
	run(&m, &complete);
	if (query->fetching && !ret->found && w.index != UINT64_MAX)
		answer_import(&m, &global, ret);
	mw_machine_end(&m);
	return m.error ? -ENOMEM : 0;
}

bool mw_pickle_called_directly(const struct mw_pickle_query *query)
{
	struct mw_pickle_answer answer = {0};
	struct mw_global global;
	struct mw_machine m;
	uint64_t index;
	bool complete, direct;

	if (align(query, &answer, &index, &global) || index == UINT64_MAX)
		return false;
	if (!mw_machine_start(&m, query->data, query->len))
		return false;
	m.watched = index;
	run(&m, &complete);
	direct = m.calls && !m.others && !m.lost && !m.error && m.memo.count < MW_MEMO_MAX;
	mw_machine_end(&m);
	return direct;
}
