/* What the files of the extension share. All of it runs in the watched interpreter under the GIL.
 *
 * Functions that call into Python keep the error indicator as they found it, and run with
 * mw_self->busy raised, so that the events they cause are not taken for the job's. */
#ifndef MW_PYEXT_EXT_H
#define MW_PYEXT_EXT_H

#include "compat.h"

#include "../core/rebuilders.h"
#include "../preload/guest.h"

#define MW_INSIDE 1024 /* frames looked at inside a load */

extern struct mw_guest *mw_shim;

/* stack.c: the frames inside the innermost load, innermost first; borrowed, valid until the caller
 * returns to Python. `load` may be NULL: then all frames are taken. */
struct mw_frame {
	PyFrameObject *frame;
	PyCodeObject *code;
};
struct mw_walk {
	struct mw_frame inside[MW_INSIDE];
	uint32_t count;
	bool whole;       /* the boundary was reached */
	const void *base; /* the boundary: the frame that asked for the load, or NULL */
};
void mw_walk(const struct mw_load *load, struct mw_walk *ret);
/* What led to what is happening now, and facts that the frames prove. */
enum mw_cause mw_cause(const struct mw_thread *thread, const struct mw_walk *walk,
                       const char *target, uint32_t *facts);
/* The load imports the module of a global right now; the innermost function is of an installed
 * file. */
bool mw_imports_global(const struct mw_load *load, const struct mw_walk *walk);
bool mw_by_installed_code(const struct mw_walk *walk);
/* The innermost function is a known maker of functions or syntax trees. */
bool mw_is_rebuilder(const struct mw_walk *walk);
/* The Python stack for a record: the strings live as long as their code objects, which run. */
uint32_t mw_stack(const struct mw_load *load, struct mw_pyframe out[static MW_WIRE_FRAMES],
                  uint32_t *inside);
const char *mw_code_text(PyCodeObject *code, const char *attribute);
bool mw_is_running(const struct mw_walk *walk, const void *frame);
/* A local variable of a frame; new reference or NULL with no error set. */
PyObject *mw_local(PyFrameObject *frame, const char *name);
int mw_stack_init(void);
/* The innermost frame is the pure-Python unpickler's own. */
bool mw_in_unpickler(void);
/* Functions whose frames are the pure-Python unpickler's own. */
void mw_stack_add_machinery(PyObject *type);

/* describe.c: what the load reads, as far as that can be told without running the job's code. */
void mw_describe(struct mw_load *load);

/* Whether an earlier stream of the same file, or of no file as this one, has called something
 * beyond the plain rebuilders; and what says so when a load that did ends. */
bool mw_has_called(const struct mw_load *load);
void mw_remember_calls(const struct mw_load *load);
void mw_locate(struct mw_load *load);

/* files.c: file objects, asked without running anybody's code. What is returned is borrowed. */
int mw_files_init(void);
PyObject *mw_file_of(PyObject *unpickler); /* or NULL */
/* The file whose bound method a pure-Python unpickler keeps as `attribute`, or NULL. */
PyObject *mw_file_of_reader(PyObject *unpickler, const char *attribute);
bool mw_is_bytes_io(PyObject *file);
bool mw_has_descriptor(PyObject *file);
int mw_descriptor(PyObject *file); /* of a file that has one; -1 when it is closed */
/* The file with a descriptor that `file` unpacks, or NULL; where in it `file` starts, if that is
 * known, goes to `ret_start`. */
PyObject *mw_wrapped_file(PyObject *file, uint64_t *ret_start);
/* The value that an object keeps under `name` in its own dictionary, or NULL. */
PyObject *mw_own_value(PyObject *object, const char *name);
int64_t mw_tell(PyObject *file); /* -1 when it cannot be asked safely */

/* loads.c */
int mw_hook_pickle(const char *module);

/* limits.c: what the policy's `limits` ask of a load; only called when there are any. A load that
 * mw_limit_open() returns false for does not run: an exception is set. Both are called under the
 * GIL by the thread of the load; mw_limit_close() once, and keeps the error indicator. */
bool mw_limit_open(struct mw_load *load);
void mw_limit_close(struct mw_load *load);

/* inventory.c: what begins and ends, called under the GIL by the thread of the load;
 * mw_inventory_close() only when the other one has set `began`. */
void mw_inventory_open(struct mw_load *load);
void mw_inventory_close(struct mw_load *load, bool raised);

/* watchdog.c: the time of loads. mw_watch() begins, mw_unwatch() ends; when that returns, what the
 * watchdog has said about the load is what happened. */
void mw_watch(struct mw_load *load);
void mw_unwatch(struct mw_load *load);

/* globals.c: what the names that a stream fetches stand for. */
enum mw_global mw_classify(const char *module, const char *name);
/* What an object is by its own account, whatever name it was fetched under. */
enum mw_global mw_classify_object(const char *module, const char *name);

/* ext.c: the event with which the interpreter starts the job's own code: a script is trusted
 * wherever it lies. Later ones say nothing. */
void mw_trust_script(const char *event, PyObject *file);

/* events.c: the audit events. */
int mw_event(const char *name, void *args);
/* Around what looks at objects of the job: no code of theirs is meant to run. Where some does (a
 * __getattr__ that a payload brought), its events are judged like any other's. Returns what
 * mw_leave() takes. */
void *mw_enter(void);
void mw_leave(void *outer);
/* Judges what the Python sensor saw in this thread. Returns 0, or -1 with PermissionError set. */
int mw_judge_here(struct mw_effect *effect);

/* allowed.c: whether a file may prove an import in `load` (NULL: in a thread in scope), or be the
 * extension of the module `name`. `since` is when the load began, in seconds since the epoch. */
bool mw_is_allowed_file(const struct mw_load *load, const char *path, int64_t since);
/* Keeps what a payload may change. */
void mw_allowed_init(void);
/* Where the import system caches bytecode, or the directory that it makes for it. */
bool mw_is_bytecode_path(const char *target);
bool mw_is_allowed_extension(const struct mw_load *load, const char *name, const char *path,
                             int64_t since);

/* source.c: `source`, which is compiled under the name `path`, stands in that file: a line of a
 * traceback, which the interpreter parses to underline its parts. Running it is another event. */
bool mw_stands_in_file(PyObject *source, const char *path);

/* silent.c: functions that raise no audit event and should. */
void mw_hook_silent(void);
void mw_hook_socket(void);

/* pointers.c: `base` is _ctypes.CFuncPtr. */
void mw_hook_pointers(PyObject *base);

/* closures.c */
void mw_warm_closures(void);
void mw_hook_planters(void);
void mw_hook_fork_exec(void);
void mw_hook_interpreters(void);

/* imports.c: imports a module as the job would, judged like anything else. New reference, or NULL
 * with an error set. */
PyObject *mw_import(const char *name);

/* error.c */
PyObject *mw_refuse(struct mw_load *load, PyObject *result);
int mw_provide_module(void);

/* The hash of a module's or a target's name. */
#define mw_name_hash(text) (mw_shim->hash(text))

#endif
