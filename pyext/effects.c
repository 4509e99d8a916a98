#include "effects.h"
#include "../core/variables.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"

const char *mw_text_of(struct mw_seen *seen, PyObject *object)
{
	PyObject *bytes = NULL;
	const char *utf8;

	if (!object || seen->kept == sizeof(seen->keep) / sizeof(*seen->keep))
		return NULL;
	if (PyBytes_Check(object))
		return PyBytes_AsString(object);
	if (!PyUnicode_Check(object))
		return NULL;
	utf8 = PyUnicode_AsUTF8AndSize(object, NULL);
	if (utf8)
		return utf8;
	PyErr_Clear();
	bytes = PyUnicode_EncodeFSDefault(object); /* a name that is not UTF-8 */
	if (!bytes) {
		PyErr_Clear();
		return NULL;
	}
	seen->keep[seen->kept++] = bytes;
	return PyBytes_AsString(bytes);
}

PyObject *mw_argument(PyObject *args, Py_ssize_t i)
{
	return args && PyTuple_Check(args) && i < PyTuple_Size(args) ? PyTuple_GetItem(args, i)
	                                                             : NULL;
}

static void take_argv(struct mw_seen *seen, PyObject *list)
{
	Py_ssize_t n = 0;

	if (list && (PyUnicode_Check(list) || PyBytes_Check(list))) {
		seen->argv[n++] = mw_text_of(seen, list);
	} else if (list && (PyList_Check(list) || PyTuple_Check(list))) {
		Py_ssize_t size = PySequence_Size(list);

		for (Py_ssize_t i = 0; i < size && n < MW_ARGS; i++) {
			PyObject *item = PyList_Check(list) ? PyList_GetItem(list, i)
			                                    : PyTuple_GetItem(list, i);
			const char *text = mw_text_of(seen, item);

			seen->argv[n++] = text ? text : "?";
		}
		seen->effect.argv_cut = size > n;
	}
	if (n && seen->argv[0]) {
		seen->effect.argv = seen->argv;
		seen->effect.argc = (size_t)n;
	}
}

static bool is_root_owned(const char *path)
{
	struct stat st;

	return !stat(path, &st) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static uint64_t owner_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_uid + 1;
}

/* The first match along PATH, as execvp finds it; false when there is no such program. */
static bool find_program(const char *name, char out[static 1024])
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(out, 1024, "%s", name);
		return !access(out, F_OK);
	}
	for (const char *p = path ? path : "/bin:/usr/bin"; p; p = strchr(p, ':')) {
		p += *p == ':';
		snprintf(out, 1024, "%.*s/%s", (int)strcspn(p, ":"), p, name);
		if (!access(out, X_OK))
			return true;
	}
	return false;
}

static bool is_interpreter(const char *program)
{
	struct stat own, other;

	return !stat("/proc/self/exe", &own) && !stat(program, &other) &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static void take_program(struct mw_seen *seen, const char *name, const char *cwd)
{
	char *found = seen->program, dir[sizeof(seen->program)], *slash;

	if (!name)
		return;
	seen->effect.target = name;
	if (cwd && name[0] != '/' && strchr(name, '/'))
		return; /* relative to a directory that is not ours: taken as it is */
	if (!find_program(name, found)) {
		seen->none = true;
		return;
	}
	seen->effect.file = found;
	seen->effect.owner = owner_of(found);
	strcpy(dir, found);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (found[0] == '/' && is_root_owned(found) && is_root_owned(dir[0] ? dir : "/"))
		seen->effect.facts |= MW_FACT_PINNED;
	if (is_interpreter(found))
		seen->effect.facts |= MW_FACT_INTERPRETER;
}

/* The candidates along PATH: the first that is there is the one that runs. */
static void take_first(struct mw_seen *seen, PyObject *list)
{
	bool tuple = list && PyTuple_Check(list);
	Py_ssize_t n = tuple || (list && PyList_Check(list)) ? PySequence_Size(list) : 0;

	for (Py_ssize_t i = 0; i < n; i++) {
		const char *path = mw_text_of(seen, tuple ? PyTuple_GetItem(list, i)
		                                          : PyList_GetItem(list, i));

		seen->none = false;
		take_program(seen, path, NULL);
		if (!seen->none)
			return;
	}
}

static const char *plain_text(PyObject *object)
{
	const char *text = PyBytes_Check(object)     ? PyBytes_AsString(object)
	                   : PyUnicode_Check(object) ? PyUnicode_AsUTF8AndSize(object, NULL)
	                                             : NULL;

	PyErr_Clear();
	return text;
}

/* Whether a program gets the variables of its loader as they are in this process, where changing
 * them is an effect. os.environ can be changed in memory without one. */
static bool keeps_environment(PyObject *environment)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	if (!environment || environment == Py_None)
		return true;
	if (!PyDict_CheckExact(environment))
		return false;
	while (PyDict_Next(environment, &at, &key, &value)) {
		const char *name = plain_text(key), *text, *own;

		if (!name || !mw_is_loaders(name))
			continue;
		text = plain_text(value);
		own = getenv(name);
		if (!text || !own || strcmp(text, own) != 0)
			return false;
	}
	return true;
}

static void take_environment(struct mw_seen *seen, PyObject *environment)
{
	if (!keeps_environment(environment))
		seen->effect.facts &= ~MW_FACT_PINNED;
}

static void take_popen(struct mw_seen *seen, PyObject *args)
{
	PyObject *list = mw_argument(args, 1);
	PyObject *cwd = mw_argument(args, 2);
	const char *program = mw_text_of(seen, mw_argument(args, 0));

	take_argv(seen, list);
	take_program(seen,
	             program             ? program
	             : seen->effect.argc ? seen->argv[0]
	                                 : NULL,
	             cwd == Py_None ? NULL : mw_text_of(seen, cwd));
	take_environment(seen, mw_argument(args, 3));
}

static void take_command(struct mw_seen *seen, PyObject *args)
{
	static const char *const shell[] = {"sh", "-c"};

	seen->argv[0] = shell[0];
	seen->argv[1] = shell[1];
	seen->argv[2] = mw_text_of(seen, mw_argument(args, 0));
	seen->effect.argv = seen->argv;
	seen->effect.argc = seen->argv[2] ? 3 : 2;
	seen->effect.target = seen->effect.file = "/bin/sh";
	seen->effect.owner = owner_of(seen->effect.file);
}

static bool parent_exists(const char *path)
{
	char parent[1024];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(parent))
		return true;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return !access(parent, F_OK);
}

/* The path of an open descriptor, for calls that take one. */
static const char *path_of_fd(struct mw_seen *seen, PyObject *number)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%ld", PyLong_AsLong(number));
	n = readlink(link, seen->address, sizeof(seen->address) - 1);
	seen->address[n > 0 ? n : 0] = '\0';
	return n > 0 ? seen->address : NULL;
}

/* A relative path starts from the directory that a descriptor is open on, when one is given. */
static const char *from_directory(PyObject *directory, const char *path, char out[static 1024])
{
	long fd = directory && PyLong_Check(directory) ? PyLong_AsLong(directory) : -1;
	char link[40];
	ssize_t n;

	PyErr_Clear();
	if (fd < 0 || !path || path[0] == '/')
		return path;
	snprintf(link, sizeof(link), "/proc/self/fd/%ld", fd);
	n = readlink(link, out, 1023);
	if (n <= 0 || (size_t)n + strlen(path) + 2 > 1024)
		return path;
	out[n] = '/';
	strcpy(out + n + 1, path);
	return out;
}

static void take_path(struct mw_seen *seen, PyObject *object, PyObject *directory, bool must_exist)
{
	struct stat st;

	if (object && PyLong_Check(object)) {
		seen->effect.target = path_of_fd(seen, object);
		return;
	}
	seen->raw = mw_text_of(seen, object);
	seen->effect.target = from_directory(directory, seen->raw, seen->program);
	if (!seen->raw)
		return;
	if (!strcmp(seen->raw, ":memory:")) {
		seen->none = true; /* sqlite's name for no file */
		return;
	}
	if (must_exist && lstat(seen->effect.target, &st))
		seen->none = true;
	if (!must_exist &&
	    (!lstat(seen->effect.target, &st) || !parent_exists(seen->effect.target)))
		seen->none = true;
}

/* The path leads to a secret, or the open is no effect. */
static void take_read(struct mw_seen *seen, const char *path, int flags)
{
	seen->none = !path || !mw_shim->secret(path, flags, seen->real);
	seen->effect.class = MW_READ;
	seen->effect.target = seen->raw = seen->real;
}

static void take_open(struct mw_seen *seen, PyObject *args)
{
	PyObject *flags_object = mw_argument(args, 2);
	long flags = flags_object && PyLong_Check(flags_object) ? PyLong_AsLong(flags_object) : 0;
	struct stat st;

	seen->effect.number = flags;
	if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC))) {
		take_read(seen, mw_text_of(seen, mw_argument(args, 0)), (int)flags);
		return;
	}
	seen->effect.target = seen->raw = mw_text_of(seen, mw_argument(args, 0));
	if (!seen->raw) {
		seen->none = mw_argument(args, 0) &&
		             PyLong_Check(mw_argument(args, 0)); /* already open */
		return;
	}
	if (stat(seen->raw, &st)) {
		seen->effect.facts |= MW_FACT_NEW;
		if (!(flags & O_CREAT) || !parent_exists(seen->raw))
			seen->none = true;
	} else if (S_ISCHR(st.st_mode)) {
		seen->effect.facts |= MW_FACT_DEVICE;
	}
}

static void take_library(struct mw_seen *seen, PyObject *args)
{
	const char *name = mw_text_of(seen, mw_argument(args, 0));

	if (!strcmp(seen->effect.op, "ctypes.dlsym"))
		name = mw_text_of(seen, mw_argument(args, 1));
	seen->effect.target = seen->raw = name;
	if (mw_argument(args, 0) == Py_None ||
	    (name && (!strchr(name, '/') || mw_shim->trusted(name))))
		seen->effect.facts |= MW_FACT_INSTALLED; /* None is the program itself */
}

/* Variables that decide what later programs and interpreters run. */
static void take_variable(struct mw_seen *seen, PyObject *args)
{
	static const char *const begin[] = {"LD_",        "PYTHON", "MODELWATCH_",
	                                    "BASH_FUNC_", "GIT_",   "PERL5"};
	static const char *const whole[] = {"PATH",
	                                    "BASH_ENV",
	                                    "ENV",
	                                    "GCONV_PATH",
	                                    "GLIBC_TUNABLES",
	                                    "IFS",
	                                    "SHELLOPTS",
	                                    "PS4",
	                                    "PROMPT_COMMAND",
	                                    "EDITOR",
	                                    "VISUAL",
	                                    "PAGER",
	                                    "BROWSER",
	                                    "SSH_ASKPASS",
	                                    "RUBYOPT",
	                                    "NODE_OPTIONS",
	                                    "JAVA_TOOL_OPTIONS",
	                                    "OMP_TOOL_LIBRARIES",
	                                    "HTTP_PROXY",
	                                    "HTTPS_PROXY",
	                                    "http_proxy",
	                                    "https_proxy",
	                                    "ALL_PROXY",
	                                    "SSL_CERT_FILE",
	                                    "CUDA_INJECTION64_PATH",
	                                    "HOME"};
	const char *name = mw_text_of(seen, mw_argument(args, 0));

	seen->none = true;
	seen->effect.target = name;
	for (size_t i = 0; name && i < sizeof(begin) / sizeof(*begin); i++)
		if (!strncmp(name, begin[i], strlen(begin[i])))
			seen->none = false;
	for (size_t i = 0; name && i < sizeof(whole) / sizeof(*whole); i++)
		if (!strcmp(name, whole[i]))
			seen->none = false;
}

static void take_signal(struct mw_seen *seen, PyObject *args)
{
	PyObject *number = mw_argument(args, 1);

	seen->effect.number = number && PyLong_Check(number) ? PyLong_AsLong(number) : 0;
	seen->none = seen->effect.number == 0; /* only asks whether the process is there */
	PyErr_Clear();
}

static void take_control(struct mw_seen *seen, PyObject *args)
{
	static const long commands[] = {F_SETOWN, F_SETOWN_EX, F_SETSIG, TIOCSTI};
	PyObject *command = mw_argument(args, 1);
	long number = command && PyLong_Check(command) ? PyLong_AsLong(command) : -1;

	PyErr_Clear();
	seen->effect.number = number;
	seen->none = true;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (number == commands[i])
			seen->none = false;
}

static void take_name(struct mw_seen *seen, PyObject *args)
{
	const char *name = mw_text_of(seen, mw_argument(args, 0));

	seen->effect.target = name;
	seen->none = !name || mw_is_numeric(name);
}

/* The descriptor that the first or the second path starts from, borrowed; NULL when the event has
 * none. */
static PyObject *directory_of(const struct mw_audit_event *event, PyObject *args, int which)
{
	return event->directory ? mw_argument(args, event->directory + which) : NULL;
}

void mw_take(struct mw_seen *seen, const struct mw_audit_event *event, PyObject *args,
             const struct mw_walk *walk)
{
	PyObject *directory = directory_of(event, args, 0);

	switch (event->shape) {
	case COMMAND:
		take_command(seen, args);
		break;
	case PROGRAM:
		take_argv(seen, mw_argument(args, 1));
		take_program(seen, mw_text_of(seen, mw_argument(args, 0)), NULL);
		take_environment(seen, mw_argument(args, 2));
		break;
	case SPAWN:
		take_argv(seen, mw_argument(args, 2));
		take_program(seen, mw_text_of(seen, mw_argument(args, 1)), NULL);
		take_environment(seen, mw_argument(args, 3));
		break;
	case POPEN:
		take_popen(seen, args);
		break;
	case FORK:
		take_argv(seen, mw_argument(args, 0));
		take_first(seen, mw_argument(args, 1));
		break;
	case ARGV:
		take_argv(seen, mw_argument(args, 0));
		take_program(seen, seen->effect.argc ? seen->argv[0] : NULL, NULL);
		break;
	case ADDRESS:
		seen->effect.facts |= mw_address(mw_argument(args, 0), mw_argument(args, 1),
		                                 seen->address, sizeof(seen->address));
		seen->effect.target = seen->address[0] ? seen->address : NULL;
		break;
	case NAME:
		take_name(seen, args);
		break;
	case OPEN:
		take_open(seen, args);
		break;
	case CHANGE:
		take_path(seen, mw_argument(args, 0), directory, true);
		break;
	case CREATE:
		take_path(seen, mw_argument(args, 0), directory, false);
		break;
	case TWO:
		take_path(seen, mw_argument(args, 0), directory, true);
		seen->raw2 = mw_text_of(seen, mw_argument(args, 1));
		seen->effect.target2 =
		        from_directory(directory_of(event, args, 1), seen->raw2, seen->second);
		break;
	case LINK:
		take_path(seen, mw_argument(args, 1), directory, false);
		seen->effect.target2 = seen->raw2 = mw_text_of(seen, mw_argument(args, 0));
		break;
	case LIBRARY:
		take_library(seen, args);
		break;
	case VARIABLE:
		take_variable(seen, args);
		break;
	case SIGNAL:
		take_signal(seen, args);
		break;
	case SOURCE:
		seen->effect.target = mw_text_of(seen, mw_argument(args, 1));
		if (mw_stands_in_file(mw_argument(args, 0), seen->effect.target))
			seen->effect.facts |= MW_FACT_REBUILDER;
		break;
	case PLANT:
		seen->none = mw_by_installed_code(walk);
		break;
	case CONTROL:
		take_control(seen, args);
		break;
	case ATTRIBUTE:
		seen->effect.target = mw_text_of(seen, mw_argument(args, 1));
		seen->none = !seen->effect.target || strcmp(seen->effect.target, "__code__");
		break;
	case DIRECTORY:
		seen->effect.target = mw_text_of(seen, mw_argument(args, 0));
		break;
	case CODE:
	case THREAD:
		break;
	}
}

void mw_drop(struct mw_seen *seen)
{
	while (seen->kept)
		Py_DECREF(seen->keep[--seen->kept]);
}
