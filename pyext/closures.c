/* ctypes callbacks. The first one in a process maps executable memory for all of them. */
#include "ext.h"

/* Packages make callbacks when they are imported, and libffi proves nothing about who drives it:
 * with the memory mapped beforehand they need none in a load. Nothing but C types of _ctypes is
 * called. */
void mw_warm_closures(void)
{
	PyObject *module = mw_import("_ctypes"), *base = NULL, *type = NULL, *callback = NULL;
	void *outer = mw_enter();

	if (module)
		base = PyObject_GetAttrString(module, "CFuncPtr");
	if (base && PyType_Check(base))
		type = PyObject_CallFunction((PyObject *)Py_TYPE(base), "s(O){s:(),s:O,s:i}",
		                             "callback", base, "_argtypes_", "_restype_", Py_None,
		                             "_flags_", 1);
	if (type)
		callback = PyObject_CallFunctionObjArgs(type, (PyObject *)&PyBaseObject_Type, NULL);
	Py_XDECREF(callback);
	Py_XDECREF(type);
	Py_XDECREF(base);
	PyErr_Clear();
	mw_leave(outer);
	Py_XDECREF(module);
	PyErr_Clear();
}
