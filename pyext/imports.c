/* The import system at work, as its audit events tell. */
#include <string.h>

#include "effects.h"

struct mw_imports *mw_imports_of(struct mw_thread *thread)
{
	if (thread->load)
		return &thread->load->imports;
	return thread->scope ? &thread->imports : NULL;
}

/* An extension module is about to be loaded by the import system: its library may be mapped, and
 * its initialisation runs native code with the import's own cause. */
static int on_extension(struct mw_thread *thread, const char *name, PyObject *args)
{
	struct mw_seen seen = {
	        .effect = {.class = MW_MAP, .op = "import", .facts = MW_FACT_EXTENSION}};
	const struct mw_audit_event event = {"import", MW_MAP, LIBRARY, false, 0};
	struct mw_answer answer;
	struct mw_walk walk;
	int result;

	mw_walk(thread->load, &walk);
	seen.effect.target = seen.raw = mw_text_of(&seen, mw_argument(args, 1));
	if (!seen.raw)
		return 0;
	if (thread->load)
		mw_describe(thread->load);
	if (mw_is_allowed_extension(thread->load, name, seen.raw, mw_imports_of(thread)->since))
		seen.effect.facts |= MW_FACT_INSTALLED;
	result = mw_judge(&seen.effect, &walk, &answer);
	PyErr_Clear();
	if (result < 0)
		mw_refuse_effect(&seen.effect, &answer);
	else
		mw_announce(&event, &seen, &answer);
	if (seen.effect.facts & MW_FACT_INSTALLED &&
	    (seen.effect.cause == MW_BY_IMPORT || seen.effect.cause == MW_BY_MACHINERY))
		mw_imports_of(thread)->native = MW_BY_IMPORT;
	mw_drop(&seen);
	return result;
}

/* An import is over when its frame has gone, or imports the next module. */
static void note_import(struct mw_thread *thread, const char *name)
{
	struct mw_imports *imports = mw_imports_of(thread);
	void *frame = PyEval_GetFrame(), *base = thread->load ? thread->load->frame : NULL;
	uint32_t n = imports->count;
	struct mw_walk walk;

	if (n)
		mw_walk(thread->load, &walk);
	while (n && (imports->at[n - 1].frame == frame ||
	             (imports->at[n - 1].frame != base &&
	              !mw_is_running(&walk, imports->at[n - 1].frame))))
		n--;
	imports->count = n;
	if (n == MW_IMPORTS)
		return;
	imports->at[n].frame = frame;
	imports->at[n].name = mw_name_hash(name);
	imports->count = n + 1;
}

static bool is_hooked_module(const char *name)
{
	return !strcmp(name, "_pickle") || !strcmp(name, "pickle") ||
	       !strcmp(name, "torch._weights_only_unpickler");
}

/* The module that is being imported for its hooks: its own event is not to hook it once more. */
static __thread const char *hooking;

PyObject *mw_import(const char *name)
{
	struct mw_thread *thread = mw_shim->thread();
	const char *outer = hooking;
	uint32_t busy = thread->busy;
	bool collects = thread->collects;
	void *own = thread->own;
	PyObject *module;

	hooking = name;
	thread->busy = 0;
	thread->own = NULL;
	module = PyImport_ImportModule(name);
	thread->own = own;
	thread->busy = busy;
	thread->collects = collects;
	hooking = outer;
	return module;
}

static void hook(const char *name)
{
	if (!strcmp(name, "modelwatch"))
		mw_provide_module();
	if (is_hooked_module(name))
		mw_hook_pickle(name);
	if (!strcmp(name, "pickle"))
		mw_hook_pickle("_pickle");
	if (is_hooked_module(name))
		mw_hook_planters();
	if (!strcmp(name, "subprocess") || !strcmp(name, "_posixsubprocess"))
		mw_hook_fork_exec();
	if (!strcmp(name, "ctypes") || !strcmp(name, "_ctypes"))
		mw_warm_closures();
	if (!strcmp(name, "_xxsubinterpreters"))
		mw_hook_interpreters();
	if (!strcmp(name, "socket") || !strcmp(name, "_socket"))
		mw_hook_socket();
}

/* Raised by the import statement before it looks for a module, and again with a file name before an
 * extension module is opened. The modules with unpicklers are imported right here: the import that
 * asked finds them done, and no load can come before the hook. */
int mw_on_import(PyObject *args)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *name_object = mw_argument(args, 0);
	const char *name = name_object && PyUnicode_Check(name_object)
	                           ? PyUnicode_AsUTF8AndSize(name_object, NULL)
	                           : NULL;

	PyErr_Clear();
	if (!name)
		return 0;
	if (mw_imports_of(thread) && mw_argument(args, 1) && mw_argument(args, 1) != Py_None)
		return on_extension(thread, name, args);
	if (!hooking || strcmp(name, hooking))
		hook(name);
	if (mw_imports_of(thread))
		note_import(thread,
		            name); /* last: what was imported for a hook has come and gone */
	PyErr_Clear();
	return 0;
}
