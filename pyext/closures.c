/* ctypes callbacks. The first one in a process maps executable memory for all of them. */
#include <sys/mman.h>

#include "ext.h"

/* The memory is libffi's own, whose caller is us. */
static void tell_floor(void)
{
	const struct mw_effect effect = {.class = MW_MAP,
	                                 .cause = MW_BY_NATIVE,
	                                 .sensor = MW_LIBC,
	                                 .op = "mmap",
	                                 .number = PROT_READ | PROT_WRITE | PROT_EXEC,
	                                 .facts = MW_FACT_LIBRARY | MW_FACT_ANONYMOUS};
	struct mw_answer answer;

	mw_shim->permit(&effect, &answer);
}

/* Packages make callbacks when they are imported, and libffi proves nothing about who drives it:
 * with the memory mapped beforehand they need none in a load. Nothing but C types of _ctypes is
 * called. */
void mw_warm_closures(void)
{
	PyObject *module = mw_import("_ctypes"), *base = NULL, *type = NULL, *callback = NULL;
	void *outer = mw_enter();

	if (module)
		base = PyObject_GetAttrString(module, "CFuncPtr");
	if (base)
		mw_hook_pointers(base);
	if (base && PyType_Check(base))
		type = PyObject_CallFunction((PyObject *)Py_TYPE(base), "s(O){s:(),s:O,s:i}",
		                             "callback", base, "_argtypes_", "_restype_", Py_None,
		                             "_flags_", 1);
	if (type)
		tell_floor();
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
