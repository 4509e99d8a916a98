#include "ext.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct mw_guest *mw_shim;

/* Whether a directory lies in the interpreter's own installation. */
static bool is_own(const char *directory, const char *root)
{
	PyObject *object = PySys_GetObject(root);
	const char *text =
	        object && PyUnicode_Check(object) ? PyUnicode_AsUTF8AndSize(object, NULL) : NULL;
	size_t len = text ? strlen(text) : 0;

	PyErr_Clear();
	return len > 1 && !strncmp(directory, text, len) && directory[len] == '/';
}

/* sys.path as the interpreter starts: the files in there were put there by whoever runs the job,
 * the user's own repository included. An empty entry is the working directory. Where a load started
 * the process, its payload chose most of it. */
static void trust_path(PyObject *entry)
{
	char directory[4096];
	const char *text;

	if (!PyUnicode_Check(entry) || !(text = PyUnicode_AsUTF8AndSize(entry, NULL))) {
		PyErr_Clear();
		return;
	}
	if (mw_shim->thread()->scope && !is_own(text, "base_prefix") && !is_own(text, "prefix"))
		return;
	if (realpath(*text ? text : ".", directory))
		mw_shim->trust(directory);
	if (text[0] == '/')
		mw_shim->trust(text);
}

static void trust_start(void)
{
	PyObject *path = PySys_GetObject("path");

	if (!path || !PyList_Check(path))
		return;
	for (Py_ssize_t i = 0; i < PyList_Size(path); i++)
		trust_path(PyList_GetItem(path, i));
}

void mw_trust_script(const char *event, PyObject *file)
{
	static bool started;

	if (!started && file && !strcmp(event, "cpython.run_file") && !mw_shim->thread()->scope)
		trust_path(file);
	started = true;
}

/* Objects are laid out differently there, so nothing of them can be read. */
static bool is_free_threaded(void)
{
	PyObject *flags = PySys_GetObject("abiflags");
	const char *text =
	        flags && PyUnicode_Check(flags) ? PyUnicode_AsUTF8AndSize(flags, NULL) : NULL;

	return text && strchr(text, 't');
}

/* Called by the shim under the GIL, once, before the interpreter runs the job's code. Returns 0, or
 * -1 when this interpreter cannot be watched (no error is left set). */
__attribute__((visibility("default"))) int mw_extension_init(struct mw_guest *shim);

int mw_extension_init(struct mw_guest *shim)
{
	mw_shim = shim;
	if (!PyFrame_GetBack || !PyFrame_GetCode || is_free_threaded())
		return -1;
	trust_start();
	if (mw_stack_init() < 0 || mw_files_init() < 0) {
		PyErr_Clear();
		return -1;
	}
	mw_allowed_init();
	mw_hook_silent();
	shim->event = mw_event;
	return 0;
}
