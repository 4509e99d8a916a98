/* C functions that are called by address with ctypes, which raises no audit event: whoever can do
 * it could call our own code, to say what only we may say. The call is a slot of the type, so it is
 * changed in place like the unpickler's methods. */
#include <string.h>

#include "ext.h"

static ternaryfunc real_call;

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

/* CDataObject (Modules/_ctypes/ctypes.h) up to the memory that it stands for. */
struct data_object {
	PyObject_HEAD const void **memory;
};

static bool leads_to_us(PyObject *pointer)
{
	const char *code = *((struct data_object *)pointer)->memory;

	return (code >= __ehdr_start && code < etext) || mw_shim->is_own(code);
}

static PyObject *call(PyObject *self, PyObject *args, PyObject *names)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *none;
	int result;

	if (__builtin_expect(!thread->active, 1) || (thread->busy && !thread->own) ||
	    !leads_to_us(self))
		return real_call(self, args, names);
	none = PyTuple_New(0);
	result = none ? mw_event("ctypes.call", none) : -1;
	Py_XDECREF(none);
	return result < 0 ? NULL : real_call(self, args, names);
}

static void swap(PyObject *type)
{
	struct mw_type_object *slots = (struct mw_type_object *)type;

	if (slots->call == real_call)
		slots->call = call;
}

/* What types made later get. */
static void swap_wrapper(PyObject *type)
{
	PyObject *method = PyObject_GetAttrString(type, "__call__");
	struct mw_wrapper_object *wrapper = (struct mw_wrapper_object *)method;

	if (method &&
	    !strcmp(mw_code_text((PyCodeObject *)Py_TYPE(method), "__name__"),
	            "wrapper_descriptor") &&
	    wrapper->wrapped == (void *)real_call)
		wrapper->wrapped = (void *)call;
	Py_XDECREF(method);
	PyErr_Clear();
}

/* Those that are there already have a copy. */
static void swap_below(PyObject *type)
{
	PyObject *list = PyObject_CallMethod(type, "__subclasses__", NULL);

	for (Py_ssize_t i = 0; list && PyList_Check(list) && i < PyList_Size(list); i++) {
		swap(PyList_GetItem(list, i));
		swap_below(PyList_GetItem(list, i));
	}
	Py_XDECREF(list);
	PyErr_Clear();
}

void mw_hook_pointers(PyObject *base)
{
	struct mw_type_object *slots = (struct mw_type_object *)base;

	if (!PyType_Check(base) || slots->call == call || !slots->call)
		return;
	real_call = slots->call;
	swap(base);
	swap_wrapper(base);
	swap_below(base);
}
