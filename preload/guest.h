/* What the shim gives to the CPython extension: one table of functions, found by name with dlsym.
 *
 * Both run in the watched process. The shim holds the thread's state, decides by the mapped policy
 * and talks to the monitor; the extension opens and closes loads and knows the Python stack. */
#ifndef MW_PRELOAD_GUEST_H
#define MW_PRELOAD_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/effect.h"
#include "../core/implies.h"
#include "../core/policy.h"
#include "../core/wire.h"

#define MW_GUEST_SYMBOL "modelwatch_guest_1"
#define MW_GLOBAL_TEXT 128
#define MW_IMPORTS 64
#define MW_SECRET_PATH 1024 /* the real path of a secret, with its NUL */

/* The import events of a load, or of a thread in scope, whose import is still running, for the
 * proof of import context: the innermost frame when the event was raised, and the hash of the
 * module's name. Full, it takes no more: the outermost ones are the proof. */
struct mw_imports {
	int64_t since; /* seconds since the epoch: files newer than that prove nothing */
	enum mw_cause
	        native; /* cause that native code would act with: by import while one is proved */
	uint32_t count;
	struct {
		void *frame;
		uint64_t name;
	} at[MW_IMPORTS];
};

/* One open load. What is set on opening: up to `globals`, and of the imports their count and
 * `native`.
 */
struct mw_load {
	struct mw_load *outer;
	const char *entry; /* the wrapped function: "pickle.load" */
	void *unpickler;   /* borrowed PyObject: the Unpickler, or NULL */
	void *file;        /* borrowed PyObject: the file or bytes argument, or NULL */
	void *frame;       /* borrowed PyFrameObject of the caller: the boundary of the load */
	uintptr_t sp;      /* stack pointer of the frame that opens and closes it */
	uint64_t id;       /* 0 until somebody has to be told */
	uint32_t slot;     /* in the state page, 0 until announced */
	uint32_t depth;
	int64_t start_tell; /* position of the file at entry, or -1 */
	bool in_frame;      /* of the wrapped function: there was no memory for it elsewhere */
	bool described;     /* the fields under "description" are set */
	bool denied;        /* one of its effects was denied */
	bool floored;       /* the floor looks at what its thread does */
	bool pending;       /* the last global is beyond the plain rebuilders, as far as known */
	bool called;        /* a global beyond the plain rebuilders was fetched */
	bool rebuilds;      /* a known rebuilder of functions was fetched (dill, cloudpickle) */
	bool importing;     /* the last audit event came from the import of the last global */
	uint64_t globals;   /* find_class events so far */

	/* Valid from globals > 0: a ring of the last MW_WIRE_GLOBALS names, "module name". */
	char seen[MW_WIRE_GLOBALS][MW_GLOBAL_TEXT];
	struct mw_imports imports;

	/* Description, filled by the extension before the first call that can have an effect. */
	enum mw_origin origin;
	char outermost[64]; /* outermost entry point: "torch.load" */
	char path[512];
	int fd;
	uint64_t data, data_len, start;
	int64_t tell;
	bool tell_exact;

	/* For the inventory: kept while it is wanted; `began` is 0 elsewhere. */
	uint64_t began; /* ns of the monotonic clock */
	enum mw_answer_known weights_only;
	uint32_t dev; /* of the file that it reads, as in struct mw_record_load */
	uint64_t ino;

	/* Set when the policy has limits; kept by the extension. */
	struct {
		bool memory;   /* it would be denied more memory, and the process cannot get it */
		bool grows;    /* it would not, and what it has taken is looked at when it ends */
		uint64_t data; /* of the process when it began, in bytes */
		struct mw_load *next; /* of those whose time runs */
		uint64_t thread;      /* pthread_t that it runs on; 0: its time does not run */
		uint64_t elapsed;     /* in milliseconds */
		bool judged;          /* its time was over, and that was judged */
		bool refused;         /* ... and denied */
		bool interrupted;     /* an exception is on its way to its thread */
	} limit;
};

/* An announcement by the Python sensor: the lower events of this thread that it implies join it
 * (core/implies.h). Texts that do not fit are left empty. */
struct mw_note {
	bool valid;
	bool joined; /* a lower sensor has said that it sees it too */
	enum mw_class class;
	enum mw_verdict verdict;
	enum mw_cause cause;
	uint32_t facts;
	const char *op;
	char target[1024], target2[1024];
	char id[40]; /* of its alert; empty: there is none */
	void *frame; /* the announcing frame, when Python code announced */
};

static inline bool mw_note_implies(const struct mw_note *note, const struct mw_effect *effect)
{
	const struct mw_announced above = {note->class, note->op, note->target, note->target2};

	return note->valid && mw_implies(&above, effect);
}

struct mw_thread {
	uint32_t active; /* the idle path's one branch: an open load, or a scope */
	uint32_t busy;   /* inside our own code: nested events are ours ... */
	bool stands_in;  /* `load` is a copy of another thread's: this one's stack is not the load's
	                  */
	bool collects;   /* the garbage collector was on when our own code was entered */
	void *own;       /* ... but not those of a Python frame above this one, when it is set */
	struct mw_load *load;
	uint64_t scope; /* the load that this thread answers for by birth, or 0 */
	uint32_t scope_slot;
	struct mw_imports imports; /* of a thread in scope */
	struct mw_note note;       /* good for the one call that raised the event */
	struct mw_note span;       /* good until the announcing frame ends: Popen, rmtree */
	bool thread_by_call;  /* the next thread that starts was asked for by a call of the load */
	uint64_t last_denied; /* hash of the last effect that was denied, while its load is open */
	uint64_t looked;  /* hash of the path that Python opens next, which leads to no secret */
	uint64_t reading; /* the secret that was judged for the opening call under way, or 0 */
	char why[768];    /* message of the first denial in the open loads, for UnsafeLoadError */
};

/* What judge() answers. */
struct mw_answer {
	enum mw_verdict verdict;
	char id[40]; /* alert id; empty when the monitor could not be told */
};

struct mw_guest {
	struct mw_thread *(*thread)(void);

	/* The load's id, which it gets now if it has none. */
	uint64_t (*load_id)(struct mw_load *load);

	/* Decides the effect for the calling thread and, when the decision asks for it, has the
	 * monitor record it before returning. `frames` is the Python stack (NULL when unknown).
	 * Marks the open loads denied. Never returns when the verdict is kill. */
	void (*judge)(const struct mw_effect *effect, const struct mw_pyframe *frames,
	              uint32_t count, uint32_t inside, struct mw_answer *ret);

	/* The same for an effect of the sensor's own work, where a floor would see it and nobody
	 * else; nothing without one. */
	void (*permit)(const struct mw_effect *effect, struct mw_answer *ret);

	/* What the effect would be answered, were it to come; nothing is recorded. */
	bool (*would_deny)(const struct mw_effect *effect);

	/* Asks the monitor whether the stream uses the global it fetched last only by calling it at
	 * once. True too when nobody answers: the call itself is still judged. */
	bool (*only_called)(void);

	/* Denials so far in the scope of an announced load, from the state page. */
	uint32_t (*denials)(const struct mw_load *load);

	/* The innermost load has fetched what is no plain rebuilder: from before its call on the
	 * floor, where there is one, looks at this thread, until the load is closed. `frames` is
	 * the Python stack outside the load (NULL: as it was said before). */
	void (*floor_open)(const struct mw_pyframe *frames, uint32_t count);
	void (*floor_close)(const struct mw_load *load);

	/* Asks the monitor what was denied in the scope of the innermost load, for `why`. */
	void (*ask_why)(void);

	/* Whether the monitor wants to hear of loads that have ended, in the state page; never
	 * NULL.
	 */
	const uint32_t *inventory;

	/* Tells it of one, after `duration` ns, and does not wait for it. */
	void (*loaded)(struct mw_load *load, uint64_t duration, bool raised);

	/* Directories whose files were there before any load, and whether a path lies in one, or is
	 * one. */
	void (*trust)(const char *directory);
	bool (*trusted)(const char *path);
	bool (*is_entry)(const char *directory);

	/* Whether `code` is the shim's own, and none of the functions that it wraps. */
	bool (*is_own)(const void *code);

	/* Whether a process descends from the monitor and answers for no load. */
	bool (*same_run)(int pid);

	/* Whether Python is about to open a secret for reading; then `real` is its real path. */
	bool (*secret)(const char *path, int flags, char real[static MW_SECRET_PATH]);

	/* The key of a note: a hash of the target. */
	uint64_t (*hash)(const char *text);

	/* What the policy lets a load take; NULL: whatever it likes. */
	const struct mw_limits *limits;

	/* From here to the matching call of `unlimit_memory` the process's data may grow by so many
	 * bytes and no more, unless a lower limit was set. Calls may overlap; both under the GIL.
	 * Returns 0 or a negative errno. */
	int (*limit_memory)(uint64_t growth);
	void (*unlimit_memory)(void);
	uint64_t (*data_size)(void); /* the process's data in bytes; 0: it cannot be told */

	const char *directory; /* where the shim lies, without a final slash */
	const char *version;
	bool monitored; /* the policy came from a monitor at start */

	/* Set by the extension when it is imported. `event` runs under the GIL for every audit
	 * event of an active thread and for "import" and "pickle.find_class" of any thread. Returns
	 * -1 with a Python error set to refuse the event. */
	int (*_Atomic event)(const char *name, void *args);
};

#endif
