/* Functions that raise no audit event in some or all versions, and whose use in a load matters.
 * Their method definitions are static C data like the unpickler's; each gets a trampoline that
 * tells the Python sensor and then calls on. */
#include <string.h>

#include "ext.h"

struct silent {
	const char *module, *type, *name, *event;
	PyCFunction real;
};

enum {
	START_NEW_THREAD,
	START_NEW,
	AUDIT,
	SEND,
	SENDALL,
	FORK_EXEC,
	REGISTER,
	SIGNAL,
	CREATE,
	SILENT_COUNT
};

static struct silent silent[SILENT_COUNT] = {
        [START_NEW_THREAD] = {"_thread", NULL, "start_new_thread", "_thread.start_new_thread",
                              NULL},
        [START_NEW] = {"_thread", NULL, "start_new", "_thread.start_new_thread", NULL},
        [AUDIT] = {"sys", NULL, "audit", NULL, NULL},
        [SEND] = {"_socket", "socket", "send", "socket.send", NULL},
        [SENDALL] = {"_socket", "socket", "sendall", "socket.send", NULL},
        [FORK_EXEC] = {"_posixsubprocess", NULL, "fork_exec", "_posixsubprocess.fork_exec", NULL},
        [REGISTER] = {"atexit", NULL, "register", "atexit.register", NULL},
        [SIGNAL] = {"_signal", NULL, "signal", "signal.signal", NULL},
        [CREATE] = {"_xxsubinterpreters", NULL, "create", "cpython.PyInterpreterState_New", NULL},
};

/* Tells the sensor; the event's arguments are the function's, after the socket for a method. */
static int tell(const struct silent *f, PyObject *first, PyObject *second)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *args;
	int result;

	if (__builtin_expect(!thread->active, 1) || (thread->busy && !thread->own))
		return 0;
	args = PyTuple_Pack(2, first ? first : Py_None, second ? second : Py_None);
	if (!args)
		return -1;
	result = mw_event(f->event, args);
	Py_DECREF(args);
	return result;
}

static PyObject *item(PyObject *args, Py_ssize_t i)
{
	return args && PyTuple_Check(args) && i < PyTuple_Size(args) ? PyTuple_GetItem(args, i)
	                                                             : NULL;
}

#define TRAMPOLINE(id, first, second)                                                              \
	static PyObject *call_##id(PyObject *self, PyObject *args)                                 \
	{                                                                                          \
		return tell(&silent[id], first, second) < 0 ? NULL : silent[id].real(self, args);  \
	}

TRAMPOLINE(START_NEW_THREAD, NULL, NULL)
TRAMPOLINE(START_NEW, NULL, NULL)
TRAMPOLINE(SEND, self, NULL)
TRAMPOLINE(SENDALL, self, NULL)
TRAMPOLINE(FORK_EXEC, item(args, 0), item(args, 1))

typedef PyObject *(*fast_function)(PyObject *, PyObject *const *, Py_ssize_t);

static fast_function fast(int id)
{
	return (fast_function)(void (*)(void))silent[id].real;
}

/* fork_exec takes its arguments so from 3.12 on. */
static PyObject *fast_FORK_EXEC(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	if (tell(&silent[FORK_EXEC], n > 0 ? args[0] : NULL, n > 1 ? args[1] : NULL) < 0)
		return NULL;
	return fast(FORK_EXEC)(self, args, n);
}

static PyObject *call_REGISTER(PyObject *self, PyObject *args, PyObject *names)
{
	if (tell(&silent[REGISTER], NULL, NULL) < 0)
		return NULL;
	return ((PyCFunctionWithKeywords)(void (*)(void))silent[REGISTER].real)(self, args, names);
}

static PyObject *fast_SIGNAL(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	if (tell(&silent[SIGNAL], NULL, NULL) < 0)
		return NULL;
	return fast(SIGNAL)(self, args, n);
}

/* The event comes too late in 3.12, which crashes when it is refused there. */
static PyObject *call_CREATE(PyObject *self, PyObject *args, PyObject *names)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *result;

	if (tell(&silent[CREATE], NULL, NULL) < 0)
		return NULL;
	thread->busy++;
	result = ((PyCFunctionWithKeywords)(void (*)(void))silent[CREATE].real)(self, args, names);
	thread->busy--;
	return result;
}

static bool is_text(PyObject *object, const char *text)
{
	return object && PyUnicode_Check(object) && !PyUnicode_CompareWithASCIIString(object, text);
}

/* An event raised by hand proves nothing: the sensor does not get to see it. The pure-Python
 * unpickler announces what it fetches in just this way. */
static PyObject *call_AUDIT(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *name = n > 0 ? args[0] : NULL, *result;
	bool forged = thread->load && (is_text(name, "import") ||
	                               (is_text(name, "pickle.find_class") && !mw_in_unpickler()));

	thread->busy += forged;
	result = fast(AUDIT)(self, args, n);
	thread->busy -= forged;
	return result;
}

static void hook(int id, int flags, PyCFunction ours)
{
	struct silent *f = &silent[id];
	PyObject *owner = PyDict_GetItemString(PyImport_GetModuleDict(), f->module);
	PyObject *type = owner && f->type ? PyObject_GetAttrString(owner, f->type) : NULL;
	PyObject *function = NULL;
	PyMethodDef *definition;

	if (owner && (!f->type || type))
		function = PyObject_GetAttrString(type ? type : owner, f->name);
	if (function && !f->real) {
		definition = f->type ? ((struct mw_method_object *)function)->definition
		                     : ((struct mw_function_object *)function)->definition;
		if (!strcmp(definition->ml_name, f->name) && definition->ml_flags == flags) {
			f->real = definition->ml_meth;
			definition->ml_meth = ours;
		}
	}
	Py_XDECREF(function);
	Py_XDECREF(type);
	PyErr_Clear();
}

void mw_hook_silent(void)
{
	/* From 3.12 on the interpreter announces threads itself: the second announcement of one
	 * thread changes nothing. */
	hook(START_NEW_THREAD, METH_VARARGS, call_START_NEW_THREAD);
	hook(START_NEW, METH_VARARGS, call_START_NEW);
	hook(AUDIT, METH_FASTCALL, (PyCFunction)(void (*)(void))call_AUDIT);
}

void mw_hook_planters(void)
{
	PyObject *module = mw_import("atexit");

	hook(REGISTER, METH_VARARGS | METH_KEYWORDS, (PyCFunction)(void (*)(void))call_REGISTER);
	hook(SIGNAL, METH_FASTCALL, (PyCFunction)(void (*)(void))fast_SIGNAL);
	Py_XDECREF(module);
	PyErr_Clear();
}

void mw_hook_fork_exec(void)
{
	PyObject *module = mw_import("_posixsubprocess");

	hook(FORK_EXEC, METH_VARARGS, call_FORK_EXEC);
	hook(FORK_EXEC, METH_FASTCALL, (PyCFunction)(void (*)(void))fast_FORK_EXEC);
	Py_XDECREF(module);
	PyErr_Clear();
}

void mw_hook_interpreters(void)
{
	PyObject *module = mw_import("_xxsubinterpreters");

	hook(CREATE, METH_VARARGS | METH_KEYWORDS, (PyCFunction)(void (*)(void))call_CREATE);
	Py_XDECREF(module);
	PyErr_Clear();
}

void mw_hook_socket(void)
{
	PyObject *module = mw_import("_socket");

	hook(SEND, METH_VARARGS, call_SEND);
	hook(SENDALL, METH_VARARGS, call_SENDALL);
	Py_XDECREF(module);
	PyErr_Clear();
}
