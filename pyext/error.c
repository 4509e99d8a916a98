/* How a load with a denied effect ends, and the module `modelwatch` that the job can import. */
#include "ext.h"

static int unpickler_hooked(void)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "_pickle");

	return module ? mw_hook_pickle("_pickle") : 1;
}

static PyObject *status(PyObject *self, PyObject *unused)
{
	struct mw_thread *thread = mw_shim->thread();
	int hooked;

	(void)self;
	(void)unused;
	thread->busy++;
	Py_XDECREF(mw_import("_pickle"));
	PyErr_Clear();
	hooked = unpickler_hooked();
	thread->busy--;
	return Py_BuildValue("{s:O,s:O,s:s,s:s}", "shim", Py_True, "audit", Py_True, "unpickler",
	                     hooked == 0 ? "hooked"
	                                 : "degraded: the method table of _pickle is not known",
	                     "version", mw_shim->version);
}

static PyMethodDef status_definition = {"status", status, METH_NOARGS,
                                        "What of modelwatch is live in this interpreter."};

/* The type of the exception, kept from the first time on: what the job does to the module later
 * changes nothing. */
static PyObject *unsafe;

/* The module is made without a line of Python: what a payload has done to the import system does
 * not matter. The file beside the shim is the same thing for programs that run without modelwatch.
 */
static PyObject *make_module(void)
{
	PyObject *module = PyModule_New("modelwatch");
	PyObject *function = PyCFunction_New(&status_definition, NULL);
	PyObject *file = PyUnicode_FromFormat("%s/modelwatch.py", mw_shim->directory);

	if (!unsafe)
		unsafe = PyErr_NewExceptionWithDoc(
		        "modelwatch.UnsafeLoadError",
		        "A load was stopped because the model file tried to do more than hold "
		        "data.\n\nThe one argument is a sentence: what was tried, by which call in "
		        "which file, and the alert's id.",
		        NULL, NULL);
	if (module && function && file && unsafe &&
	    (PyObject_SetAttrString(module, "UnsafeLoadError", unsafe) < 0 ||
	     PyObject_SetAttrString(module, "status", function) < 0 ||
	     PyObject_SetAttrString(module, "__file__", file) < 0))
		PyErr_Clear();
	Py_XDECREF(file);
	Py_XDECREF(function);
	return module;
}

int mw_provide_module(void)
{
	PyObject *modules = PyImport_GetModuleDict(), *module;

	if (unsafe && PyDict_GetItemString(modules, "modelwatch"))
		return 0;
	module = make_module();
	if (module)
		PyDict_SetItemString(modules, "modelwatch", module);
	Py_XDECREF(module);
	PyErr_Clear();
	return unsafe ? 0 : -1;
}

static PyObject *error_type(void)
{
	PyObject *type;

	if (!unsafe)
		mw_provide_module();
	type = unsafe ? unsafe : PyExc_RuntimeError;
	Py_INCREF(type);
	return type;
}

/* The error indicator as one exception object, cleared; NULL when there was none. */
static PyObject *pending(void)
{
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	if (!type)
		return NULL;
	PyErr_NormalizeException(&type, &value, &traceback);
	if (traceback)
		PyException_SetTraceback(value, traceback);
	Py_XDECREF(type);
	Py_XDECREF(traceback);
	return value;
}

PyObject *mw_refuse(struct mw_load *load, PyObject *result)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *before, *type, *error;
	void *outer;

	before = result ? NULL : pending();
	thread->busy++;
	type = error_type();
	thread->busy--;
	Py_XDECREF(result);
	outer = mw_enter();
	if (before && PyErr_GivenExceptionMatches(before, type)) {
		PyErr_SetObject(type, before); /* an inner load ended so already */
	} else {
		if (!load->denied)
			mw_shim->ask_why();
		error = PyObject_CallFunction(type, "s", thread->why);
		if (error && before) {
			Py_INCREF(before);
			PyException_SetContext(error, before);
			Py_INCREF(before);
			PyException_SetCause(error, before);
		}
		if (error)
			PyErr_SetObject(type, error);
		Py_XDECREF(error);
	}
	if (!PyErr_Occurred())
		PyErr_SetString(PyExc_RuntimeError, "unsafe load stopped by modelwatch");
	Py_XDECREF(before);
	Py_DECREF(type);
	mw_leave(outer);
	return NULL;
}
