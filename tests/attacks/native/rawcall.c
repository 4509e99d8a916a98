#include "rawcall.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The objects are kept: the kernel, or another task, may look at them later. */
int word(PyObject *object, long *ret)
{
	Py_INCREF(object);
	if (object == Py_None)
		*ret = 0;
	else if (PyBytes_Check(object))
		*ret = (long)PyBytes_AsString(object);
	else if (PyUnicode_Check(object)) {
		object = PyUnicode_EncodeFSDefault(object);
		*ret = object ? (long)PyBytes_AsString(object) : 0;
	} else
		*ret = (long)PyLong_AsUnsignedLongMask(object);
	return PyErr_Occurred() ? -1 : 0;
}

int take(PyObject *tuple, Py_ssize_t from, struct request *ret)
{
	Py_ssize_t count = PyTuple_Size(tuple) - from;

	memset(ret, 0, sizeof(*ret));
	for (Py_ssize_t i = 0; i < count && i <= ARGS; i++)
		if (word(PyTuple_GetItem(tuple, from + i), i ? &ret->args[i - 1] : &ret->number))
			return -1;
	return 0;
}

/* call(number, *args) */
static PyObject *call(PyObject *self, PyObject *args)
{
	struct request r;

	(void)self;
	return take(args, 0, &r) ? NULL : PyLong_FromLong(enter(&r));
}

/* create(times, path): this file, again and again, by libc's open(), which is announced. The number
 * of times that it worked. */
static PyObject *create(PyObject *self, PyObject *args)
{
	long times, path, good = 0;

	(void)self;
	if (word(PyTuple_GetItem(args, 0), &times) || word(PyTuple_GetItem(args, 1), &path))
		return NULL;
	while (times--) {
		int fd = open((const char *)path, O_CREAT | O_WRONLY, 0600);

		good += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return PyLong_FromLong(good);
}

/* run(times, path, arguments): programs, one after the other, by libc's posix_spawn(). The number
 * of those that ended well. */
static PyObject *run(PyObject *self, PyObject *args)
{
	long times, path, argv, good = 0;

	(void)self;
	if (word(PyTuple_GetItem(args, 0), &times) || word(PyTuple_GetItem(args, 1), &path) ||
	    word(PyTuple_GetItem(args, 2), &argv))
		return NULL;
	while (times--) {
		int status = 1;
		pid_t pid;

		if (!posix_spawn(&pid, (const char *)path, NULL, NULL, (char **)argv, environ))
			waitpid(pid, &status, 0);
		good += !status;
	}
	return PyLong_FromLong(good);
}

/* pack(*words): memory with these words in it, as structures of the kernel have pointers. */
static PyObject *pack(PyObject *self, PyObject *args)
{
	long words[64];
	Py_ssize_t count = PyTuple_Size(args);

	(void)self;
	for (Py_ssize_t i = 0; i < count && i < 64; i++)
		if (word(PyTuple_GetItem(args, i), &words[i]))
			return NULL;
	return PyBytes_FromStringAndSize((char *)words, count * (Py_ssize_t)sizeof(*words));
}

static char *low; /* below 4 GiB, where 32-bit calls can point to */

/* low(bytes): a copy of it there, as an address. */
static PyObject *to_low(PyObject *self, PyObject *args)
{
	PyObject *bytes = PyTuple_GetItem(args, 0);
	Py_ssize_t len = PyBytes_Size(bytes);
	char *at;

	(void)self;
	if (!low)
		low = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		           MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	at = memcpy(low, PyBytes_AsString(bytes), (size_t)len + 1);
	low += (len + 16) & ~15;
	return PyLong_FromLong((long)at);
}

/* call32(number, *args): the entry of 32-bit programs. */
static PyObject *call32(PyObject *self, PyObject *args)
{
	struct request r;
	long result;

	(void)self;
	if (take(args, 0, &r))
		return NULL;
	__asm__ volatile("push %%rbp\n\tmov %[sixth], %%rbp\n\tint $0x80\n\tpop %%rbp"
	                 : "=a"(result)
	                 : "a"(r.number), "b"(r.args[0]), "c"(r.args[1]), "d"(r.args[2]),
	                   "S"(r.args[3]), "D"(r.args[4]), [sixth] "r"(r.args[5])
	                 : "r8", "r9", "r10", "r11", "memory");
	return PyLong_FromLong((int)result);
}

/* libc(name, *args): one of libc's own functions, past whoever stands in front of it. */
static PyObject *libc(PyObject *self, PyObject *args)
{
	struct request r;
	entry *function;

	(void)self;
	if (take(args, 0, &r))
		return NULL;
	function = (entry *)dlsym(RTLD_NEXT, (const char *)r.number);
	return PyLong_FromLong(function ? function(r.args[0], r.args[1], r.args[2], r.args[3],
	                                           r.args[4], r.args[5])
	                                : -ENOSYS);
}

struct search {
	const char *name;
	long base, low, high;
};

static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct search *s = argument;

	(void)size;
	if (!strstr(info->dlpi_name, s->name))
		return 0;
	s->base = (long)info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
			s->low = s->base + (long)info->dlpi_phdr[i].p_vaddr;
			s->high = s->low + (long)info->dlpi_phdr[i].p_memsz;
		}
	return 1;
}

/* text(name): (first page, length) of the code of the library so called. */
static PyObject *text(PyObject *self, PyObject *args)
{
	long name;
	struct search s = {0};

	(void)self;
	if (word(PyTuple_GetItem(args, 0), &name))
		return NULL;
	s.name = (const char *)name;
	dl_iterate_phdr(visit, &s);
	return Py_BuildValue("(ll)", s.low & -PAGE,
	                     ((s.high - 1) | (PAGE - 1)) + 1 - (s.low & -PAGE));
}

#define METHOD(name, function)                                                                     \
	{                                                                                          \
		name, function, METH_VARARGS, NULL                                                 \
	}

static PyMethodDef methods[] = {
        METHOD("call", call),     METHOD("call32", call32),       METHOD("clone", clone_task),
        METHOD("create", create), METHOD("daemon", start_daemon), METHOD("deafen", deafen),
        METHOD("flip", flip),     METHOD("flipped", flipped),     METHOD("libc", libc),
        METHOD("low", to_low),    METHOD("mapped", mapped),       METHOD("pack", pack),
        METHOD("run", run),       METHOD("text", text),           {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {
        PyModuleDef_HEAD_INIT, "rawcall", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_rawcall(void)
{
	return PyModule_Create(&module);
}
