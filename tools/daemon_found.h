/* What the files of daemon_objects.h share. */
#ifndef MW_TOOLS_DAEMON_FOUND_H
#define MW_TOOLS_DAEMON_FOUND_H

#include <sys/stat.h>

#include "daemon_cache.h"
#include "daemon_code.h"
#include "daemon_objects.h"

#define MW_FOUND_SEGMENTS 4
#define MW_FOUND_USED 8 /* objects that one process has; others are not let go before they idle */
#define MW_FOUND_BUCKETS 4096
#define MW_FOUND_CHILDREN 64

struct mw_found_entry {
	struct mw_found_object object; /* first: it is what the callbacks get */
	struct mw_file_state state;
	uint64_t idle_since; /* 0: in use, or not noticed yet */
	uint32_t prescan;    /* the last one that saw it */
	uint16_t index;
	uint16_t owner; /* the interpreter that it belongs to, and stays with: index + 1; 0: none */
	bool overlay;   /* `dev` is 0: the same file has another one in each mount */
	bool stale;     /* the file has other content now: nobody new uses it */
	uint8_t segment_count;
	struct mw_elf_load segment[MW_FOUND_SEGMENTS]; /* of code */
	char path[];
};

struct mw_found_running {
	pid_t pid; /* 0: free */
	uint32_t version;
	uint64_t start, bias;
	struct mw_code *code; /* NULL: not known */
	uint32_t scan;        /* the last one that met it */
	uint16_t next;        /* in its bucket or among the free: index + 1 */
	uint16_t runtime;     /* object: index + 1; 0: none yet */
	uint16_t used[MW_FOUND_USED];
	uint8_t used_count;
	uint8_t met;  /* by the scan that runs: a bit for each of `used` */
	bool leaving; /* its first thread has ended */
	bool untold;  /* a child that may be about to run another program */
};

struct mw_found {
	struct mw_found_options options;
	struct mw_found_counts counts;
	uint64_t now;
	uint32_t scan, prescan; /* how many there were */
	bool scanning;
	struct mw_cache cache;
	struct mw_code_past past;
	struct mw_found_entry *object[MW_FOUND_OBJECTS];
	uint16_t bucket[MW_FOUND_BUCKETS]; /* index + 1 */
	uint16_t free, fresh; /* processes: index + 1 of one let go; how many were ever in use */
	uint16_t child[MW_FOUND_CHILDREN]; /* index of those that may be untold */
	size_t children;
	struct mw_found_running running[MW_FOUND_PROCESSES];
};

/* Where a file was met. */
struct mw_found_place {
	pid_t pid; /* whose root `path` starts from; 0: ours */
	dev_t dev; /* as the kernel calls the file in mappings */
	uint64_t ino;
	uint32_t generation;
	const char *path;
};

/* The object that the file is, attached to; NULL: it is none. `path_fd` names it, `st` is fstat()'s
 * of it. */
struct mw_found_entry *mw_found_file(struct mw_found *found, int path_fd, const struct stat *st,
                                     const struct mw_found_place *place);

/* A process has the object mapped. */
void mw_found_use(struct mw_found *found, const struct mw_mapping *mapping,
                  struct mw_found_entry *entry);

/* Attaches to what belongs to an interpreter that was seen for the first time and may be loaded
 * next: its unpickler, its torch. */
void mw_found_companions(struct mw_found *found, const struct mw_found_entry *entry,
                         const struct mw_found_place *place);

/* A process that is known has mapped a file, whichever. */
void mw_found_note(struct mw_found *found, const struct mw_mapping *mapping);

/* Forgets all processes; nobody is told. */
void mw_found_forget_processes(struct mw_found *found);

/* Lets those processes go that ended unseen. */
void mw_found_tick_processes(struct mw_found *found);

#endif
