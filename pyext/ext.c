#include "ext.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct mw_guest *mw_shim;

/* sys.path as the interpreter starts: the files in there were put there by whoever runs the job,
 * the user's own repository included. An empty entry is the working directory. */
static void trust_path(PyObject *entry)
{
	char directory[4096];
	const char *text;

	if (!PyUnicode_Check(entry) || !(text = PyUnicode_AsUTF8AndSize(entry, NULL))) {
		PyErr_Clear();
		return;
	}
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
	mw_hook_silent();
	shim->event = mw_event;
	return 0;
}
