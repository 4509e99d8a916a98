/* What the native stack of an event proves. */
#include <string.h>

#include "daemon_matter.h"

static int unwind_by(struct mw_daemon_matter *m, const struct mw_maps *code)
{
	struct mw_regs regs;
	int count;

	_Static_assert(sizeof(m->k->regs) <= sizeof(regs), "as many as core/regs.h numbers");
	memset(&regs, 0, sizeof(regs));
	memcpy(regs.r, m->k->regs, sizeof(m->k->regs));
	/* The copy need not start at the stack pointer, but then it is another stack's. */
	if (!m->event->stack || !m->k->stack_len || m->k->stack_at != mw_regs_sp(&regs))
		return 0;
	count = mw_unwind(m->unwinder, m->pid, code, &regs, m->event->stack, m->k->stack_len,
	                  m->native, MW_DAEMON_NATIVE);
	/* One that is only waited for has no memory any more. */
	return count == 1 && !m->native[0].object[0] ? 0 : count;
}

/* What a living process has mapped it tells best itself. */
bool mw_daemon_unwind(struct mw_daemon_matter *m)
{
	const struct mw_daemon_judge_options *o = m->options;
	const struct mw_maps *code;
	bool ended = false;
	int count = 0;

	if (m->unwound != MW_NOT_UNWOUND)
		return m->unwound == MW_UNWOUND;
	code = o->code_of ? o->code_of(o->context, &m->k->head, &ended) : NULL;
	if (!ended)
		count = unwind_by(m, NULL);
	if (count <= 0 && code)
		count = unwind_by(m, code);
	m->native_count = count > 0 ? count : 0;
	m->unwound = count > 0 ? MW_UNWOUND : MW_CANNOT_UNWIND;
	return count > 0;
}

/* The clinic's wrapper may have gone on as the function that does the work. */
static bool has_loading_name(const char *symbol)
{
	static const char *const words[] = {"load", "Load", "npickle", "parse_ivalue",
	                                    "parseIValue"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(symbol, words[i]))
			return true;
	return false;
}

static bool is_entry(const struct mw_daemon_matter *m, const struct mw_native_frame *frame,
                     const struct mw_k_load *load)
{
	const struct mw_daemon_judge_options *o = m->options;

	if (frame->start == load->ip)
		return true;
	if (o->is_body && load->site)
		return o->is_body(o->context, load->site, (int64_t)(frame->ip - 1 - load->ip));
	return !frame->symbol[0] || has_loading_name(frame->symbol);
}

enum mw_daemon_seen mw_daemon_seen(struct mw_daemon_matter *m, const struct mw_k_load *load)
{
	uint64_t cfa = load->sp + sizeof(uint64_t);

	if (mw_k_by_frame(load->entry) || !load->sp || !mw_daemon_unwind(m))
		return MW_SEEN_NOTHING;
	for (int i = 0; i < m->native_count && m->native[i].cfa; i++) {
		if (m->native[i].cfa < cfa)
			continue;
		return m->native[i].cfa == cfa && is_entry(m, &m->native[i], load) ? MW_SEEN_OPEN
		                                                                   : MW_SEEN_OVER;
	}
	return MW_SEEN_NOTHING;
}

static const char *base_of(const struct mw_native_frame *frame)
{
	const char *slash = strrchr(frame->object, '/');

	return slash ? slash + 1 : frame->object;
}

static bool begins_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strncmp(text, list[i], strlen(list[i])))
			return true;
	return false;
}

/* libc does what its caller says; our own shim is in between where there is one. */
static bool is_libc(const struct mw_native_frame *frame)
{
	static const char *const names[] = {
	        "libc.so", "libc-",     "ld-",    "ld.so",   "libpthread", "libdl",         "librt",
	        "libnss_", "libresolv", "[vdso]", "libm.so", "ld-musl",    "libmodelwatch."};

	return begins_one_of(base_of(frame), names, sizeof(names) / sizeof(*names));
}

/* The interpreter, its own modules and libffi do what Python code tells them. */
static bool is_interpreter(const struct mw_daemon_matter *m, const struct mw_native_frame *frame)
{
	static const char *const names[] = {"libpython", "python", "_pickle", "_modelwatch.",
	                                    "libffi"};
	const struct mw_given *given;

	if (begins_one_of(base_of(frame), names, sizeof(names) / sizeof(*names)) ||
	    strstr(frame->object, "/lib-dynload/"))
		return true;
	given = mw_given_of(m->givens, m->pid, m->k->head.start);
	return !given || !given->exe[0] || !strcmp(given->exe, frame->object);
}

static const struct mw_native_frame *caller(struct mw_daemon_matter *m)
{
	int i = 0;

	if (!mw_daemon_unwind(m))
		return NULL;
	while (i < m->native_count && is_libc(&m->native[i]))
		i++;
	return i < m->native_count ? &m->native[i] : NULL;
}

bool mw_daemon_by_library(struct mw_daemon_matter *m)
{
	const struct mw_native_frame *frame = caller(m);

	/* Frames further out than the load's entry are not in the load. */
	if (!frame ||
	    (m->load && !mw_k_by_frame(m->load->entry) && m->load->sp && frame->cfa > m->load->sp))
		return false;
	return frame->object[0] == '/' && !is_interpreter(m, frame) &&
	       mw_daemon_trusts(m, frame->object);
}

bool mw_daemon_by_ffi(struct mw_daemon_matter *m)
{
	const struct mw_native_frame *frame = caller(m);

	return frame && !strncmp(base_of(frame), "libffi", 6);
}

bool mw_daemon_by_extension(struct mw_daemon_matter *m)
{
	if (!m->load || !m->load->sp || !mw_daemon_unwind(m))
		return false;
	/* Further out it only has the load made. */
	for (int i = 0; i < m->native_count && m->native[i].cfa < m->load->sp; i++)
		if (!strncmp(base_of(&m->native[i]), "_modelwatch.", 12))
			return mw_daemon_trusts(m, m->native[i].object);
	return false;
}

bool mw_daemon_in_function(struct mw_daemon_matter *m, const char *symbol)
{
	if (!mw_daemon_unwind(m))
		return false;
	for (int i = 0; i < m->native_count && is_libc(&m->native[i]); i++)
		if (!strcmp(m->native[i].symbol, symbol))
			return true;
	return false;
}
