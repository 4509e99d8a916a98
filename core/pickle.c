#include "pickle.h"

#include <errno.h>
#include <string.h>

#include "pickle_align.h"

/* Work on one stream is bounded: so many callables are looked at by name, so many values searched
 * for a global. A stream with more calls in one place has all of them in the range. */
#define NAMES_MOST 65536u
#define SEARCH_MOST (1u << 22)

/* The opcodes between the last global that was fetched and the next one that was not. While that
 * one has not come, only a reader's position can tell. */
struct window {
	const struct mw_pickle_query *query;
	struct mw_pickle_answer *answer;
	struct mw_pickle_align align;
	bool closed;
	int rank;               /* of the call in the answer so far */
	bool placed;            /* the answer fits the reader's position */
	uint32_t work;          /* done so far, of NAMES_MOST or SEARCH_MOST */
	uint64_t last_callable; /* a global's index, and the rank it has */
	int last_rank;
};

static bool is_harmless(const char *callable)
{
	static const char *const plain[] = {
	        "collections.OrderedDict", "torch._utils._rebuild",   "copyreg._reconstructor",
	        "numpy.core.multiarray.",  "numpy._core.multiarray.", "numpy.dtype",
	        "_codecs.encode",          "numpy.ndarray",           "copyreg.__newobj__"};

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (!strncmp(callable, plain[i], strlen(plain[i])))
			return true;
	return false;
}

/* The callable's name, and the method of its result that is called. */
static void name_call(const struct mw_machine *m, const struct mw_call *call, char *out,
                      size_t size)
{
	size_t n;

	out[0] = '\0';
	if (call->callable.kind != MW_V_UNKNOWN || !call->method)
		mw_machine_show(m, call->callable, out, size);
	if (!call->method)
		return;
	n = strlen(out);
	if (n)
		strncat(out, ".", size - 1 - n);
	strncat(out, call->method, size - 1 - strlen(out));
}

static void describe(const struct mw_machine *m, const struct mw_call *call,
                     struct mw_pickle_answer *answer)
{
	answer->opcode[0] = '\0';
	strncat(answer->opcode, call->op->name, sizeof(answer->opcode) - 1);
	name_call(m, call, answer->call, sizeof(answer->call));
	if (call->args.kind == MW_V_TUPLE)
		mw_machine_show(m, call->args, answer->args, sizeof(answer->args));
	else
		strcpy(answer->args, "(...)");
	answer->offset = answer->offset_end = call->op->at;
	answer->found = true;
}

/* 2: named as the process names it; 1: some call; 0: one of a plain rebuilder. */
static int rank_name(const struct mw_pickle_query *q, const char *callable)
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

/* Rendering a name costs more than all the rest, so the last one's rank is kept. */
static int rank(const struct mw_machine *m, struct window *w, const struct mw_call *call)
{
	bool global = call->callable.kind == MW_V_GLOBAL && !call->method;
	char name[sizeof(w->answer->call)];

	if (global && call->callable.number == w->last_callable)
		return w->last_rank;
	if (w->work++ >= NAMES_MOST)
		return w->rank;
	name_call(m, call, name, sizeof(name));
	if (!global)
		return rank_name(w->query, name);
	w->last_callable = call->callable.number;
	return w->last_rank = rank_name(w->query, name);
}

static bool holds(const struct mw_machine *m, struct window *w, struct mw_value v, int depth)
{
	const struct mw_node *node;

	if (v.kind == MW_V_GLOBAL)
		return v.number == w->align.index;
	if (!depth || !(node = mw_machine_node(m, v)))
		return false;
	for (uint32_t i = 0; i < node->count && i < MW_NODE_VALUES && w->work < SEARCH_MOST; i++) {
		w->work++;
		if (holds(m, w, node->value[i], depth - 1))
			return true;
	}
	return false;
}

/* The first call that has to do with the global that is being fetched. */
static void use_call(struct mw_machine *m, const struct mw_call *call)
{
	struct window *w = m->context;

	if (w->align.found && !w->placed &&
	    (holds(m, w, call->callable, 3) || holds(m, w, call->args, 3))) {
		describe(m, call, w->answer);
		w->placed = true;
	}
}

/* Where a reader stands while the opcode runs: a frame is read as a whole. */
static uint64_t position(const struct mw_machine *m, const struct mw_pickle_op *op)
{
	return op->at < m->frame_end ? m->frame_end : op->end;
}

/* Does the reader's position say that it is this one, or that it is not? An opcode outside frames
 * that ends just there is the one, whatever the names say. */
enum fit { AGAINST, NOTHING, FOR };

static enum fit fits(const struct mw_machine *m, const struct window *w,
                     const struct mw_pickle_op *op)
{
	const struct mw_pickle_query *q = w->query;
	uint64_t at = position(m, op);

	if (q->tell < 0)
		return NOTHING;
	if (!q->tell_exact)
		return at < (uint64_t)q->tell ? AGAINST : NOTHING;
	if (at != (uint64_t)q->tell)
		return AGAINST;
	return at == op->end ? FOR : NOTHING;
}

/* Of two that may be the one. A guess takes none of the bytes off the range. */
static void choose(const struct mw_machine *m, struct window *w, const struct mw_call *call, int r)
{
	struct mw_pickle_answer *answer = w->answer;
	bool both = r == w->rank || (w->query->guess && r && w->rank);
	uint64_t first = answer->offset;

	if (r > w->rank) {
		describe(m, call, answer);
		w->rank = r;
	}
	if (!both)
		return;
	answer->offset = first;
	answer->offset_end = call->op->at;
}

/* Is this the call? One of the candidates, of which only those of the highest rank count, and those
 * that the position speaks against only while there is no other. */
static void window_call(struct mw_machine *m, const struct mw_call *call)
{
	struct window *w = m->context;
	struct mw_pickle_answer *answer = w->answer;
	enum fit fit = fits(m, w, call->op);
	bool placed = fit != AGAINST;
	int r;

	if ((w->closed && fit != FOR) || (w->placed && !placed))
		return;
	r = rank(m, w, call);
	if (!answer->found || placed != w->placed) {
		describe(m, call, answer);
		w->rank = r;
	} else {
		choose(m, w, call, r);
	}
	w->placed = placed;
}

/* Globals that need not be an event: torch answers the names of storages itself, and an extension
 * code is looked up once in a process. */
static bool is_silent(const struct mw_machine *m, const struct mw_global *g)
{
	static const char module[] = "torch", tail[] = "Storage";
	size_t n = sizeof(tail) - 1;

	if (g->wildcard)
		return g->extension;
	return g->module_len >= sizeof(module) - 1 &&
	       !memcmp(m->data + g->module, module, sizeof(module) - 1) && g->name_len >= n &&
	       !memcmp(m->data + g->name + g->name_len - n, tail, n);
}

static void answer_global(const struct mw_machine *m, const struct mw_global *g,
                          struct mw_pickle_answer *answer)
{
	struct mw_value v = {.kind = MW_V_GLOBAL, .number = m->globals - 1};

	if (g->wildcard)
		return;
	mw_machine_show(m, v, answer->call, sizeof(answer->call));
	strncat(answer->opcode, g->opcode, sizeof(answer->opcode) - 1);
	answer->offset = answer->offset_end = g->offset;
	answer->found = true;
}

static void window_global(struct mw_machine *m, const struct mw_global *g)
{
	struct window *w = m->context;

	if (mw_pickle_align(&w->align, m, g)) {
		memset(w->answer, 0, sizeof(*w->answer));
		w->placed = w->closed = false;
		if (w->query->importing || w->query->fetching)
			answer_global(m, g, w->answer);
	} else if (!w->query->unheard && !is_silent(m, g)) {
		w->closed = true;
	}
}

int mw_pickle_locate(const struct mw_pickle_query *query, struct mw_pickle_answer *ret)
{
	struct window w = {.query = query,
	                   .answer = ret,
	                   .align.query = query,
	                   .closed = query->total || query->count,
	                   .last_callable = UINT64_MAX};
	struct mw_machine m;
	struct mw_walk walk;

	memset(ret, 0, sizeof(*ret));
	if (mw_machine_start(&m, query->data, query->len)) {
		m.context = &w;
		m.on_global = window_global;
		if (!query->importing)
			m.on_call = query->fetching ? use_call : window_call;
		walk = mw_machine_walk(&m);
		ret->stream_len = walk.end;
		ret->complete = walk.complete;
	} else {
		m.error = true;
	}
	mw_machine_end(&m);
	return m.error ? -ENOMEM : 0;
}
