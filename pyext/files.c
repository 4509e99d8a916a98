/* File objects. Only objects of exactly the standard library's own C types are asked: a method of
 * any other one is somebody else's code, which would run unseen. */
#include <string.h>

#include "ext.h"

static PyTypeObject *bytes_io, *buffered_reader, *buffered_random, *file_io, *bound_method;

/* The type of a Python function bound to an object, from any such method that is there. */
static int find_bound_method(void)
{
	PyObject *importer = PyDict_GetItemString(PyImport_GetModuleDict(), "_frozen_importlib");
	PyObject *class = importer ? PyObject_GetAttrString(importer, "BuiltinImporter") : NULL;
	PyObject *method = class ? PyObject_GetAttrString(class, "find_spec") : NULL;

	if (method) {
		bound_method = Py_TYPE(method);
		Py_INCREF((PyObject *)bound_method);
	}
	Py_XDECREF(method);
	Py_XDECREF(class);
	return bound_method ? 0 : -1;
}

int mw_files_init(void)
{
	PyObject *io = PyDict_GetItemString(PyImport_GetModuleDict(), "_io");

	if (!io)
		return -1;
	bytes_io = (PyTypeObject *)PyObject_GetAttrString(io, "BytesIO");
	buffered_reader = (PyTypeObject *)PyObject_GetAttrString(io, "BufferedReader");
	buffered_random = (PyTypeObject *)PyObject_GetAttrString(io, "BufferedRandom");
	file_io = (PyTypeObject *)PyObject_GetAttrString(io, "FileIO");
	if (!bytes_io || !buffered_reader || !buffered_random || !file_io)
		return -1;
	return find_bound_method();
}

bool mw_is_bytes_io(PyObject *file)
{
	return Py_TYPE(file) == bytes_io;
}

/* What a buffered reader, or an object of a class made from it, reads from: borrowed from it, or
 * NULL. The member of the C type is read, whatever such a class calls `raw`. */
static PyObject *raw_of(PyObject *file)
{
	PyTypeObject *type = PyType_IsSubtype(Py_TYPE(file), buffered_reader)   ? buffered_reader
	                     : PyType_IsSubtype(Py_TYPE(file), buffered_random) ? buffered_random
	                                                                        : NULL;
	PyObject *member = type ? PyObject_GetAttrString((PyObject *)type, "raw") : NULL;
	PyObject *raw = member ? PyObject_CallMethod(member, "__get__", "O", file) : NULL;

	Py_XDECREF(raw);
	Py_XDECREF(member);
	PyErr_Clear();
	return raw;
}

bool mw_has_descriptor(PyObject *file)
{
	bool buffered = Py_TYPE(file) == buffered_reader || Py_TYPE(file) == buffered_random;
	PyObject *raw = buffered ? raw_of(file) : file;

	return raw && Py_TYPE(raw) == file_io;
}

static int64_t ask(PyObject *file, const char *method)
{
	PyObject *value = PyObject_CallMethod(file, method, NULL);
	int64_t number = value ? PyLong_AsLongLong(value) : -1;

	Py_XDECREF(value);
	PyErr_Clear();
	return number;
}

int mw_descriptor(PyObject *file)
{
	return (int)ask(file, "fileno");
}

int64_t mw_tell(PyObject *file)
{
	if (!file || (!mw_is_bytes_io(file) && !mw_has_descriptor(file)))
		return -1;
	return ask(file, "tell");
}

PyObject *mw_own_value(PyObject *object, const char *name)
{
	PyObject *dict = PyObject_GenericGetDict(object, NULL);
	PyObject *value = dict && PyDict_CheckExact(dict) ? PyDict_GetItemString(dict, name) : NULL;

	Py_XDECREF(dict);
	PyErr_Clear();
	return value;
}

/* gzip, bz2, lzma, zipfile, tarfile and joblib keep the file they unpack under these names, and
 * tarfile the place of the member in it. */
PyObject *mw_wrapped_file(PyObject *file, uint64_t *ret_start)
{
	static const char *const names[] = {"fileobj", "_fp", "_fileobj", "_file", "fp", "raw"};

	for (int depth = 0; file && depth < 6; depth++) {
		PyObject *inner = raw_of(file), *offset;

		if (mw_has_descriptor(file))
			return file;
		offset = inner ? NULL : mw_own_value(file, "offset");
		if (offset && PyLong_CheckExact(offset))
			*ret_start = PyLong_AsUnsignedLongLong(offset);
		PyErr_Clear();
		for (size_t i = 0; !inner && i < sizeof(names) / sizeof(*names); i++)
			inner = mw_own_value(file, names[i]);
		file = inner;
	}
	return NULL;
}

/* The object that a bound `read` method belongs to: borrowed, or NULL. */
static PyObject *self_of_reader(PyObject *method)
{
	if (PyCFunction_Check(method)) {
		const char *name = ((struct mw_function_object *)method)->definition->ml_name;

		return strncmp(name, "read", 4) ? NULL : PyCFunction_GetSelf(method);
	}
	if (Py_TYPE(method) == bound_method)
		return ((struct mw_bound_object *)method)->self;
	return NULL;
}

/* The Unpickler keeps bound methods of its file and shows them to the garbage collector. It also
 * keeps its own persistent_load, whose self is the unpickler. */
struct search {
	PyObject *unpickler, *found;
};

static int visit_reader(PyObject *object, void *argument)
{
	struct search *search = argument;
	PyObject *self = self_of_reader(object);

	if (!self || self == search->unpickler)
		return 0;
	search->found = self;
	return 1;
}

PyObject *mw_file_of(PyObject *object)
{
	const struct mw_type_object *type = (const struct mw_type_object *)Py_TYPE(object);
	struct search search = {object, NULL};

	if (PyType_GetFlags(Py_TYPE(object)) & Py_TPFLAGS_HAVE_GC && type->traverse)
		type->traverse(object, visit_reader, &search);
	return search.found;
}

PyObject *mw_file_of_reader(PyObject *unpickler, const char *attribute)
{
	PyObject *reader = PyObject_GetAttrString(unpickler, attribute);
	PyObject *file = reader ? self_of_reader(reader) : NULL;

	Py_XDECREF(reader);
	PyErr_Clear();
	return file;
}
