/* What the names that a stream fetches stand for. Two sorted lists: the plain rebuilders, which
 * only build the value they are named after, and the directly effectful callables. */
#include <stdlib.h>
#include <string.h>

#include "ext.h"

/* Modules all of whose callables have effects: nothing in them is data. */
static const char *const effectful_modules[] = {
        "_interpreters",
        "_posixsubprocess",
        "_pyrepl",
        "_socket",
        "_xxsubinterpreters",
        "asyncio",
        "bdb",
        "cProfile",
        "code",
        "codeop",
        "commands",
        "distutils.spawn",
        "doctest",
        "ensurepip",
        "ftplib",
        "http.client",
        "http.server",
        "idlelib",
        "imaplib",
        "multiprocessing.util",
        "numpy.distutils",
        "pdb",
        "pip",
        "poplib",
        "profile",
        "pty",
        "pydoc",
        "runpy",
        "smtplib",
        "socket",
        "subprocess",
        "telnetlib",
        "timeit",
        "torch.utils.bottleneck",
        "torch.utils.collect_env",
        "trace",
        "urllib.request",
        "venv",
        "webbrowser",
        "xmlrpc",
};

/* "module name", sorted. `os` and its platform twin are one list. */
static const char *const effectful[] = {
        "__builtin__ compile",
        "__builtin__ eval",
        "__builtin__ exec",
        "__builtin__ execfile",
        "_ctypes call_cdeclfunction",
        "_ctypes call_function",
        "_ctypes dlopen",
        "_ctypes dlsym",
        "_io FileIO",
        "_io open",
        "_io open_code",
        "builtins breakpoint",
        "builtins compile",
        "builtins eval",
        "builtins exec",
        "builtins open",
        "ctypes CDLL",
        "ctypes CFUNCTYPE",
        "ctypes PYFUNCTYPE",
        "ctypes PyDLL",
        "ctypes cast",
        "ctypes cdll",
        "ctypes memmove",
        "ctypes memset",
        "ctypes pydll",
        "ctypes pythonapi",
        "ctypes string_at",
        "importlib import_module",
        "io FileIO",
        "io open",
        "marshal load",
        "marshal loads",
        "os _exit",
        "os abort",
        "os chmod",
        "os chown",
        "os execl",
        "os execle",
        "os execlp",
        "os execlpe",
        "os execv",
        "os execve",
        "os execvp",
        "os execvpe",
        "os fork",
        "os forkpty",
        "os kill",
        "os killpg",
        "os link",
        "os makedirs",
        "os mkdir",
        "os mkfifo",
        "os mknod",
        "os open",
        "os popen",
        "os posix_spawn",
        "os posix_spawnp",
        "os putenv",
        "os remove",
        "os removedirs",
        "os rename",
        "os renames",
        "os replace",
        "os rmdir",
        "os spawnl",
        "os spawnle",
        "os spawnlp",
        "os spawnlpe",
        "os spawnv",
        "os spawnve",
        "os spawnvp",
        "os spawnvpe",
        "os symlink",
        "os system",
        "os truncate",
        "os unlink",
        "os write",
        "shutil chown",
        "shutil copy",
        "shutil copy2",
        "shutil copyfile",
        "shutil copytree",
        "shutil move",
        "shutil rmtree",
        "shutil unpack_archive",
        "sys addaudithook",
        "sys setprofile",
        "sys settrace",
        "types CodeType",
        "types FunctionType",
};

/* Effects of their own that no lower sensor sees: whatever the stream does with them, they plant
 * something that acts later. */
static const char *const never[] = {
        "_codecs register",
        "_codecs register_error",
        "_signal signal",
        "atexit register",
        "codecs register",
        "codecs register_error",
        "faulthandler register",
        "os register_at_fork",
        "signal signal",
        "sys audit",
        "sys.monitoring register_callback",
        "sys.monitoring set_events",
        "sys.monitoring use_tool_id",
        "threading _register_atexit",
        "threading setprofile",
        "threading setprofile_all_threads",
        "threading settrace",
        "threading settrace_all_threads",
        "weakref finalize",
};

static const char *const rebuilders[] = {
        "cloudpickle.cloudpickle",
        "cloudpickle.cloudpickle_fast",
        "dill._dill",
        "joblib.externals.cloudpickle.cloudpickle",
        "numba.cloudpickle",
        "pyspark.cloudpickle",
        "ray.cloudpickle",
        "srsly.cloudpickle",
};

/* Build the value they are named after, and nothing else. */
static const char *const plain[] = {
        "__builtin__ bytearray",
        "__builtin__ complex",
        "__builtin__ frozenset",
        "__builtin__ list",
        "__builtin__ object",
        "__builtin__ set",
        "__builtin__ slice",
        "_codecs encode",
        "array _array_reconstructor",
        "builtins bytearray",
        "builtins complex",
        "builtins frozenset",
        "builtins list",
        "builtins object",
        "builtins range",
        "builtins set",
        "builtins slice",
        "collections Counter",
        "collections OrderedDict",
        "collections defaultdict",
        "collections deque",
        "copy_reg __newobj__",
        "copy_reg _reconstructor",
        "copyreg __newobj__",
        "copyreg _reconstructor",
        "datetime date",
        "datetime datetime",
        "datetime time",
        "datetime timedelta",
        "datetime timezone",
        "decimal Decimal",
        "fractions Fraction",
        "numpy dtype",
        "numpy ndarray",
        "numpy._core.multiarray _reconstruct",
        "numpy._core.multiarray scalar",
        "numpy._core.numeric _frombuffer",
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar",
        "numpy.core.numeric _frombuffer",
        "pathlib PosixPath",
        "torch Size",
        "torch device",
        "torch._tensor _rebuild_from_type_v2",
        "torch._utils _rebuild_device_tensor_from_numpy",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_qtensor",
        "torch._utils _rebuild_sparse_tensor",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_tensor_v3",
        "torch.serialization _get_layout",
        "uuid UUID",
};

static int compare(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

#define LISTED(key, list)                                                                          \
	(bsearch(key, list, sizeof(list) / sizeof(*(list)), sizeof(*(list)), compare) != NULL)

static bool in_modules(const char *module, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list[i]);

		if (!strncmp(module, list[i], len) && (!module[len] || module[len] == '.'))
			return true;
	}
	return false;
}

#define IN_MODULES(module, list) in_modules(module, list, sizeof(list) / sizeof(*(list)))

/* Names of the platform module and of its alias are the same functions. */
static const char *canonical(const char *module)
{
	return !strcmp(module, "posix") || !strcmp(module, "nt") ? "os" : module;
}

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

static bool make_key(char key[static MW_GLOBAL_TEXT], const char *module, const char *name)
{
	size_t m, n = strlen(name);

	module = canonical(module);
	m = strlen(module);
	if (m + n + 2 > MW_GLOBAL_TEXT)
		return false;
	memcpy(key, module, m);
	key[m] = ' ';
	memcpy(key + m + 1, name, n + 1);
	return true;
}

static enum mw_global listed(const char *module, const char *key)
{
	if (LISTED(key, plain))
		return MW_PLAIN;
	if (LISTED(key, never))
		return MW_NEVER;
	if (LISTED(key, effectful) || IN_MODULES(module, effectful_modules))
		return MW_EFFECTFUL;
	if (IN_MODULES(module, rebuilders))
		return MW_REBUILDS;
	return MW_OTHER;
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
	if (m && n && make_key(key, m, n))
		kind = listed(m, key);
	Py_XDECREF(own);
	Py_XDECREF(title);
	PyErr_Clear();
	return kind;
}

static enum mw_global classify(const char *module, const char *name, const char *key)
{
	enum mw_global kind = listed(module, key), class;

	if (kind != MW_OTHER || (class = class_of(module, name)) == MW_OTHER)
		return kind;
	kind = mw_classify_object(module, name);
	return kind > MW_OTHER ? kind : class;
}

enum mw_global mw_classify(const char *module, const char *name)
{
	char key[MW_GLOBAL_TEXT];
	uint64_t slot;

	if (!make_key(key, module, name))
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
