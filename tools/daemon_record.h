/* A record of perf's side-band (perf_event_open(2)): what the kernel tells about every process of
 * the host. The kernel writes it, but the path in it is a process's. */
#ifndef MW_TOOLS_DAEMON_RECORD_H
#define MW_TOOLS_DAEMON_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MW_RECORD_SIDE_MAX 8192 /* the longest: a mapping's, with a path of 4096 bytes */

enum mw_side_kind {
	MW_SIDE_OTHER, /* of no use to us */
	MW_SIDE_MAPPED,
	MW_SIDE_EXEC,
	MW_SIDE_FORK, /* of a process or a thread: a thread's `parent` is its own process */
	MW_SIDE_EXIT, /* of one thread */
	MW_SIDE_LOST,
};

/* A file mapped to be executed. */
struct mw_mapping {
	pid_t pid; /* of the process */
	uint64_t address, length;
	uint64_t offset; /* of `address` in the file */
	dev_t dev;       /* as in /proc/<pid>/maps, see mw_map_is_file() */
	uint64_t ino;
	uint32_t generation; /* of the inode; 0: not known */
	uint32_t prot;       /* MW_MAP_READ and so on */
	uint64_t time;       /* when it was mapped: ns, CLOCK_BOOTTIME; 0: not known */
	const char *path;    /* in the process's root, any bytes: a hint and no more */
};

struct mw_side {
	enum mw_side_kind kind;
	pid_t pid, tid;
	pid_t parent;              /* MW_SIDE_FORK: the process that forked */
	uint64_t time;             /* ns, CLOCK_BOOTTIME */
	uint64_t lost;             /* MW_SIDE_LOST: how many records */
	struct mw_mapping mapping; /* MW_SIDE_MAPPED; its path lies in the record */
};

/* Reads a record of `len` bytes, as opened with PERF_SAMPLE_TID, _TIME and _CPU in every one.
 * Mappings that have no file, or cannot be executed, are MW_SIDE_OTHER. Returns 0 or -EBADMSG. */
int mw_side_decode(const void *record, size_t len, struct mw_side *ret);

#endif
