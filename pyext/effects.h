/* The audit events that are effects (PEP 578), and what is made of their arguments. */
#ifndef MW_PYEXT_EFFECTS_H
#define MW_PYEXT_EFFECTS_H

#include "ext.h"

#define MW_ARGS 32

/* What is made of the arguments of an event. */
enum mw_shape {
	COMMAND,   /* a shell command */
	PROGRAM,   /* path, argv */
	SPAWN,     /* mode, path, argv */
	FORK,      /* argv, executables to try */
	POPEN,     /* executable, argv, cwd, env */
	ARGV,      /* argv */
	ADDRESS,   /* socket, address */
	NAME,      /* host name */
	OPEN,      /* path, mode, flags */
	CHANGE,    /* a path that must exist */
	CREATE,    /* a path that must not */
	TWO,       /* two paths */
	LINK,      /* target of a symbolic link, path */
	LIBRARY,   /* library name */
	VARIABLE,  /* name of an environment variable */
	SIGNAL,    /* pid, signal */
	CONTROL,   /* descriptor, command: those that have signals sent or input forged */
	ATTRIBUTE, /* object, name: the code of a function */
	DIRECTORY, /* a directory to work in: where programs and imports look first */
	CODE,      /* nothing worth naming */
	SOURCE,    /* source, file name */
	PLANT,     /* something that acts later, planted by code that is not installed */
	THREAD,    /* a thread starts: no effect, but a scope */
};

struct mw_audit_event {
	const char *name;
	enum mw_class class;
	enum mw_shape shape;
	bool frame; /* announced by Python code: what that code then does joins */
	/* Which argument is the descriptor of the directory that a path starts from; that of a
	 * second path comes next; 0: none. */
	uint8_t directory;
};

/* An effect in the making: the text it points to lives here. */
struct mw_seen {
	struct mw_effect effect;
	const char *argv[MW_ARGS + 1];
	PyObject *keep[MW_ARGS + 4]; /* owners of encoded text */
	size_t kept;
	char address[160];
	char program[1024]; /* as found along PATH; or a path behind a directory's descriptor */
	char second[1024];  /* a second such path */
	const char *raw2;   /* the second target as the lower sensors will see it */
	char real[MW_SECRET_PATH];
	const char *raw; /* the target as the lower sensors will see it */
	bool none;       /* no effect after all: it fails by itself, or only reads */
};

/* The event called `name`, or NULL when it is none that counts. */
const struct mw_audit_event *mw_find_event(const char *name);

/* Fills the effect of `seen` from the arguments of an event; mw_drop() lets go of what it keeps. No
 * error is left set. */
void mw_take(struct mw_seen *seen, const struct mw_audit_event *event, PyObject *args,
             const struct mw_walk *walk);
void mw_drop(struct mw_seen *seen);

/* Argument `i` of an event, borrowed; NULL when there are fewer. */
PyObject *mw_argument(PyObject *args, Py_ssize_t i);
/* Text of a str, bytes or path argument; NULL for anything else. Owned by `seen`. */
const char *mw_text_of(struct mw_seen *seen, PyObject *object);

/* events.c: what the other files of the sensor end in. judge() returns 0, or -1 when the effect is
 * denied; refuse() sets PermissionError and returns -1; announce() lets lower sensors join. */
int mw_judge(struct mw_effect *effect, const struct mw_walk *walk, struct mw_answer *answer);
int mw_refuse_effect(const struct mw_effect *effect, const struct mw_answer *answer);
void mw_announce(const struct mw_audit_event *event, const struct mw_seen *seen,
                 const struct mw_answer *answer);

/* imports.c: what is being imported in a load, or in a thread in scope; NULL elsewhere. */
struct mw_imports *mw_imports_of(struct mw_thread *thread);
int mw_on_import(PyObject *args);

/* fetch.c: the stream fetches a global. */
int mw_on_find_class(PyObject *args);

#endif
