/* What a load reads: its artifact, its stream and the position in it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/callers.h"
#include "ext.h"

static const struct mw_caller *entry_of(PyCodeObject *code)
{
	const char *file = mw_code_text(code, "co_filename");
	const struct mw_caller *caller = mw_caller_find(file, mw_code_text(code, "co_name"));

	return caller && mw_shim->trusted(file) ? caller : NULL;
}

static void set_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

static void path_of_fd(struct mw_load *load, int fd)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, load->path, sizeof(load->path) - 1);
	load->path[n > 0 && load->path[0] == '/' ? n : 0] = '\0';
}

/* A path, or an open file, as somebody passed it to a loading function. pathlib's own classes are
 * the one thing that is turned into text by Python code: the standard library's. */
static void path_of_argument(struct mw_load *load, PyObject *argument)
{
	PyObject *text = NULL;
	const char *utf8;

	if (mw_has_descriptor(argument)) {
		path_of_fd(load, mw_descriptor(argument));
		return;
	}
	if (PyUnicode_CheckExact(argument)) {
		text = argument;
		Py_INCREF(text);
	} else if (PyObject_HasAttrString(argument, "__fspath__") &&
	           strstr(mw_code_text((PyCodeObject *)Py_TYPE(argument), "__module__"),
	                  "pathlib")) {
		text = PyObject_Str(argument);
	}
	utf8 = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
	if (utf8)
		set_text(load->path, sizeof(load->path), utf8);
	Py_XDECREF(text);
	PyErr_Clear();
}

static void path_of_entry(struct mw_load *load, PyFrameObject *frame, const struct mw_caller *entry)
{
	PyObject *argument;

	if (load->path[0] || !entry->argument)
		return;
	argument = mw_local(frame, entry->argument);
	if (argument)
		path_of_argument(load, argument);
	Py_XDECREF(argument);
}

/* A pipe is inherited; a socket tells who made it. Sending processes that answer for a load are no
 * session, so none is one while any load has started processes. */
static bool is_session_fd(int fd)
{
	char link[40], text[64];
	struct ucred peer;
	socklen_t len = sizeof(peer);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (!strncmp(text, "pipe:[", 6))
		return true;
	return !strncmp(text, "socket:[", 8) &&
	       !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && mw_shim->same_run(peer.pid);
}

static int descriptor_of(PyFrameObject *frame)
{
	PyObject *self = mw_local(frame, "self"), *reader, *handle = NULL;
	long fd = -1;

	if (!self)
		return -1;
	reader = PyObject_GetAttrString(self, "_reader");
	PyErr_Clear();
	handle = PyObject_GetAttrString(reader ? reader : self, "_handle");
	if (handle && PyLong_Check(handle))
		fd = PyLong_AsLong(handle);
	Py_XDECREF(handle);
	Py_XDECREF(reader);
	Py_DECREF(self);
	PyErr_Clear();
	return (int)fd;
}

static void origin_of_entry(struct mw_load *load, PyFrameObject *frame,
                            const struct mw_caller *entry)
{
	const char *name = entry->entry;

	if (!strcmp(name, "multiprocessing.spawn"))
		load->origin = MW_FROM_SESSION; /* the pipe that spawn's parent left open */
	else if (strstr(name, "Connection.recv") || strstr(name, "Queue.get"))
		load->origin =
		        is_session_fd(descriptor_of(frame)) ? MW_FROM_SESSION : MW_FROM_FOREIGN;
}

/* torch gives its parameter the value that counts before it loads. */
static enum mw_answer_known weights_only(PyFrameObject *frame)
{
	PyObject *value = mw_local(frame, "weights_only");
	enum mw_answer_known answer = value == Py_True    ? MW_YES
	                              : value == Py_False ? MW_NO
	                                                  : MW_NOT_KNOWN;

	Py_XDECREF(value);
	return answer;
}

/* From the load outwards; the last one found is the outermost. A nested load is never a message:
 * its bytes came with the outer one. */
static void look_at_callers(struct mw_load *load)
{
	PyFrameObject *frame = (PyFrameObject *)load->frame;

	set_text(load->outermost, sizeof(load->outermost), load->entry);
	for (struct mw_load *l = load->outer; l; l = l->outer)
		set_text(load->outermost, sizeof(load->outermost), l->entry);
	Py_XINCREF((PyObject *)frame);
	for (int depth = 0; frame && depth < 256; depth++) {
		PyCodeObject *code = PyFrame_GetCode(frame);
		PyFrameObject *outer = PyFrame_GetBack(frame);
		const struct mw_caller *entry = entry_of(code);

		if (entry) {
			set_text(load->outermost, sizeof(load->outermost), entry->entry);
			path_of_entry(load, frame, entry);
			if (load->began && !strcmp(entry->entry, "torch.load"))
				load->weights_only = weights_only(frame);
			if (!load->outer && !mw_shim->thread()->scope && depth < 4)
				origin_of_entry(load, frame, entry);
		}
		Py_DECREF((PyObject *)code);
		Py_DECREF((PyObject *)frame);
		frame = outer;
	}
	Py_XDECREF((PyObject *)frame);
}

static void look_at_bytes(struct mw_load *load)
{
	Py_buffer view;

	if (PyObject_GetBuffer((PyObject *)load->file, &view, PyBUF_SIMPLE) < 0) {
		PyErr_Clear();
		return;
	}
	load->data = (uint64_t)(uintptr_t)view.buf;
	load->data_len = (uint64_t)view.len;
	PyBuffer_Release(&view);
}

/* BytesIO hands out its buffer only through a view; the memory stays where it is afterwards. */
static void look_at_bytes_io(struct mw_load *load)
{
	PyObject *memory = PyObject_CallMethod((PyObject *)load->file, "getbuffer", NULL);
	Py_buffer view;

	if (memory && !PyObject_GetBuffer(memory, &view, PyBUF_SIMPLE)) {
		uint64_t start = load->start_tell > 0 ? (uint64_t)load->start_tell : 0;

		if (start <= (uint64_t)view.len) {
			load->data = (uint64_t)(uintptr_t)view.buf + start;
			load->data_len = (uint64_t)view.len - start;
		}
		PyBuffer_Release(&view);
	}
	Py_XDECREF(memory);
	PyErr_Clear();
}

static void look_at_file(struct mw_load *load)
{
	PyObject *file = load->file;

	if (!file)
		return;
	if (PyBytes_CheckExact(file) || PyByteArray_CheckExact(file)) {
		load->origin = MW_FROM_BYTES;
		look_at_bytes(load);
	} else if (mw_is_bytes_io(file)) {
		load->origin = MW_FROM_BYTES;
		look_at_bytes_io(load);
	} else if (mw_has_descriptor(file)) {
		load->fd = mw_descriptor(file);
		path_of_fd(load, load->fd);
		load->start = load->start_tell > 0 ? (uint64_t)load->start_tell : 0;
	} else if ((file = mw_wrapped_file(file, &load->start))) {
		load->fd = mw_descriptor(file);
		path_of_fd(load, load->fd);
	}
}

void mw_describe(struct mw_load *load)
{
	if (load->described)
		return;
	load->origin = MW_FROM_FILE;
	load->fd = -1;
	load->data = load->data_len = load->start = 0;
	load->path[0] = '\0';
	look_at_file(load);
	look_at_callers(load);
	if (load->path[0] && load->origin == MW_FROM_BYTES)
		load->origin = MW_FROM_FILE;
	if (!load->path[0] && load->outer) {
		mw_describe(load->outer);
		set_text(load->path, sizeof(load->path), load->outer->path);
		load->origin = load->outer->origin;
	}
	load->called |= mw_has_called(load);
	load->described = true;
}

void mw_locate(struct mw_load *load)
{
	int64_t now = mw_tell(load->file);

	load->tell = now >= 0 && load->start_tell >= 0 ? now - load->start_tell : -1;
	load->tell_exact = load->file && mw_is_bytes_io(load->file);
}
