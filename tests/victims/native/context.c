/* Calls a function of Python on a stack of its own, and waits there for what it returns: the stack
 * pointer jumps up or down by any distance, and nothing of the old stack lies above the new one. */
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define SIZE (1 << 20)

struct call {
	ucontext_t here, there;
	PyObject *function, *result;
};

static _Thread_local struct call *current;

static void perform(void)
{
	struct call *call = current;

	call->result = PyObject_CallObject(call->function, NULL);
	swapcontext(&call->there, &call->here);
}

/* run(function, above): the new stack is at a high address or at one of the heap's. */
static PyObject *run(PyObject *self, PyObject *args)
{
	struct call call = {0}, *outer = current;
	void *stack;
	int mapped;

	(void)self;
	if (!PyArg_ParseTuple(args, "Oi", &call.function, &mapped))
		return NULL;
	stack = mapped ? mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	                      0)
	               : malloc(SIZE);
	if (!stack || stack == MAP_FAILED)
		return PyErr_NoMemory();
	getcontext(&call.there);
	call.there.uc_stack.ss_sp = stack;
	call.there.uc_stack.ss_size = SIZE;
	makecontext(&call.there, perform, 0);
	current = &call;
	swapcontext(&call.here, &call.there);
	current = outer;
	if (mapped)
		munmap(stack, SIZE);
	else
		free(stack);
	return call.result;
}

static PyMethodDef methods[] = {
        {"run", run, METH_VARARGS, "run(function, mapped): on another stack"},
        {0},
};

static struct PyModuleDef module = {
        .m_base = PyModuleDef_HEAD_INIT,
        .m_name = "mwcontext",
        .m_methods = methods,
};

__attribute__((visibility("default"))) PyMODINIT_FUNC PyInit_mwcontext(void)
{
	return PyModule_Create(&module);
}
