/* The stream fetches a global. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "effects.h"

static int refuse_fetch(const char *name)
{
	struct mw_effect effect = {
	        .class = MW_CODE, .op = "find_class", .target = name, .facts = MW_FACT_DEFERRED};

	return mw_judge_here(&effect);
}

/* Files with a stream that called something, by a hash of their paths: a later stream of the same
 * file finds what that has prepared. Streams without a file are of one kind. Kept by the GIL. */
static uint64_t callers[64];
static unsigned int caller_count;

static uint64_t hash_of(const char *path)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 1099511628211u;
	return h ? h : 1;
}

bool mw_has_called(const struct mw_load *load)
{
	uint64_t hash = hash_of(load->path);

	for (size_t i = 0; i < sizeof(callers) / sizeof(*callers); i++)
		if (callers[i] == hash)
			return load->origin != MW_FROM_SESSION;
	return false;
}

void mw_remember_calls(const struct mw_load *load)
{
	if (!load->described || load->origin == MW_FROM_SESSION || mw_has_called(load))
		return;
	callers[caller_count++ % (sizeof(callers) / sizeof(*callers))] = hash_of(load->path);
}

/* The global before the one that is fetched now has arrived: what could not be told of a module
 * that was not imported yet can be told now. */
static void settle(struct mw_load *load)
{
	char module[MW_GLOBAL_TEXT];
	char *space;

	if (!load->pending)
		return;
	load->pending = false;
	memcpy(module, load->seen[(load->globals - 1) % MW_WIRE_GLOBALS], sizeof(module));
	space = strchr(module, ' ');
	if (space)
		*space = '\0';
	if (!space || mw_classify(module, space + 1) >= MW_OTHER)
		load->called = true;
}

/* Python 2's names, which the unpickler maps before it imports. */
static bool is_old_name(const char *module)
{
	return !strcmp(module, "__builtin__") || !strcmp(module, "copy_reg");
}

/* From here on the floor looks at the thread. Who has asked for the load stays the same while it is
 * open. What other workers of the session send is none of its business. */
static void open_floor(struct mw_load *load)
{
	struct mw_pyframe frames[MW_WIRE_FRAMES];
	uint32_t inside = 0, count = 0;

	mw_describe(load);
	if (load->origin == MW_FROM_SESSION)
		return;
	mw_locate(load);
	if (!load->floored)
		count = mw_stack(load, frames, &inside);
	mw_shim->floor_open(count ? frames + inside : NULL, count - inside);
}

/* The import that would follow at once is done here, with its effects judged as ever: afterwards it
 * is known to be over, and what was fetched can be told by what it is. Returns 0, or -1 with the
 * error that the unpickler would have met. */
static int import_now(struct mw_load *load, const char *module)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *imported;

	if (PyDict_GetItemString(PyImport_GetModuleDict(), module) || is_old_name(module))
		return 0;
	open_floor(load);
	mw_leave(NULL);
	imported = PyImport_ImportModule(module);
	mw_enter();
	load->imports.count = 0;
	load->imports.native = MW_BY_NATIVE;
	load->importing = false;
	thread->note.valid = thread->span.valid = false;
	Py_XDECREF(imported);
	if (!imported && !PyErr_ExceptionMatches(PyExc_ImportError))
		return -1;
	PyErr_Clear();
	return 0;
}

/* "module name", cut to fit. */
static void set_global(char slot[static MW_GLOBAL_TEXT], const char *module, const char *name)
{
	size_t m = strnlen(module, MW_GLOBAL_TEXT - 2);
	size_t n = strnlen(name, MW_GLOBAL_TEXT - 2 - m);

	memcpy(slot, module, m);
	slot[m] = ' ';
	memcpy(slot + m + 1, name, n);
	slot[m + 1 + n] = '\0';
}

int mw_on_find_class(PyObject *args)
{
	struct mw_load *load = mw_shim->thread()->load;
	PyObject *m = mw_argument(args, 0), *n = mw_argument(args, 1);
	const char *module = m && PyUnicode_Check(m) ? PyUnicode_AsUTF8AndSize(m, NULL) : NULL;
	const char *name = n && PyUnicode_Check(n) ? PyUnicode_AsUTF8AndSize(n, NULL) : NULL;
	char dotted[2 * MW_GLOBAL_TEXT];
	enum mw_global kind;

	PyErr_Clear();
	if (!load || !module || !name)
		return 0;
	if (!load->globals)
		load->imports.since = time(NULL);
	settle(load);
	set_global(load->seen[load->globals++ % MW_WIRE_GLOBALS], module, name);
	kind = mw_classify(module, name);
	if (kind != MW_CLASS && kind != MW_MAKER && import_now(load, module) < 0)
		return -1;
	if (kind == MW_OTHER)
		kind = mw_classify(module, name); /* a class can be told from a function now */
	if (kind == MW_OTHER)
		kind = mw_classify_object(module, name); /* whatever name it has here */
	load->pending = kind >= MW_OTHER;
	if (kind <= MW_CLASS)
		return 0;
	open_floor(load);
	load->rebuilds |= kind == MW_REBUILDS;
	if (load->origin == MW_FROM_SESSION)
		return 0;
	if (kind < MW_EFFECTFUL)
		return 0;
	snprintf(dotted, sizeof(dotted), "%s.%s", module, name);
	if (kind == MW_NEVER || !mw_shim->only_called())
		return refuse_fetch(dotted);
	return 0;
}
