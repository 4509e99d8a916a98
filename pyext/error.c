/* How a load with a denied effect ends, and the module `modelwatch` that the job can import. */
#include <stdio.h>
#include <string.h>

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
	if (!PyDict_GetItemString(PyImport_GetModuleDict(), "_pickle"))
		Py_XDECREF(PyImport_ImportModule("_pickle"));
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

/* The module's source lies beside the shim; it is the same file that may be installed for programs
 * that run without modelwatch. Runs it in a fresh module and enters it in sys.modules. */
static PyObject *run_module(void)
{
	char path[600];
	PyObject *name = NULL, *util = PyImport_ImportModule("importlib.util");
	PyObject *spec = NULL, *module = NULL, *loader = NULL, *done = NULL;

	snprintf(path, sizeof(path), "%s/modelwatch.py", mw_shim->directory);
	if (util)
		spec = PyObject_CallMethod(util, "spec_from_file_location", "ss", "modelwatch",
		                           path);
	if (spec && spec != Py_None)
		module = PyObject_CallMethod(util, "module_from_spec", "O", spec);
	if (module)
		loader = PyObject_GetAttrString(spec, "loader");
	if (loader)
		done = PyObject_CallMethod(loader, "exec_module", "O", module);
	if (done)
		name = PyCFunction_New(&status_definition, NULL);
	if (name && !PyObject_SetAttrString(module, "status", name))
		PyDict_SetItemString(PyImport_GetModuleDict(), "modelwatch", module);
	Py_XDECREF(name);
	Py_XDECREF(done);
	Py_XDECREF(loader);
	Py_XDECREF(module);
	Py_XDECREF(spec);
	Py_XDECREF(util);
	return PyDict_GetItemString(PyImport_GetModuleDict(), "modelwatch");
}

/* The type of the exception, kept from the first time on: what the job does to the module later
 * changes nothing. */
static PyObject *unsafe;

int mw_provide_module(void)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "modelwatch");

	if (unsafe && module)
		return 0;
	module = run_module();
	if (module && !unsafe)
		unsafe = PyObject_GetAttrString(module, "UnsafeLoadError");
	PyErr_Clear();
	return unsafe ? 0 : -1;
}

/* New reference. Without the module's file (a broken installation, a poisoned import system) the
 * type is made here. */
static PyObject *error_type(void)
{
	if (!unsafe)
		mw_provide_module();
	if (!unsafe || !PyType_Check(unsafe))
		unsafe = PyErr_NewException("modelwatch.UnsafeLoadError", NULL, NULL);
	PyErr_Clear();
	Py_XINCREF(unsafe);
	if (unsafe)
		return unsafe;
	Py_INCREF(PyExc_RuntimeError);
	return PyExc_RuntimeError;
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
