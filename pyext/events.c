/* The Python sensor: audit events (PEP 578) of active threads, as effects. The table says for each
 * event what it is and where its target stands in the arguments. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "ext.h"

#define ARGS 32

/* What is made of the arguments of an event. */
enum shape {
	COMMAND,  /* a shell command */
	PROGRAM,  /* path, argv */
	SPAWN,    /* mode, path, argv */
	FORK,     /* argv, executables to try */
	POPEN,    /* executable, argv, cwd, env */
	ARGV,     /* argv */
	ADDRESS,  /* socket, address */
	NAME,     /* host name */
	OPEN,     /* path, mode, flags */
	CHANGE,   /* a path that must exist */
	CREATE,   /* a path that must not */
	TWO,      /* two paths */
	LINK,     /* target of a symbolic link, path */
	LIBRARY,  /* library name */
	VARIABLE, /* name of an environment variable */
	SIGNAL,   /* pid, signal */
	CODE,     /* nothing worth naming */
	SOURCE,   /* source, file name */
	PLANT,    /* something that acts later, planted by code that is not installed */
	THREAD,   /* a thread starts: no effect, but a scope */
};

struct event {
	const char *name;
	enum mw_class class;
	enum shape shape;
	bool frame; /* announced by Python code: what that code then does joins */
};

/* Sorted by name. */
static const struct event events[] = {
        {"_posixsubprocess.fork_exec", MW_EXEC, FORK, false},
        {"_thread.start_joinable_thread", MW_CODE, THREAD, false},
        {"_thread.start_new_thread", MW_CODE, THREAD, false},
        {"atexit.register", MW_CODE, PLANT, false},
        {"code.__new__", MW_CODE, CODE, false},
        {"compile", MW_CODE, SOURCE, false},
        {"cpython.PyInterpreterState_New", MW_CODE, CODE, false},
        {"ctypes.call_function", MW_CODE, CODE, false},
        {"ctypes.cdata", MW_CODE, CODE, false},
        {"ctypes.cdata/buffer", MW_CODE, CODE, false},
        {"ctypes.dlopen", MW_MAP, LIBRARY, false},
        {"ctypes.dlsym", MW_CODE, LIBRARY, false},
        {"ctypes.dlsym/handle", MW_CODE, CODE, false},
        {"ctypes.memoryview_at", MW_CODE, CODE, false},
        {"ctypes.string_at", MW_CODE, CODE, false},
        {"ctypes.wstring_at", MW_CODE, CODE, false},
        {"exec", MW_CODE, CODE, false},
        {"ftplib.sendcmd", MW_SEND, CODE, true},
        {"function.__new__", MW_CODE, CODE, false},
        {"marshal.loads", MW_CODE, CODE, false},
        {"open", MW_WRITE, OPEN, false},
        {"os.chflags", MW_WRITE, CHANGE, false},
        {"os.chmod", MW_WRITE, CHANGE, false},
        {"os.chown", MW_WRITE, CHANGE, false},
        {"os.exec", MW_EXEC, PROGRAM, false},
        {"os.kill", MW_TAMPER, SIGNAL, false},
        {"os.killpg", MW_TAMPER, SIGNAL, false},
        {"os.link", MW_WRITE, TWO, false},
        {"os.mkdir", MW_WRITE, CREATE, false},
        {"os.posix_spawn", MW_EXEC, PROGRAM, false},
        {"os.putenv", MW_TAMPER, VARIABLE, false},
        {"os.remove", MW_WRITE, CHANGE, false},
        {"os.removexattr", MW_WRITE, CHANGE, false},
        {"os.rename", MW_WRITE, TWO, false},
        {"os.rmdir", MW_WRITE, CHANGE, false},
        {"os.setxattr", MW_WRITE, CHANGE, false},
        {"os.spawn", MW_EXEC, SPAWN, false},
        {"os.symlink", MW_WRITE, LINK, false},
        {"os.system", MW_EXEC, COMMAND, false},
        {"os.truncate", MW_WRITE, CHANGE, false},
        {"os.unsetenv", MW_TAMPER, VARIABLE, false},
        {"os.utime", MW_WRITE, CHANGE, false},
        {"pty.spawn", MW_EXEC, ARGV, true},
        {"resource.prlimit", MW_TAMPER, CODE, false},
        {"resource.setrlimit", MW_TAMPER, CODE, false},
        {"shutil.chown", MW_WRITE, CHANGE, true},
        {"shutil.copyfile", MW_WRITE, TWO, true},
        {"shutil.copymode", MW_WRITE, TWO, true},
        {"shutil.copystat", MW_WRITE, TWO, true},
        {"shutil.copytree", MW_WRITE, TWO, true},
        {"shutil.make_archive", MW_WRITE, CREATE, true},
        {"shutil.move", MW_WRITE, TWO, true},
        {"shutil.rmtree", MW_WRITE, CHANGE, true},
        {"shutil.unpack_archive", MW_WRITE, CHANGE, true},
        {"signal.pthread_kill", MW_TAMPER, SIGNAL, false},
        {"signal.signal", MW_CODE, PLANT, false},
        {"socket.bind", MW_LISTEN, ADDRESS, false},
        {"socket.connect", MW_CONNECT, ADDRESS, false},
        {"socket.getaddrinfo", MW_SEND, NAME, false},
        {"socket.gethostbyaddr", MW_SEND, NAME, false},
        {"socket.gethostbyname", MW_SEND, NAME, false},
        {"socket.send", MW_SEND, ADDRESS, false},
        {"socket.sendmsg", MW_SEND, ADDRESS, false},
        {"socket.sendto", MW_SEND, ADDRESS, false},
        {"sqlite3.connect", MW_WRITE, CREATE, false},
        {"subprocess.Popen", MW_EXEC, POPEN, true},
        {"sys.addaudithook", MW_TAMPER, CODE, false},
        {"sys.remote_exec", MW_TAMPER, CODE, false},
        {"sys.setprofile", MW_TAMPER, CODE, false},
        {"sys.settrace", MW_TAMPER, CODE, false},
        {"syslog.syslog", MW_SEND, CODE, false},
};

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct event *)item)->name);
}

/* An effect in the making: the text it points to lives here. */
struct seen {
	struct mw_effect effect;
	const char *argv[ARGS + 1];
	PyObject *keep[ARGS + 4]; /* owners of encoded text */
	size_t kept;
	char address[160];
	const char *raw; /* the target as the lower sensors will see it */
	bool none;       /* no effect after all: it fails by itself, or only reads */
};

/* Text of a str, bytes or path argument; NULL for anything else. Owned by `seen`. */
static const char *text_of(struct seen *seen, PyObject *object)
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

static PyObject *argument(PyObject *args, Py_ssize_t i)
{
	return args && PyTuple_Check(args) && i < PyTuple_Size(args) ? PyTuple_GetItem(args, i)
	                                                             : NULL;
}

static void take_argv(struct seen *seen, PyObject *list)
{
	Py_ssize_t n = 0;

	if (list && (PyUnicode_Check(list) || PyBytes_Check(list))) {
		seen->argv[n++] = text_of(seen, list);
	} else if (list && (PyList_Check(list) || PyTuple_Check(list))) {
		Py_ssize_t size = PySequence_Size(list);

		for (Py_ssize_t i = 0; i < size && n < ARGS; i++) {
			PyObject *item = PyList_Check(list) ? PyList_GetItem(list, i)
			                                    : PyTuple_GetItem(list, i);
			const char *text = text_of(seen, item);

			seen->argv[n++] = text ? text : "?";
		}
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

static void take_program(struct seen *seen, const char *name, const char *cwd)
{
	char found[1024], dir[1024];
	char *slash;

	if (!name)
		return;
	seen->effect.target = name;
	if (cwd && name[0] != '/' && strchr(name, '/'))
		return; /* relative to a directory that is not ours: taken as it is */
	if (!find_program(name, found)) {
		seen->none = true;
		return;
	}
	snprintf(dir, sizeof(dir), "%s", found);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (found[0] == '/' && is_root_owned(found) && is_root_owned(dir[0] ? dir : "/"))
		seen->effect.facts |= MW_FACT_PINNED;
	if (is_interpreter(found))
		seen->effect.facts |= MW_FACT_INTERPRETER;
}

/* The candidates along PATH: the first that is there is the one that runs. */
static void take_first(struct seen *seen, PyObject *list)
{
	bool tuple = list && PyTuple_Check(list);
	Py_ssize_t n = tuple || (list && PyList_Check(list)) ? PySequence_Size(list) : 0;

	for (Py_ssize_t i = 0; i < n; i++) {
		const char *path =
		        text_of(seen, tuple ? PyTuple_GetItem(list, i) : PyList_GetItem(list, i));

		seen->none = false;
		take_program(seen, path, NULL);
		if (!seen->none)
			return;
	}
}

static void take_popen(struct seen *seen, PyObject *args)
{
	PyObject *list = argument(args, 1);
	PyObject *cwd = argument(args, 2);
	const char *program = text_of(seen, argument(args, 0));

	take_argv(seen, list);
	take_program(seen,
	             program             ? program
	             : seen->effect.argc ? seen->argv[0]
	                                 : NULL,
	             cwd == Py_None ? NULL : text_of(seen, cwd));
}

static void take_command(struct seen *seen, PyObject *args)
{
	static const char *const shell[] = {"sh", "-c"};

	seen->argv[0] = shell[0];
	seen->argv[1] = shell[1];
	seen->argv[2] = text_of(seen, argument(args, 0));
	seen->effect.argv = seen->argv;
	seen->effect.argc = seen->argv[2] ? 3 : 2;
	seen->effect.target = "/bin/sh";
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
static const char *path_of_fd(struct seen *seen, PyObject *number)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%ld", PyLong_AsLong(number));
	n = readlink(link, seen->address, sizeof(seen->address) - 1);
	seen->address[n > 0 ? n : 0] = '\0';
	return n > 0 ? seen->address : NULL;
}

static void take_path(struct seen *seen, PyObject *object, bool must_exist)
{
	struct stat st;

	if (object && PyLong_Check(object)) {
		seen->effect.target = path_of_fd(seen, object);
		return;
	}
	seen->effect.target = seen->raw = text_of(seen, object);
	if (!seen->raw)
		return;
	if (must_exist && lstat(seen->raw, &st))
		seen->none = true;
	if (!must_exist && (!lstat(seen->raw, &st) || !parent_exists(seen->raw)))
		seen->none = true;
}

static void take_open(struct seen *seen, PyObject *args)
{
	PyObject *flags_object = argument(args, 2);
	long flags = flags_object && PyLong_Check(flags_object) ? PyLong_AsLong(flags_object) : 0;
	struct stat st;

	if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC))) {
		seen->none = true;
		return;
	}
	seen->effect.number = flags;
	seen->effect.target = seen->raw = text_of(seen, argument(args, 0));
	if (!seen->raw) {
		seen->none =
		        argument(args, 0) && PyLong_Check(argument(args, 0)); /* already open */
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

static void take_library(struct seen *seen, PyObject *args)
{
	const char *name = text_of(seen, argument(args, 0));

	if (!strcmp(seen->effect.op, "ctypes.dlsym"))
		name = text_of(seen, argument(args, 1));
	seen->effect.target = seen->raw = name;
	if (argument(args, 0) == Py_None ||
	    (name && (!strchr(name, '/') || mw_shim->trusted(name))))
		seen->effect.facts |= MW_FACT_INSTALLED; /* None is the program itself */
}

/* Variables that decide what later programs and interpreters run. */
static void take_variable(struct seen *seen, PyObject *args)
{
	static const char *const steering[] = {"LD_",        "PYTHON",        "PATH",
	                                       "BASH_ENV",   "ENV",           "MODELWATCH_",
	                                       "GCONV_PATH", "GLIBC_TUNABLES"};
	const char *name = text_of(seen, argument(args, 0));

	seen->none = true;
	seen->effect.target = name;
	for (size_t i = 0; name && i < sizeof(steering) / sizeof(*steering); i++)
		if (!strncmp(name, steering[i], strlen(steering[i])))
			seen->none = false;
}

static void take_signal(struct seen *seen, PyObject *args)
{
	PyObject *number = argument(args, 1);

	seen->effect.number = number && PyLong_Check(number) ? PyLong_AsLong(number) : 0;
	seen->none = seen->effect.number == 0; /* only asks whether the process is there */
	PyErr_Clear();
}

static void take_name(struct seen *seen, PyObject *args)
{
	const char *name = text_of(seen, argument(args, 0));

	seen->effect.target = name;
	seen->none = !name || mw_is_numeric(name);
}

static void take(struct seen *seen, enum shape shape, PyObject *args, const struct mw_walk *walk)
{
	switch (shape) {
	case COMMAND:
		take_command(seen, args);
		break;
	case PROGRAM:
		take_argv(seen, argument(args, 1));
		take_program(seen, text_of(seen, argument(args, 0)), NULL);
		break;
	case SPAWN:
		take_argv(seen, argument(args, 2));
		take_program(seen, text_of(seen, argument(args, 1)), NULL);
		break;
	case POPEN:
		take_popen(seen, args);
		break;
	case FORK:
		take_argv(seen, argument(args, 0));
		take_first(seen, argument(args, 1));
		break;
	case ARGV:
		take_argv(seen, argument(args, 0));
		take_program(seen, seen->effect.argc ? seen->argv[0] : NULL, NULL);
		break;
	case ADDRESS:
		seen->effect.facts |= mw_address(argument(args, 0), argument(args, 1),
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
		take_path(seen, argument(args, 0), true);
		break;
	case CREATE:
		take_path(seen, argument(args, 0), false);
		break;
	case TWO:
		take_path(seen, argument(args, 0), true);
		seen->effect.target2 = text_of(seen, argument(args, 1));
		break;
	case LINK:
		take_path(seen, argument(args, 1), false);
		seen->effect.target2 = text_of(seen, argument(args, 0));
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
		seen->effect.target = text_of(seen, argument(args, 1));
		if (mw_stands_in_file(argument(args, 0), seen->effect.target))
			seen->effect.facts |= MW_FACT_REBUILDER;
		break;
	case PLANT:
		seen->none = mw_by_installed_code(walk);
		break;
	case CODE:
	case THREAD:
		break;
	}
}

static void drop(struct seen *seen)
{
	while (seen->kept)
		Py_DECREF(seen->keep[--seen->kept]);
}

/* A new event ends the announcement of the event before, and of functions that have returned. */
static void end_announcements(struct mw_thread *thread, const struct mw_walk *walk)
{
	thread->note.valid = false;
	thread->thread_by_call = false;
	if (thread->span.valid && !mw_is_running(walk, thread->span.frame))
		thread->span.valid = false;
}

static int refuse(const struct mw_effect *effect, const struct mw_answer *answer)
{
	char text[200];
	PyObject *error;

	snprintf(text, sizeof(text), "Operation not permitted by modelwatch (%s)%s%s", effect->op,
	         answer->id[0] ? ", alert " : "", answer->id);
	error = PyObject_CallFunction(PyExc_PermissionError, "is", EPERM, text);
	if (error)
		PyErr_SetObject(PyExc_PermissionError, error);
	Py_XDECREF(error);
	return -1;
}

static int judge(struct mw_effect *effect, const struct mw_walk *walk, struct mw_answer *answer)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_pyframe frames[MW_WIRE_FRAMES];
	struct mw_load *load = thread->load;
	uint32_t count, inside;

	effect->sensor = MW_PYTHON;
	if (mw_is_rebuilder(walk))
		effect->facts |= MW_FACT_REBUILDER;
	if (load) {
		mw_describe(load);
		mw_locate(load);
		effect->cause = mw_cause(thread, walk, effect->target, &effect->facts);
		if (load->called)
			effect->facts |= MW_FACT_CALLED;
		if (load->rebuilds && effect->class == MW_CODE)
			effect->facts |= MW_FACT_REBUILDER;
		load->importing = mw_imports_global(load, walk);
	} else {
		effect->cause = mw_cause(thread, walk, effect->target, &effect->facts);
		effect->facts |= MW_FACT_SCOPE | MW_FACT_AFTER | MW_FACT_CALLED;
	}
	count = mw_stack(load, frames, &inside);
	mw_shim->judge(effect, frames, count, inside, answer);
	return answer->verdict >= MW_DENY ? -1 : 0;
}

int mw_judge_here(struct mw_effect *effect)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_answer answer;
	struct mw_walk walk;

	mw_walk(thread->load, &walk);
	return judge(effect, &walk, &answer) < 0 ? refuse(effect, &answer) : 0;
}

static void keep_text(char *out, size_t size, const char *text)
{
	if (!text || strlen(text) >= size)
		text = "";
	strcpy(out, text);
}

static void announce(const struct event *event, const struct seen *seen,
                     const struct mw_answer *answer)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_note *note = event->frame ? &thread->span : &thread->note;

	note->valid = true;
	note->joined = false;
	note->class = event->class;
	note->verdict = answer->verdict;
	note->op = event->name;
	note->frame = PyEval_GetFrame();
	memcpy(note->id, answer->id, sizeof(note->id));
	keep_text(note->target, sizeof(note->target), seen->raw ? seen->raw : seen->address);
	keep_text(note->target2, sizeof(note->target2), seen->effect.target2);
}

/* A thread that a call of the load starts stays in its scope; one that an import or the loader
 * starts does not. */
static void on_thread(struct mw_load *load, const struct mw_walk *walk)
{
	uint32_t facts = 0;

	mw_describe(load);
	mw_locate(load);
	load->importing = mw_imports_global(load, walk);
	mw_shim->thread()->thread_by_call =
	        mw_cause(mw_shim->thread(), walk, NULL, &facts) == MW_BY_CALL &&
	        load->origin != MW_FROM_SESSION;
}

static int on_effect(const struct event *event, PyObject *args)
{
	struct mw_thread *thread = mw_shim->thread();
	struct seen seen = {.effect = {.class = event->class, .op = event->name}};
	struct mw_answer answer;
	struct mw_walk walk;
	int result = 0;

	mw_walk(thread->load, &walk);
	end_announcements(thread, &walk);
	if (event->shape == THREAD) {
		if (thread->load)
			on_thread(thread->load, &walk);
		return 0;
	}
	take(&seen, event->shape, args, &walk);
	PyErr_Clear();
	if (!seen.none && !mw_note_implies(&thread->span, &seen.effect)) {
		result = judge(&seen.effect, &walk, &answer);
		PyErr_Clear();
		if (result < 0)
			refuse(&seen.effect, &answer);
		else
			announce(event, &seen, &answer);
	}
	drop(&seen);
	return result;
}

/* What is being imported in a load, or in a thread in scope; NULL elsewhere. */
static struct mw_imports *imports_of(struct mw_thread *thread)
{
	if (thread->load)
		return &thread->load->imports;
	return thread->scope ? &thread->imports : NULL;
}

/* An extension module is about to be loaded by the import system: its library may be mapped, and
 * its initialisation runs native code with the import's own cause. */
static int on_extension(struct mw_thread *thread, const char *name, PyObject *args)
{
	struct seen seen = {
	        .effect = {.class = MW_MAP, .op = "import", .facts = MW_FACT_EXTENSION}};
	const struct event event = {"import", MW_MAP, LIBRARY, false};
	struct mw_answer answer;
	struct mw_walk walk;
	int result;

	mw_walk(thread->load, &walk);
	seen.effect.target = seen.raw = text_of(&seen, argument(args, 1));
	if (!seen.raw)
		return 0;
	if (thread->load)
		mw_describe(thread->load);
	if (mw_is_allowed_extension(thread->load, name, seen.raw, imports_of(thread)->since))
		seen.effect.facts |= MW_FACT_INSTALLED;
	result = judge(&seen.effect, &walk, &answer);
	PyErr_Clear();
	if (result < 0)
		refuse(&seen.effect, &answer);
	else
		announce(&event, &seen, &answer);
	if (seen.effect.facts & MW_FACT_INSTALLED &&
	    (seen.effect.cause == MW_BY_IMPORT || seen.effect.cause == MW_BY_MACHINERY))
		imports_of(thread)->native = MW_BY_IMPORT;
	drop(&seen);
	return result;
}

/* An import is over when its frame has gone, or imports the next module. */
static void note_import(struct mw_thread *thread, const char *name)
{
	struct mw_imports *imports = imports_of(thread);
	void *frame = PyEval_GetFrame(), *base = thread->load ? thread->load->frame : NULL;
	uint32_t n = imports->count;
	struct mw_walk walk;

	if (n)
		mw_walk(thread->load, &walk);
	while (n && (imports->at[n - 1].frame == frame ||
	             (imports->at[n - 1].frame != base &&
	              !mw_is_running(&walk, imports->at[n - 1].frame))))
		n--;
	imports->count = n;
	if (n == MW_IMPORTS)
		return;
	imports->at[n].frame = frame;
	imports->at[n].name = mw_name_hash(name);
	imports->count = n + 1;
}

static bool is_hooked_module(const char *name)
{
	return !strcmp(name, "_pickle") || !strcmp(name, "pickle") ||
	       !strcmp(name, "torch._weights_only_unpickler");
}

/* Raised by the import statement before it looks for a module, and again with a file name before an
 * extension module is opened. The modules with unpicklers are imported right here: the import that
 * asked finds them done, and no load can come before the hook. */
static int on_import(PyObject *args)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *name_object = argument(args, 0);
	const char *name = name_object && PyUnicode_Check(name_object)
	                           ? PyUnicode_AsUTF8AndSize(name_object, NULL)
	                           : NULL;

	PyErr_Clear();
	if (!name)
		return 0;
	if (imports_of(thread) && argument(args, 1) && argument(args, 1) != Py_None)
		return on_extension(thread, name, args);
	if (imports_of(thread))
		note_import(thread, name);
	if (!strcmp(name, "modelwatch"))
		mw_provide_module();
	if (is_hooked_module(name))
		mw_hook_pickle(name);
	if (!strcmp(name, "pickle"))
		mw_hook_pickle("_pickle");
	if (is_hooked_module(name))
		mw_hook_planters();
	if (!strcmp(name, "subprocess") || !strcmp(name, "_posixsubprocess"))
		mw_hook_fork_exec();
	if (!strcmp(name, "_xxsubinterpreters"))
		mw_hook_interpreters();
	if (!strcmp(name, "socket") || !strcmp(name, "_socket"))
		mw_hook_socket();
	PyErr_Clear();
	return 0;
}

static int refuse_fetch(const char *name)
{
	struct mw_effect effect = {
	        .class = MW_CODE, .op = "find_class", .target = name, .facts = MW_FACT_DEFERRED};

	return mw_judge_here(&effect);
}

/* The global before the one that is fetched now has arrived: what could not be told of a module
 * that was not imported yet can be told now. */
static void settle(struct mw_load *load)
{
	char module[MW_GLOBAL_TEXT];
	char *space;

	if (!load->pending)
		return;
	load->pending = false;
	memcpy(module, load->seen[(load->globals - 1) % MW_WIRE_GLOBALS], sizeof(module));
	space = strchr(module, ' ');
	if (space)
		*space = '\0';
	if (!space || mw_classify(module, space + 1) >= MW_OTHER)
		load->called = true;
}

/* Python 2's names, which the unpickler maps before it imports. */
static bool is_old_name(const char *module)
{
	return !strcmp(module, "__builtin__") || !strcmp(module, "copy_reg");
}

/* The import that would follow at once is done here, with its effects judged as ever: afterwards it
 * is known to be over, and what was fetched can be told by what it is. Returns 0, or -1 with the
 * error that the unpickler would have met. */
static int import_now(struct mw_load *load, const char *module)
{
	struct mw_thread *thread = mw_shim->thread();
	PyObject *imported;

	if (PyDict_GetItemString(PyImport_GetModuleDict(), module) || is_old_name(module))
		return 0;
	mw_leave(NULL);
	imported = PyImport_ImportModule(module);
	mw_enter();
	load->imports.count = 0;
	load->imports.native = MW_BY_NATIVE;
	load->importing = false;
	thread->note.valid = thread->span.valid = false;
	Py_XDECREF(imported);
	if (!imported && !PyErr_ExceptionMatches(PyExc_ImportError))
		return -1;
	PyErr_Clear();
	return 0;
}

/* "module name", cut to fit. */
static void set_global(char slot[static MW_GLOBAL_TEXT], const char *module, const char *name)
{
	size_t m = strnlen(module, MW_GLOBAL_TEXT - 2);
	size_t n = strnlen(name, MW_GLOBAL_TEXT - 2 - m);

	memcpy(slot, module, m);
	slot[m] = ' ';
	memcpy(slot + m + 1, name, n);
	slot[m + 1 + n] = '\0';
}

static int on_find_class(PyObject *args)
{
	struct mw_load *load = mw_shim->thread()->load;
	PyObject *m = argument(args, 0), *n = argument(args, 1);
	const char *module = m && PyUnicode_Check(m) ? PyUnicode_AsUTF8AndSize(m, NULL) : NULL;
	const char *name = n && PyUnicode_Check(n) ? PyUnicode_AsUTF8AndSize(n, NULL) : NULL;
	char dotted[2 * MW_GLOBAL_TEXT];
	enum mw_global kind;

	PyErr_Clear();
	if (!load || !module || !name)
		return 0;
	if (!load->globals)
		load->imports.since = time(NULL);
	settle(load);
	set_global(load->seen[load->globals++ % MW_WIRE_GLOBALS], module, name);
	kind = mw_classify(module, name);
	if (kind != MW_CLASS && import_now(load, module) < 0)
		return -1;
	if (kind == MW_OTHER)
		kind = mw_classify(module, name); /* a class can be told from a function now */
	if (kind == MW_OTHER)
		kind = mw_classify_object(module, name); /* whatever name it has here */
	load->pending = kind >= MW_OTHER;
	if (kind <= MW_CLASS)
		return 0;
	mw_describe(load);
	load->rebuilds |= kind == MW_REBUILDS;
	if (kind < MW_EFFECTFUL || load->origin == MW_FROM_SESSION)
		return 0;
	mw_locate(load);
	snprintf(dotted, sizeof(dotted), "%s.%s", module, name);
	if (kind == MW_NEVER || !mw_shim->only_called())
		return refuse_fetch(dotted);
	return 0;
}

/* The innermost Python frame; never NULL. */
static void *innermost(void)
{
	static char none;
	void *frame = PyEval_GetFrame();

	return frame ? frame : &none;
}

void *mw_enter(void)
{
	struct mw_thread *thread = mw_shim->thread();
	void *outer = thread->own;

	thread->busy++;
	thread->own = innermost();
	return outer;
}

void mw_leave(void *outer)
{
	struct mw_thread *thread = mw_shim->thread();

	thread->own = outer;
	thread->busy--;
}

static int on_other(const char *name, void *args)
{
	const struct event *event =
	        bsearch(name, events, sizeof(events) / sizeof(*events), sizeof(*events), by_name);

	return event ? on_effect(event, args) : 0;
}

static int handle(struct mw_thread *thread, const char *name, void *args)
{
	void *outer;
	int result = 0;

	if (!strcmp(name, "import")) {
		thread->busy++;
		result = on_import(args);
		thread->busy--;
		return result;
	}
	outer = mw_enter();
	if (!strcmp(name, "pickle.find_class"))
		result = on_find_class(args);
	else if (thread->active)
		result = on_other(name, args);
	mw_leave(outer);
	return result;
}

int mw_event(const char *name, void *args)
{
	struct mw_thread *thread = mw_shim->thread();
	uint32_t busy = thread->busy;
	void *own = thread->own;
	int result;

	if (busy && (!own || own == innermost()))
		return 0;
	thread->busy = 0;
	thread->own = NULL;
	result = handle(thread, name, args);
	thread->own = own;
	thread->busy = busy;
	return result;
}
