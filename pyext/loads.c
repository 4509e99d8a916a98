/* Opening and closing loads. The method tables of _pickle are static C data: changing the function
 * pointer in place catches every spelling there is, names bound earlier and subclasses included.
 * The pure-Python unpicklers get a new code object for their `load`, which keeps the function's
 * identity. */
#include <stdlib.h>
#include <string.h>

#include "ext.h"

static PyCFunction real_method;
static PyCFunction real_load, real_loads;

/* A load lives in the heap: where coroutines copy their stacks away (greenlet), a frame's memory is
 * another's while the load is open. Without memory it lives in the frame all the same. */
static inline struct mw_load *open_load(struct mw_load *room, const char *entry,
                                        PyObject *unpickler, PyObject *file)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_load *load = malloc(sizeof(*load));

	if (!load)
		load = room;
	load->in_frame = load == room;
	load->outer = thread->load;
	load->entry = entry;
	load->unpickler = unpickler;
	load->file = file;
	load->frame = PyEval_GetFrame();
	load->sp = (uintptr_t)mw_stack_pointer();
	load->id = 0;
	load->slot = 0;
	load->depth = load->outer ? load->outer->depth + 1 : 0;
	load->described = load->denied = load->floored = load->importing = false;
	load->pending = load->rebuilds = false;
	/* Whatever the stream around it, or the one that started the thread, has prepared is there.
	 */
	load->called = load->outer ? load->outer->called : thread->scope != 0;
	load->globals = 0;
	load->imports.native = MW_BY_NATIVE;
	load->imports.count = 0;
	load->origin = MW_FROM_FILE;
	load->began = 0;
	load->path[0] = '\0';
	load->start_tell = -1;
	memset(&load->limit, 0, sizeof(load->limit));
	thread->load = load;
	thread->active = 1;
	return load;
}

/* Coroutines may close their loads in any order. */
static void unlink_load(struct mw_thread *thread, const struct mw_load *load)
{
	struct mw_load **at = &thread->load;

	while (*at && *at != load)
		at = &(*at)->outer;
	if (*at)
		*at = load->outer;
}

static inline bool may_run(struct mw_load *load)
{
	if (__builtin_expect(*mw_shim->inventory, 0))
		mw_inventory_open(load);
	return __builtin_expect(!mw_shim->limits, 1) || mw_limit_open(load);
}

static inline PyObject *close_load(struct mw_load *load, PyObject *result)
{
	struct mw_thread *thread = mw_shim->thread();

	if (__builtin_expect(mw_shim->limits != NULL, 0))
		mw_limit_close(load);
	/* The model goes while its load is open: finalizers that came with it are still judged. */
	if (__builtin_expect(load->denied || load->limit.refused ||
	                             (load->slot && mw_shim->denials(load)),
	                     0))
		result = mw_refuse(load, result);
	if (__builtin_expect(load->called || load->pending, 0))
		mw_remember_calls(load);
	if (__builtin_expect(load->floored, 0))
		mw_shim->floor_close(load);
	unlink_load(thread, load);
	if (__builtin_expect(load->began != 0, 0))
		mw_inventory_close(load, !result);
	thread->active = thread->load || thread->scope;
	thread->note.valid = thread->span.valid = false;
	if (!load->in_frame)
		free(load); /* NOLINT(clang-analyzer-unix.Malloc): `room` is in_frame, always */
	return result;
}

/* Where the stream starts. Asking costs a method call, so only files that can be asked are. */
static int64_t position(struct mw_load *load)
{
	void *outer;
	int64_t at;

	outer = mw_enter();
	at = mw_tell(load->file);
	mw_leave(outer);
	return at;
}

static PyObject *method_noargs(PyObject *self, PyObject *unused)
{
	struct mw_load room,
	        *load = open_load(&room, "pickle.Unpickler.load", self, mw_file_of(self));
	load->start_tell = position(load);
	return close_load(load, may_run(load) ? real_method(self, unused) : NULL);
}

static PyObject *method_keywords(PyObject *self, PyTypeObject *type, PyObject *const *args,
                                 size_t n, PyObject *names)
{
	struct mw_load room,
	        *load = open_load(&room, "pickle.Unpickler.load", self, mw_file_of(self));
	load->start_tell = position(load);
	return close_load(load, may_run(load) ? ((mw_method_keywords)(void (*)(void))real_method)(
	                                                self, type, args, n, names)
	                                      : NULL);
}

static PyObject *function_load(PyObject *module, PyObject *const *args, Py_ssize_t n,
                               PyObject *names)
{
	struct mw_load room, *load = open_load(&room, "pickle.load", NULL, n > 0 ? args[0] : NULL);
	load->start_tell = position(load);
	return close_load(load, may_run(load) ? ((mw_keywords)(void (*)(void))real_load)(
	                                                module, args, n, names)
	                                      : NULL);
}

static PyObject *function_loads(PyObject *module, PyObject *const *args, Py_ssize_t n,
                                PyObject *names)
{
	struct mw_load room, *load = open_load(&room, "pickle.loads", NULL, n > 0 ? args[0] : NULL);
	return close_load(load, may_run(load) ? ((mw_keywords)(void (*)(void))real_loads)(
	                                                module, args, n, names)
	                                      : NULL);
}

/* Returns 0 when the definition is the one expected and now leads to `ours`. */
static int swap(PyMethodDef *definition, const char *name, int flags, PyCFunction ours,
                PyCFunction *ret_real)
{
	if (strcmp(definition->ml_name, name) || definition->ml_flags != flags)
		return -1;
	if (definition->ml_meth == ours)
		return 0;
	*ret_real = definition->ml_meth;
	definition->ml_meth = ours;
	return 0;
}

static int swap_function(PyObject *module, const char *name, mw_keywords ours,
                         PyCFunction *ret_real)
{
	PyObject *function = PyObject_GetAttrString(module, name);
	int result = -1;

	if (function && PyCFunction_CheckExact(function))
		result = swap(((struct mw_function_object *)function)->definition, name,
		              MW_KEYWORDS, (PyCFunction)(void (*)(void))ours, ret_real);
	Py_XDECREF(function);
	return result;
}

/* An Unpickler's method takes no arguments up to 3.11, and fast keywords with the class after. */
static int swap_method(PyObject *module)
{
	PyObject *type = PyObject_GetAttrString(module, "Unpickler");
	PyObject *method = type ? PyObject_GetAttrString(type, "load") : NULL;
	PyMethodDef *definition;
	int result = -1;

	if (method && !strcmp(mw_code_text((PyCodeObject *)Py_TYPE(method), "__name__"),
	                      "method_descriptor")) {
		definition = ((struct mw_method_object *)method)->definition;
		result = swap(definition, "load", MW_NOARGS, method_noargs, &real_method);
		if (result < 0)
			result = swap(definition, "load", MW_METHOD_KEYWORDS,
			              (PyCFunction)(void (*)(void))method_keywords, &real_method);
	}
	Py_XDECREF(method);
	Py_XDECREF(type);
	return result;
}

static int hook_native(PyObject *module)
{
	int method = swap_method(module);
	int load = swap_function(module, "load", function_load, &real_load);
	int loads = swap_function(module, "loads", function_loads, &real_loads);

	PyErr_Clear();
	return method | load | loads;
}

/* A pure-Python unpickler: `original` is its load as a function of its own. */
struct pure {
	PyObject *original;
	const char *entry;
	PyMethodDef definition;
};

static PyObject *pure_file(PyObject *unpickler)
{
	PyObject *file = mw_file_of_reader(unpickler, "_file_read");

	return file ? file : mw_file_of_reader(unpickler, "read");
}

static PyObject *pure_load(PyObject *capsule, PyObject *self)
{
	struct pure *pure = PyCapsule_GetPointer(capsule, NULL);
	struct mw_load room, *load = open_load(&room, pure->entry, self, NULL);
	void *outer;

	outer = mw_enter();
	load->file = pure_file(self);
	mw_leave(outer);
	load->start_tell = position(load);
	return close_load(load, may_run(load)
	                                ? PyObject_CallFunctionObjArgs(pure->original, self, NULL)
	                                : NULL);
}

/* Compiles `def load(self): ...` with our function among its constants, under the name and place of
 * the original, so that tracebacks and inspection show what they always did. */
static PyObject *trampoline(PyObject *original_code, PyObject *target)
{
	static const char source[] =
	        "def load(self):\n"
	        "    call = 987654321\n"
	        "    return call(self)\n"
	        "code = load.__code__.replace(\n"
	        "    co_consts=tuple(target if c == 987654321 else c\n"
	        "                    for c in load.__code__.co_consts),\n"
	        "    co_filename=original.co_filename, co_name=original.co_name,\n"
	        "    co_firstlineno=original.co_firstlineno)\n";
	PyObject *globals = PyDict_New(), *code = NULL;
	PyObject *module = Py_CompileString(source, "modelwatch", Py_file_input);
	PyObject *done = NULL;

	if (globals && module) {
		PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins());
		PyDict_SetItemString(globals, "target", target);
		PyDict_SetItemString(globals, "original", original_code);
		done = PyEval_EvalCode(module, globals, globals);
	}
	if (done)
		code = PyDict_GetItemString(globals, "code");
	Py_XINCREF(code);
	Py_XDECREF(done);
	Py_XDECREF(module);
	Py_XDECREF(globals);
	return code;
}

/* A function like `function`, with the same code, globals, defaults and closure. */
static PyObject *copy_function(PyObject *function, PyObject *code)
{
	PyObject *globals = PyObject_GetAttrString(function, "__globals__");
	PyObject *name = PyObject_GetAttrString(function, "__name__");
	PyObject *defaults = PyObject_GetAttrString(function, "__defaults__");
	PyObject *closure = PyObject_GetAttrString(function, "__closure__");
	PyObject *copy = NULL;

	if (globals && name && defaults && closure)
		copy = PyObject_CallFunctionObjArgs((PyObject *)Py_TYPE(function), code, globals,
		                                    name, defaults, closure, NULL);
	Py_XDECREF(globals);
	Py_XDECREF(name);
	Py_XDECREF(defaults);
	Py_XDECREF(closure);
	return copy;
}

static int replace_code(PyObject *function, struct pure *pure)
{
	PyObject *code = PyObject_GetAttrString(function, "__code__");
	PyObject *capsule = NULL, *target = NULL, *replacement = NULL;
	int result = -1;

	pure->original = code ? copy_function(function, code) : NULL;
	pure->definition = (PyMethodDef){"load", pure_load, METH_O, NULL};
	if (pure->original)
		capsule = PyCapsule_New(pure, NULL, NULL);
	if (capsule)
		target = PyCFunction_New(&pure->definition, capsule);
	if (target)
		replacement = trampoline(code, target);
	if (replacement)
		result = PyObject_SetAttrString(function, "__code__", replacement);
	Py_XDECREF(replacement);
	Py_XDECREF(target);
	Py_XDECREF(capsule);
	Py_XDECREF(code);
	PyErr_Clear();
	return result;
}

static int hook_pure(PyObject *module, const char *class, struct pure *pure)
{
	PyObject *type = PyObject_GetAttrString(module, class);
	PyObject *function = type ? PyObject_GetAttrString(type, "load") : NULL;
	int result = -1;

	if (pure->original)
		result = 0;
	else if (function) {
		mw_stack_add_machinery(type);
		result = replace_code(function, pure);
		mw_stack_add_machinery(type);
	}
	Py_XDECREF(function);
	Py_XDECREF(type);
	PyErr_Clear();
	return result;
}

static struct pure pickle_pure = {.entry = "pickle._Unpickler.load"};
static struct pure torch_pure = {.entry = "torch.load"};

/* Imports the module here and now, before the import that asked for it goes on and finds it done,
 * and hooks it. Nothing is changed in a module that does not look as expected. */
int mw_hook_pickle(const char *name)
{
	PyObject *module = mw_import(name);
	int result = -1;

	if (!module) {
		PyErr_Clear(); /* the real import fails with the same error */
		return -1;
	}
	if (!strcmp(name, "_pickle"))
		result = hook_native(module);
	else if (!strcmp(name, "pickle"))
		result = hook_pure(module, "_Unpickler", &pickle_pure);
	else if (!strcmp(name, "torch._weights_only_unpickler"))
		result = hook_pure(module, "Unpickler", &torch_pure);
	Py_DECREF(module);
	return result;
}
