/* Every difference between CPython versions that the extension has to know, in one file.
 *
 * Built once against the limited API of 3.9 and loaded by 3.9 to 3.13. What the limited API does
 * not have is declared here: as weak symbols where the function exists in all of them, and as
 * mirrors of the few public structures whose layout has not moved (Include/methodobject.h and
 * Include/cpython/descrobject.h of 3.9 to 3.13; free-threaded builds differ and are refused). */
#ifndef MW_PYEXT_COMPAT_H
#define MW_PYEXT_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Public since 3.9, limited only later or never. New references. */
extern PyFrameObject *PyFrame_GetBack(PyFrameObject *frame) __attribute__((weak));
extern PyCodeObject *PyFrame_GetCode(PyFrameObject *frame) __attribute__((weak));
extern const char *PyUnicode_AsUTF8AndSize(PyObject *text, Py_ssize_t *size);

/* Limited and public from 3.10 on. */
extern int PyGC_Disable(void) __attribute__((weak));
extern int PyGC_Enable(void) __attribute__((weak));

extern PyObject *PyObject_GenericGetDict(PyObject *object, void *unused);

/* The buffer interface: in the limited API only from 3.11, the same structure since 3.0. */
#if Py_LIMITED_API + 0 < 0x030b0000
typedef struct {
	void *buf;
	PyObject *obj;
	Py_ssize_t len, itemsize;
	int readonly, ndim;
	char *format;
	Py_ssize_t *shape, *strides, *suboffsets;
	void *internal;
} Py_buffer;
#define PyBUF_SIMPLE 0
extern int PyObject_GetBuffer(PyObject *object, Py_buffer *view, int flags);
extern void PyBuffer_Release(Py_buffer *view);
#endif

/* PyCFunctionObject and PyMethodDescrObject up to their method definition. */
struct mw_function_object {
	PyObject_HEAD PyMethodDef *definition;
};

/* PyMethodObject (Include/cpython/classobject.h) up to its self. */
struct mw_bound_object {
	PyObject_HEAD PyObject *function, *self;
};

struct mw_method_object {
	PyObject_HEAD PyTypeObject *type;
	PyObject *name, *qualname;
	PyMethodDef *definition;
};

/* PyWrapperDescrObject, with which a class hands a slot on to the classes below it. */
struct mw_wrapper_object {
	PyObject_HEAD PyTypeObject *type;
	PyObject *name, *qualname;
	void *base, *wrapped;
};

/* PyTypeObject up to tp_traverse: PyType_GetSlot() refuses static types before 3.10, and the
 * unpickler is one there; and no function changes a slot. */
struct mw_type_object {
	PyVarObject head;
	void *before[13]; /* tp_name to tp_hash */
	ternaryfunc call;
	void *between[6]; /* tp_str to tp_doc */
	traverseproc traverse;
};

/* Calling conventions of the three unpickler entry points. */
#define MW_NOARGS METH_NOARGS
#define MW_KEYWORDS (METH_FASTCALL | METH_KEYWORDS)
#define MW_METHOD_KEYWORDS (METH_METHOD | METH_FASTCALL | METH_KEYWORDS)
#ifndef METH_METHOD
#define METH_METHOD 0x0200
#endif
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif

typedef PyObject *(*mw_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
typedef PyObject *(*mw_method_keywords)(PyObject *, PyTypeObject *, PyObject *const *, size_t,
                                        PyObject *);

#endif
