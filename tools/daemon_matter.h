/* What the parts of the daemon's judge share: one event, and what has been found out about it. */
#ifndef MW_TOOLS_DAEMON_MATTER_H
#define MW_TOOLS_DAEMON_MATTER_H

#include <limits.h>

#include "../core/effect.h"
#include "../core/sockname.h"
#include "../core/wire.h"
#include "daemon_check.h"
#include "daemon_given.h"
#include "daemon_judge.h"
#include "daemon_scope.h"
#include "unwind.h"

#define MW_DAEMON_NATIVE 64
#define MW_DAEMON_ROOM 65536 /* bytes of text made of an event */

/* One Python frame. Texts end with a NUL; "?" where the kernel could not read it. */
struct mw_daemon_frame {
	const char *function; /* without its class */
	const char *qualified;
	const char *file;
	uint32_t line;  /* 0: not known */
	bool is_static; /* its code was built into the interpreter */
};

/* What the globals that a load has fetched say about it. */
struct mw_daemon_globals {
	bool called;     /* something beyond the plain rebuilders may have been called */
	bool makes_code; /* code may have been made, so frames may have any name */
};

enum mw_daemon_unwound {
	MW_NOT_UNWOUND, /* not tried yet */
	MW_UNWOUND,
	MW_CANNOT_UNWIND,
};

struct mw_daemon_matter {
	const struct mw_daemon_judge_options *options;
	const struct mw_daemon_event *event;
	const struct mw_k_effect *k;
	pid_t pid;
	const struct mw_k_load *load; /* the innermost that is open, or NULL: in scope by birth */
	const struct mw_k_load *open[MW_K_LOADS]; /* all that are, outermost first */
	uint32_t depth;                           /* how many */
	uint32_t united; /* of these, the torch.load()s whose unpickler is the next one */
	struct mw_daemon_birth *birth; /* when there is no load: NULL when it is not known */

	struct mw_daemon_frame frame[MW_K_FRAMES];
	uint32_t frame_count;
	uint32_t inside; /* how many lie inside the load */
	uint32_t own;    /* of these, those that are not the unpickler's own */
	bool whole;      /* that is certain */
	struct mw_daemon_globals globals;

	/* The load of the last stream in memory that was looked for in files, and what was found.
	 */
	uint64_t held_load, held_ino;
	uint32_t held_dev;

	struct mw_givens *givens;
	struct mw_unwinder *unwinder;
	enum mw_daemon_unwound unwound;
	struct mw_native_frame native[MW_DAEMON_NATIVE];
	int native_count;

	struct mw_k_effect as_call; /* what a ring was asked for, as the system call */
	struct mw_effect effect;    /* its texts lie in `room`, or are constant */
	const char *argv[MW_WIRE_ARGS];
	char artifact[PATH_MAX]; /* of the load or one around it; empty: not known */
	size_t used;
	char room[MW_DAEMON_ROOM];
};

/* Copies text into the matter's room and ends it with a NUL; bytes behind a NUL in it are left out.
 * NULL when there is none, or no room. */
const char *mw_daemon_text(struct mw_daemon_matter *m, struct mw_str text);
const char *mw_daemon_path(struct mw_daemon_matter *m, const struct mw_k_path *path);

/* daemon_frames.c: the Python stack, and where the load begins in it. False when the stack shows
 * that the load, one of an unpickler written in Python, is over. */
void mw_daemon_take_frames(struct mw_daemon_matter *m);
void mw_daemon_take_lines(struct mw_daemon_matter *m); /* for who is told */
bool mw_daemon_place_load(struct mw_daemon_matter *m);
/* Whether torch.load()'s own code has had the load `inner` made, with nothing in between. */
bool mw_daemon_is_torchs(const struct mw_daemon_matter *m, const struct mw_k_load *outer,
                         const struct mw_k_load *inner);
/* Whether the load is a torch.load() that does its own work: its unpickler is not on the stack. */
bool mw_daemon_is_torch_at_work(const struct mw_daemon_matter *m);

/* daemon_native.c: unwinds once. True when there are frames. */
bool mw_daemon_unwind(struct mw_daemon_matter *m);
/* What the native stack shows of `load`: that its entry point has not returned; that another
 * function stands in its place; or nothing. */
enum mw_daemon_seen { MW_SEEN_NOTHING, MW_SEEN_OPEN, MW_SEEN_OVER };
enum mw_daemon_seen mw_daemon_seen(struct mw_daemon_matter *m, const struct mw_k_load *load);
/* Whether the call comes from native code of an installed library, and of none that does what
 * Python code tells it. */
bool mw_daemon_by_library(struct mw_daemon_matter *m);
/* Whether it is memory that libffi makes for its own callbacks. */
bool mw_daemon_by_ffi(struct mw_daemon_matter *m);
/* Whether the extension that `run` puts into interpreters is at work inside the load. */
bool mw_daemon_by_extension(struct mw_daemon_matter *m);
/* Whether a function of libc called `symbol` is at work. False, too, when it cannot be told. */
bool mw_daemon_in_function(struct mw_daemon_matter *m, const char *symbol);

/* daemon_effect.c: the effect of the event. `second` asks for the one that the same call has beside
 * its first: a file opened for writing is opened for reading, too. False: there is none. */
bool mw_daemon_effect(struct mw_daemon_matter *m, const struct mw_policy *policy, bool second);

/* daemon_file.c, daemon_program.c: the same for calls about files, and programs. */
bool mw_daemon_file_effect(struct mw_daemon_matter *m, const struct mw_policy *policy, bool second);
bool mw_daemon_map_effect(struct mw_daemon_matter *m);
bool mw_daemon_program_effect(struct mw_daemon_matter *m);
/* Facts about a program, once it is known whether the load has called anything. */
void mw_daemon_program_facts(struct mw_daemon_matter *m);

/* daemon_trust.c: whether a file holds code of an installed package, of the interpreter or of the
 * user's own, that was there before the load: not what came with the model. */
bool mw_daemon_trusts(const struct mw_daemon_matter *m, const char *path);
/* Whether the import system caches bytecode there, or makes a directory to do so. */
bool mw_daemon_is_bytecode(const struct mw_daemon_matter *m, const char *path);
/* Whether it was installed. */
bool mw_daemon_is_installed(const struct mw_daemon_matter *m, const char *path);

/* daemon_globals.c */
void mw_daemon_take_globals(struct mw_daemon_matter *m);
/* Whether the last part of a global that was fetched is `name`. */
bool mw_daemon_fetched(const struct mw_daemon_matter *m, const char *name);

/* daemon_cause.c: what in the load led to the effect. Adds facts about it to the effect. */
enum mw_cause mw_daemon_cause(struct mw_daemon_matter *m);
/* Whether the load imports the global that it fetched last: everything in it is that import's. */
bool mw_daemon_is_importing(const struct mw_daemon_matter *m);

/* daemon_load.c: the load of the matter, as a record has it; texts lie in the matter's room. */
void mw_daemon_load(struct mw_daemon_matter *m, struct mw_record_load *ret);
/* Its artifact alone. */
void mw_daemon_take_artifact(struct mw_daemon_matter *m);

/* The judge itself. */
#define MW_DAEMON_REPEATED 4096 /* effects that are remembered */
#define MW_DAEMON_BOUND 256

struct mw_daemon_judge {
	struct mw_daemon_judge_options options;
	const struct mw_policy *policy;
	struct mw_unwinder *unwinder;
	struct mw_daemon_scope scope;
	struct mw_givens givens;
	dev_t shim_dev; /* of our own library, which `run` preloads; 0: there is none */
	ino_t shim_ino;
	struct mw_daemon_counters count;
	uint64_t bound[MW_DAEMON_BOUND];   /* loads that have bound sockets */
	uint64_t seen[MW_DAEMON_REPEATED]; /* keys of effects, each where its key says */
	struct mw_daemon_matter matter;    /* the one at hand: too large for a stack */
	struct mw_record record;
};

/* daemon_decide.c: decides the effect of the matter, and tells of it. */
void mw_daemon_decide(struct mw_daemon_judge *judge);
/* Its record; the lines of the Python stack, which only who is told needs; where in the stream. */
void mw_daemon_fill_record(struct mw_daemon_judge *judge);
void mw_daemon_fill_lines(struct mw_daemon_judge *judge);
void mw_daemon_locate(const struct mw_daemon_judge *judge, struct mw_location *ret);

/* daemon_births.c: what led to the effect, which may be that of a task's birth. */
enum mw_cause mw_daemon_cause_of(struct mw_daemon_matter *m);
/* A program that was decided on answers for the load from now on, or lives by itself. */
void mw_daemon_follow(struct mw_daemon_judge *judge, const struct mw_decision *decision,
                      const struct mw_location *at);
/* Remembers why the matter's task has started another one. */
void mw_daemon_birth(struct mw_daemon_judge *judge);
/* Whether the task does what it does by itself: what an import or a library has started does,
 * other than becoming a program, and a program that was allowed. */
bool mw_daemon_lives_by_itself(struct mw_daemon_judge *judge);

#endif
