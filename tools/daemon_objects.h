/* What was found on this host: the files that interpreters are made of, each once by its inode, and
 * the processes that run one. Fed by the callbacks of daemon_mappings.h; all of one thread, all of
 * it bounded. Files are opened through /proc, so those of containers and deleted ones count too;
 * needs CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and CAP_CHECKPOINT_RESTORE. */
#ifndef MW_TOOLS_DAEMON_OBJECTS_H
#define MW_TOOLS_DAEMON_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../ebpf/pyoffsets.h"
#include "daemon_mappings.h"
#include "elf.h"
#include "python_sites.h"

#define MW_FOUND_OBJECTS 1024   /* files with an interpreter's code */
#define MW_FOUND_PROCESSES 8192 /* that run one */
#define MW_FOUND_GRACE 60       /* seconds that an object stays attached after its last process */

/* What a file was found to be. All zero: nothing to do with interpreters. */
struct mw_found_sites {
	void *sites;      /* from malloc(), freed with the object; NULL: no probe goes there */
	size_t size;      /* of it: the same bytes are the same sites */
	uint64_t runtime; /* linked address of _PyRuntime; 0: it is in another file */
	uint32_t version; /* major << 8 | minor; 0: the file does not tell */
};

struct mw_found_object {
	const char *path; /* where it was first seen, from the root of who had it: for people */
	dev_t dev;
	uint64_t ino;
	struct mw_found_sites found;
	int path_fd;    /* during attach(): names the file (O_PATH); otherwise -1 */
	bool attached;  /* attach() returned 0 */
	void *probes;   /* attach()'s, for detach() */
	uint32_t users; /* processes that have it mapped */
	bool usual;     /* it lies where interpreters usually do: attached also when unused */
};

struct mw_found_process {
	pid_t pid;
	uint64_t start;   /* as /proc/<pid>/stat says it: clock ticks since boot */
	uint64_t bias;    /* what is added to linked addresses of `object` */
	uint64_t runtime; /* address of its _PyRuntime */
	uint32_t version; /* major << 8 | minor; 0: not known (yet) */
	const struct mw_found_object *object; /* that has _PyRuntime */
};

struct mw_found_options {
	void *context;
	/* Says what an ELF file is in `ret`. Returns 0 or a negative errno. */
	int (*examine)(void *context, const struct mw_elf *elf, struct mw_found_sites *ret);
	/* The object has sites. Once for each file; its content as it is now. Returns 0 or a
	 * negative errno, then detach() is not called. */
	int (*attach)(void *context, struct mw_found_object *object);
	void (*detach)(void *context, struct mw_found_object *object);
	/* A process runs an interpreter, or more is known of one that does; of a child as soon as
	 * all that has come was handed over. `process` is good for the call, its object until
	 * detach(). */
	void (*process)(void *context, const struct mw_found_process *process);
	/* It does so no more: it ended or runs another program. */
	void (*gone)(void *context, pid_t pid, uint64_t start);
};

/* Nothing is lost silently. */
struct mw_found_counts {
	uint64_t objects, attached, processes; /* now */
	uint64_t examined;                     /* files looked into */
	uint64_t unopened;   /* mappings whose file could not be had: its process is gone, mostly */
	uint64_t unreadable; /* files that could not be read */
	uint64_t refused;    /* attach() failed */
	uint64_t objects_full; /* files for which there was no room */
	uint64_t processes_full;
};

struct mw_found;

/* `options` is copied. Returns 0 or -ENOMEM; the caller releases with mw_found_free(). */
int mw_found_new(const struct mw_found_options *options, struct mw_found **ret);

/* Detaches everything. */
void mw_found_free(struct mw_found *found);

/* What mw_found_examine() finds, as `sites`. */
struct mw_found_python {
	struct mw_python_sites sites;
	struct mw_py_offsets offsets; /* version 0: the file does not tell */
	uint64_t distance; /* from where its first byte would be mapped, with its code, to
	                      _PyRuntime */
};

/* An examine() that finds what mw_python_sites() and mw_python_offsets() do, with refused sites
 * too. */
int mw_found_examine(void *context, const struct mw_elf *elf, struct mw_found_sites *ret);

/* The callbacks of struct mw_mappings_callbacks but for lost(); `context` is the struct mw_found.
 */
void mw_found_mapped(void *context, const struct mw_mapping *mapping);
void mw_found_exec(void *context, pid_t pid);
void mw_found_forked(void *context, pid_t pid, pid_t parent);
void mw_found_ended(void *context, pid_t pid, pid_t tid);
void mw_found_scanned(void *context, pid_t pid, bool ends);
void mw_found_caught_up(void *context);

/* Attaches to the files where interpreters usually are, and to those that `patterns` (NULL at the
 * end; glob(7) without braces, absolute) lead to, at most MW_FOUND_USUAL_MAX, before anybody runs
 * them. Called again, it forgets those that are no longer there. */
#define MW_FOUND_USUAL_MAX 512
void mw_found_prescan(struct mw_found *found, const char *const *patterns);

/* To be called about every second, with a time in ns that only grows: detaches what nobody uses,
 * looks for processes that ended unseen, and lets what is known of a file grow old. */
void mw_found_tick(struct mw_found *found, uint64_t now);

/* Whether the file was already looked into that the kernel calls so (as /proc/<pid>/maps does). */
bool mw_found_knows(const struct mw_found *found, dev_t dev, uint64_t ino);

struct mw_found_counts mw_found_counts(const struct mw_found *found);

/* The version of the interpreter that process `pid` runs, major << 8 | minor; 0: not known. */
uint32_t mw_found_version(const struct mw_found *found, pid_t pid);

/* The code that process `pid`, started at `start` (clock ticks since boot), had mapped at `time`
 * (ns, CLOCK_BOOTTIME) and did not unmap since, as far as the side-band has told; it may have ended
 * since, or run another program: `ret_ended`. NULL: not known. Good until the next callback. */
const struct mw_maps *mw_found_code(const struct mw_found *found, pid_t pid, uint64_t start,
                                    uint64_t time, bool *ret_ended);

/* Calls `each` for every object that is attached. */
void mw_found_each_object(const struct mw_found *found,
                          void (*each)(void *context, const struct mw_found_object *object),
                          void *context);

/* Calls `each` for every process that runs an interpreter. */
void mw_found_each(const struct mw_found *found,
                   void (*each)(void *context, const struct mw_found_process *process),
                   void *context);

#endif
