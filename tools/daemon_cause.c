/* What in the load led to an effect. There is no sensor in the process to ask: what stands on the
 * Python stack proves something as long as the load can have made no code, which may have any name
 * that it likes. */
#include <string.h>

#include "../core/paths.h"
#include "daemon_matter.h"

static bool is_core(const struct mw_daemon_frame *f)
{
	return !strcmp(f->file, "<frozen importlib._bootstrap>");
}

static bool is_machinery(const struct mw_daemon_frame *f)
{
	return is_core(f) || !strcmp(f->file, "<frozen importlib._bootstrap_external>") ||
	       !strcmp(f->file, "<frozen zipimport>") || mw_ends_with(f->file, "/zipimport.py");
}

/* The outermost frame that imports; `own` when there is none. */
static uint32_t outermost_import(const struct mw_daemon_matter *m)
{
	for (uint32_t i = m->own; i-- > 0;)
		if (is_core(&m->frame[i]) && !strcmp(m->frame[i].function, "_find_and_load"))
			return i;
	return m->own;
}

static bool is_machinery_only(const struct mw_daemon_matter *m, uint32_t from)
{
	for (uint32_t i = 0; i <= from; i++)
		if (!is_machinery(&m->frame[i]))
			return false;
	return true;
}

/* The unpickler looks a global up, by itself or in the find_class of a subclass: nothing that the
 * stream chose runs but the import. */
static bool is_fetching(const struct mw_daemon_matter *m, uint32_t outer)
{
	uint32_t root = m->own;
	bool fetching = m->k->fetching;

	if (m->load && m->load->entry == MW_K_PURE)
		fetching = root && mw_ends_with(m->frame[root - 1].file, "/pickle.py");
	if (!m->load || !fetching)
		return false;
	while (root && !strcmp(m->frame[root - 1].function, "find_class") &&
	       mw_daemon_trusts(m, m->frame[root - 1].file))
		root--;
	return m->whole && root && root - 1 == outer;
}

bool mw_daemon_is_importing(const struct mw_daemon_matter *m)
{
	uint32_t outer = outermost_import(m);

	return outer < m->own && is_fetching(m, outer);
}

/* The innermost module body that the import system runs has to be of a trusted file. Bodies further
 * out that are not steer what happens in here, as a call would. */
static bool runs_trusted_body(struct mw_daemon_matter *m, uint32_t outer)
{
	bool found = false;

	for (uint32_t i = 0; i + 2 <= outer; i++) {
		if (strcmp(m->frame[i].function, "<module>") != 0 || is_machinery(&m->frame[i]) ||
		    strcmp(m->frame[i + 1].function, "_call_with_frames_removed") != 0 ||
		    !is_core(&m->frame[i + 1]) || !is_machinery(&m->frame[i + 2]))
			continue;
		if (mw_daemon_trusts(m, m->frame[i].file))
			found = true;
		else if (found)
			m->effect.facts |= MW_FACT_CALLED;
		else
			return false;
	}
	return found;
}

/* An extension module is being mapped, or its initialisation runs. */
static bool starts_extension(const struct mw_daemon_matter *m, uint32_t outer)
{
	return outer >= 2 && !strcmp(m->frame[0].function, "_call_with_frames_removed") &&
	       (!strcmp(m->frame[1].function, "create_module") ||
	        !strcmp(m->frame[1].function, "exec_module"));
}

/* Whoever imports it, an installed extension module is what it is. One that merely was there before
 * the load may have come with the body that imports it. */
static bool maps_installed(const struct mw_daemon_matter *m, uint32_t outer)
{
	return m->effect.class == MW_MAP && m->effect.facts & MW_FACT_INSTALLED &&
	       starts_extension(m, outer) && mw_daemon_is_installed(m, m->effect.file);
}

static enum mw_cause machinery_cause(struct mw_daemon_matter *m, uint32_t outer)
{
	/* What an extension does when it starts is its package's. */
	if (m->effect.class != MW_MAP && starts_extension(m, outer) && mw_daemon_by_library(m))
		return MW_BY_IMPORT;
	return MW_BY_MACHINERY;
}

/* Where it caches bytecode it computes the path itself; it may be told to use another directory. */
static bool is_bytecode(const struct mw_daemon_matter *m)
{
	const char *path = m->effect.file ? m->effect.file : m->effect.target;
	const char *path2 = m->effect.file2 ? m->effect.file2 : m->effect.target2;

	if (m->effect.class != MW_WRITE || !m->inside || !is_machinery(&m->frame[0]) || !path)
		return false;
	return mw_daemon_is_bytecode(m, path) && (!path2 || mw_daemon_is_bytecode(m, path2));
}

static enum mw_cause import_cause(struct mw_daemon_matter *m, uint32_t outer)
{
	if (m->globals.makes_code && !is_fetching(m, outer))
		return MW_BY_UNKNOWN;
	if (is_bytecode(m))
		m->effect.facts |= MW_FACT_PYC;
	if (is_machinery_only(m, outer) || maps_installed(m, outer))
		return machinery_cause(m, outer);
	return runs_trusted_body(m, outer) ? MW_BY_IMPORT : MW_BY_CALL;
}

static bool is_hook(const char *name)
{
	static const char *const hooks[] = {
	        "read",  "readinto", "readline",        "seek",      "tell", "peek", "readinto1",
	        "read1", "readall",  "persistent_load", "find_class"};

	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
		if (!strcmp(hooks[i], name))
			return true;
	return false;
}

/* The program's own file object and hooks, that the unpickler calls and the stream did not; of
 * torch.load() whatever it calls besides its unpickler. */
static bool is_loader(const struct mw_daemon_matter *m)
{
	const struct mw_daemon_frame *root = &m->frame[m->own - 1];
	bool hook = is_hook(root->function) && !mw_daemon_fetched(m, root->function);
	/* Inside of another load it would be called with what that one likes. */
	bool torchs = m->depth == 1 && mw_daemon_is_torch_at_work(m);

	return m->load && (hook || torchs) && mw_daemon_trusts(m, root->file) &&
	       !m->globals.makes_code;
}

/* torch.load(mmap=True) opens what it reads once more, for writing where it is told to share. */
static bool maps_artifact(const struct mw_daemon_matter *m)
{
	const char *file = m->effect.file;

	return m->effect.class == MW_WRITE && file && m->artifact[0] &&
	       !strcmp(file, m->artifact) && !m->globals.makes_code &&
	       mw_daemon_is_torch_at_work(m);
}

static void note_setstate(struct mw_daemon_matter *m)
{
	const struct mw_daemon_frame *root = &m->frame[m->own - 1];

	if (m->load && !strcmp(root->function, "__setstate__") &&
	    !mw_daemon_fetched(m, root->function) && mw_daemon_trusts(m, root->file))
		m->effect.facts |= MW_FACT_SETSTATE;
}

static enum mw_cause python_cause(struct mw_daemon_matter *m)
{
	uint32_t outer = outermost_import(m);

	/* Deep below an import, where the stack is cut, it is one all the same. */
	if (outer < m->own && (m->whole || !m->globals.makes_code))
		return import_cause(m, outer);
	if (!m->whole)
		return MW_BY_UNKNOWN;
	if (!m->own)
		return maps_artifact(m) ? MW_BY_LOADER : MW_BY_CALL;
	if (is_loader(m))
		return MW_BY_LOADER;
	note_setstate(m);
	return MW_BY_CALL;
}

/* Nothing but the unpickler stands between the stream and the function at work, which does what the
 * stream wants. libtorch's own is called by the library, and torch.load() calls what it needs. */
static bool is_called_directly(const struct mw_daemon_matter *m)
{
	return m->load && m->load->entry != MW_K_TORCHSCRIPT && m->whole && !m->own &&
	       !mw_daemon_is_torch_at_work(m);
}

/* Libraries have needs of their own, whoever calls them; rules allow them those. Under an import it
 * is the import that is allowed more, but for the memory of callbacks, which is made once. */
static bool is_library(struct mw_daemon_matter *m, enum mw_cause cause)
{
	bool anonymous = m->effect.class == MW_MAP && m->effect.facts & MW_FACT_ANONYMOUS;

	/* MKL looks its settings up in its process's environment. */
	if (m->effect.class == MW_READ && cause == MW_BY_IMPORT && mw_daemon_by_library(m))
		m->effect.facts |= MW_FACT_LIBRARY;
	if (cause == MW_BY_IMPORT || cause == MW_BY_MACHINERY)
		return anonymous && (mw_daemon_by_library(m) || mw_daemon_by_ffi(m));
	return (cause == MW_BY_CALL || cause == MW_BY_UNKNOWN) && !is_called_directly(m) &&
	       mw_daemon_by_library(m);
}

/* A thread that a load started answers for it: what it imports is told by its whole stack. */
static enum mw_cause cause_in_scope(struct mw_daemon_matter *m)
{
	enum mw_cause cause;

	m->effect.facts |= MW_FACT_SCOPE | MW_FACT_CALLED;
	if (!m->birth || m->birth->cause == MW_BY_UNKNOWN)
		return MW_BY_UNKNOWN; /* the event of its birth was lost, or did not tell */
	m->globals.makes_code |= m->birth->makes_code;
	cause = m->frame_count ? python_cause(m) : MW_BY_CALL;
	if (m->frame_count && is_library(m, cause)) {
		m->effect.facts |= MW_FACT_LIBRARY;
		return MW_BY_NATIVE;
	}
	if (cause == MW_BY_IMPORT || cause == MW_BY_MACHINERY)
		return cause;
	/* What a steered import has started is allowed what the import is. */
	return m->birth->cause == MW_BY_IMPORT ? MW_BY_IMPORT : MW_BY_CALL;
}

enum mw_cause mw_daemon_cause(struct mw_daemon_matter *m)
{
	enum mw_cause cause;

	if (!m->load)
		return cause_in_scope(m);
	if (m->globals.called)
		m->effect.facts |= MW_FACT_CALLED;
	cause = python_cause(m);
	if (is_library(m, cause)) {
		m->effect.facts |= MW_FACT_LIBRARY;
		cause = MW_BY_NATIVE;
	}
	/* MKL looks at its environment while it is being imported, too. */
	if (cause == MW_BY_IMPORT && m->effect.class == MW_READ && mw_daemon_by_library(m))
		m->effect.facts |= MW_FACT_LIBRARY;
	return cause;
}
