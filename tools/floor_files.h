/* File system calls of a watched task, taken from it, and made on its behalf.
 *
 * mw_floor_file_take() reads the arguments out of the task's memory once and resolves the paths to
 * descriptors; who judges looks at what it found; mw_floor_file_perform() makes the call with those
 * descriptors. Whatever the task writes to the path's memory, and whatever link anybody turns in
 * between, what was judged is what happens.
 *
 * For the time of a call the process's umask is the task's: nothing else in the process may create
 * files meanwhile (or whoever does has left with unshare(CLONE_FS)). All signals are blocked, or
 * none has a handler. /proc is mounted.
 *
 * Where it differs from the call made by the task: a terminal does not become the controlling one
 * of a session leader; F_GETFL lacks O_NOFOLLOW; linkat(AT_EMPTY_PATH) needs no privilege;
 * SIGXFSZ comes just after the call. */
#ifndef MW_TOOLS_FLOOR_FILES_H
#define MW_TOOLS_FLOOR_FILES_H

#include "floor_path.h"

enum mw_floor_act {
	MW_FLOOR_OPEN,
	MW_FLOOR_MKDIR,
	MW_FLOOR_MKNOD,
	MW_FLOOR_UNLINK, /* rmdir, too, by AT_REMOVEDIR */
	MW_FLOOR_RENAME,
	MW_FLOOR_LINK,
	MW_FLOOR_SYMLINK,
	MW_FLOOR_CHMOD,
	MW_FLOOR_CHOWN,
	MW_FLOOR_TRUNCATE,
	MW_FLOOR_SETXATTR,
	MW_FLOOR_REMOVEXATTR,
	MW_FLOOR_HANDLE, /* open_by_handle_at: cannot be done on behalf */
};

struct mw_floor_file_call {
	/* For who judges. */
	const char *op; /* the call's name, "openat" */
	enum mw_floor_act act;
	bool writes;        /* false: no effect, and nothing below is filled in (see take) */
	bool is_new;        /* an entry is made where there was none (at2's, where there is one) */
	bool is_device;     /* `at` is a character device, */
	bool is_fifo;       /* or a FIFO or pipe */
	bool stronger;      /* the task may be let do what we are not (struct mw_tracee_facts) */
	bool elsewhere;     /* the paths are those of another mount namespace than ours */
	const char *target; /* the path as it was given, made absolute, */
	const char
	        *file; /* and the real one; both NULL when it could not be resolved. Of a link, */
	const char *target2; /* rename or hard link the second ones; NULL in other calls */
	const char *file2;
	char *text;     /* what a symbolic link says; the name of an extended attribute; or NULL */
	unsigned flags; /* of the call, as the task gave them; those of open(2) for creat */
	unsigned mode;  /* of open, mkdir, mknod, chmod */

	/* For the performer. */
	struct mw_floor_path at, at2; /* the paths, resolved and held */
	int fd;                       /* the task's own descriptor (fchmod and the like), or -1 */
	int number;
	uint64_t args[6];
	uint64_t rest[2]; /* the numbers of mknod, chown and truncate that are not named above */
	mode_t umask;
	void *value; /* of an extended attribute */
	size_t size;
};

/* Whether open(2) with these flags changes something: O_PATH and O_TMPFILE do not. */
bool mw_floor_open_writes(unsigned flags);

/* Takes system call `number` (of our architecture). Returns
 * 0: it can be performed (or continued, when `ret->writes` is false);
 * a negative errno: the call fails with that by itself, so it is no effect; -ENOENT, too, when the
 *   task has gone;
 * MW_FLOOR_CANNOT: it cannot be made on the task's behalf: not in the table, a FIFO or block
 * device, a task with other credentials, in a namespace that we do not understand, or of which we
 * may not see the memory. What is known of it is filled in. Drop it in each case. */
int mw_floor_file_take(const struct mw_tracee *tracee, int number, const uint64_t args[6],
                       struct mw_floor_file_call *ret);

/* Makes the call and answers the notification with its result. Returns 0 when it was answered;
 * -EAGAIN when nothing was done or answered: another file has come in place of the one that was
 *   taken, or the file is leased (fcntl(2), F_SETLEASE) and its holder has been told; drop, take,
 *   judge and perform anew, at once or a little later;
 * MW_FLOOR_CANNOT when nothing was done or answered and that will not change;
 * -ENOENT when the task has gone; another negative errno when the answer could not be given. */
int mw_floor_file_perform(const struct mw_tracee *tracee, struct mw_floor_file_call *call);

/* Releases what it holds; afterwards it holds nothing, and may be dropped again. */
void mw_floor_file_drop(struct mw_floor_file_call *call);

/* A call that holds nothing, as what was taken once looks when it has been dropped. */
void mw_floor_file_none(struct mw_floor_file_call *ret);

#endif
