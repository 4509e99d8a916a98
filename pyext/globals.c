/* What the names that a stream fetches stand for, by the lists of core/ and by the objects behind
 * them. */
#include <stdlib.h>
#include <string.h>

#include "ext.h"

#define IN_MODULES(module, list) mw_in_modules(module, list, sizeof(list) / sizeof(*(list)))

/* object's own __new__, as every class without another has it. */
static void *plain_new(void)
{
	static void *found;
	PyObject *type =
	        found ? NULL : PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "x");

	if (type)
		found = PyType_GetSlot((PyTypeObject *)type, Py_tp_new);
	Py_XDECREF(type);
	PyErr_Clear();
	return found;
}

/* Whether it, or a class that it is derived from, takes its state itself. Its metaclass is type, so
 * nothing of the job's runs. */
static bool takes_state(PyObject *class)
{
	PyObject *order = PyObject_GetAttrString(class, "__mro__");
	bool found = false;

	for (Py_ssize_t i = 0; order && PyTuple_Check(order) && i < PyTuple_Size(order); i++) {
		PyObject *dict = PyObject_GetAttrString(PyTuple_GetItem(order, i), "__dict__");

		found |= dict && PyMapping_HasKeyString(dict, "__setstate__");
		Py_XDECREF(dict);
	}
	Py_XDECREF(order);
	PyErr_Clear();
	return found;
}

static bool makes_itself(PyObject *class)
{
	PyTypeObject *type = (PyTypeObject *)class;

	return !(PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE) ||
	       PyType_GetSlot(type, Py_tp_new) != plain_new() || Py_TYPE(class) != &PyType_Type ||
	       takes_state(class);
}

/* A class of a module that is already there builds an instance of itself: no more than its own
 * __setstate__ does, which is judged when it acts. Looked up without running any code. MW_OTHER
 * where there is no such class. */
static enum mw_global class_of(const char *module, const char *name)
{
	static const char *const wrappers[] = {"functools",  "operator",  "types",   "_operator",
	                                       "_functools", "itertools", "weakref", "builtins"};
	PyObject *object = PyDict_GetItemString(PyImport_GetModuleDict(), module);
	PyObject *dict = object && PyModule_CheckExact(object) ? PyModule_GetDict(object) : NULL;
	PyObject *value = dict ? PyDict_GetItemString(dict, name) : NULL;

	if (!value || !PyType_Check(value) || IN_MODULES(module, wrappers))
		return MW_OTHER;
	return makes_itself(value) ? MW_MAKER : MW_CLASS;
}

/* A training job loads the same classes over and over. What is not known to be harmless is asked
 * again every time: its module may have been imported meanwhile. */
static struct {
	char key[MW_GLOBAL_TEXT];
	enum mw_global kind;
} known[128];

/* A dotted name leads through modules and classes; nothing else is entered, so no code runs. */
static PyObject *resolve(const char *module, const char *name)
{
	PyObject *at = PyDict_GetItemString(PyImport_GetModuleDict(), module);
	char part[MW_GLOBAL_TEXT];

	while (at && *name) {
		size_t len = strcspn(name, ".");
		PyObject *dict = NULL, *next = NULL;

		if (len >= sizeof(part))
			return NULL;
		memcpy(part, name, len);
		part[len] = '\0';
		name += len + (name[len] == '.');
		if (PyModule_Check(at))
			next = PyDict_GetItemString(PyModule_GetDict(at), part);
		else if (PyType_Check(at) && (dict = PyObject_GetAttrString(at, "__dict__")))
			next = PyMapping_GetItemString(dict, part);
		if (dict) {
			Py_XDECREF(next); /* the class keeps it */
			Py_DECREF(dict);
		}
		PyErr_Clear();
		at = next;
	}
	return at;
}

enum mw_global mw_classify_object(const char *module, const char *name)
{
	PyObject *object = resolve(module, name), *own = NULL, *title = NULL;
	char key[MW_GLOBAL_TEXT];
	const char *m, *n;
	enum mw_global kind = MW_OTHER;

	if (!object || !(PyType_Check(object) || PyCFunction_Check(object) ||
	                 PyObject_HasAttrString(object, "__code__")))
		return MW_OTHER;
	own = PyObject_GetAttrString(object, "__module__");
	title = PyObject_GetAttrString(object, "__qualname__");
	m = own && PyUnicode_Check(own) ? PyUnicode_AsUTF8AndSize(own, NULL) : NULL;
	n = title && PyUnicode_Check(title) ? PyUnicode_AsUTF8AndSize(title, NULL) : NULL;
	if (m && n && mw_global_key(m, n, key))
		kind = mw_global_listed(m, key);
	Py_XDECREF(own);
	Py_XDECREF(title);
	PyErr_Clear();
	return kind;
}

static enum mw_global classify(const char *module, const char *name, const char *key)
{
	enum mw_global kind = mw_global_listed(module, key), class;

	if (kind != MW_OTHER || (class = class_of(module, name)) == MW_OTHER)
		return kind;
	kind = mw_classify_object(module, name);
	return kind > MW_OTHER ? kind : class;
}

enum mw_global mw_classify(const char *module, const char *name)
{
	char key[MW_GLOBAL_TEXT];
	uint64_t slot;

	if (!mw_global_key(module, name, key))
		return class_of(module, name);
	slot = mw_name_hash(key) / 2 % (sizeof(known) / sizeof(*known));
	if (!strcmp(known[slot].key, key))
		return known[slot].kind;
	known[slot].kind = classify(module, name, key);
	if (known[slot].kind != MW_OTHER)
		strcpy(known[slot].key, key);
	else
		known[slot].key[0] = '\0';
	return known[slot].kind;
}
