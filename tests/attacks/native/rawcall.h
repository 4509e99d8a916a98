/* What an attack calls to get below every sensor of the process: an "installed" extension module
 * that makes system calls by instructions of its own. Arguments are numbers, addresses of the bytes
 * of bytes and str, and None for 0; results are the kernel's, an error as a negative number. */
#ifndef RAWCALL_H
#define RAWCALL_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#define ARGS 6
#define PAGE 4096L

struct request {
	long number;
	long args[ARGS];
};

typedef long entry(long, long, long, long, long, long);

static inline long enter(const struct request *r)
{
	register long r10 __asm__("r10") = r->args[3];
	register long r8 __asm__("r8") = r->args[4];
	register long r9 __asm__("r9") = r->args[5];
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(r->number), "D"(r->args[0]), "S"(r->args[1]), "d"(r->args[2]),
	                   "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

/* The value of an argument. Returns -1 with an exception set when it has none. */
int word(PyObject *object, long *ret);

/* A call from the items of a tuple. The same. */
int take(PyObject *tuple, Py_ssize_t from, struct request *ret);

/* rawmemory.c, rawtasks.c, rawhooks.c: functions of the module. */
PyObject *mapped(PyObject *self, PyObject *args);
PyObject *clone_task(PyObject *self, PyObject *args);
PyObject *start_daemon(PyObject *self, PyObject *args);
PyObject *flip(PyObject *self, PyObject *args);
PyObject *deafen(PyObject *self, PyObject *args);
PyObject *flipped(PyObject *self, PyObject *args);

#endif
