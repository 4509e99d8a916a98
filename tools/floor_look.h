/* What a system call that waits in a notification would do: the effect, as the floor sees it. */
#ifndef MW_TOOLS_FLOOR_LOOK_H
#define MW_TOOLS_FLOOR_LOOK_H

#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "../core/effect.h"
#include "../core/sockname.h"
#include "../core/wire.h"
#include "floor_calls.h"
#include "floor_files.h"
#include "floor_tracee.h"

/* How the call is made when the effect may take place. */
enum mw_floor_way {
	MW_WAY_ON,      /* by the kernel, as it stands: what was looked at cannot be changed */
	MW_WAY_FILE,    /* by us, on the file that was looked at */
	MW_WAY_SOCKET,  /* by us, to the address that was looked at */
	MW_WAY_CHECKED, /* by the kernel; what comes of it is looked at afterwards: a program */
	MW_WAY_UNSAFE,  /* by the kernel, with what another thread may have changed meanwhile */
};

/* What the kernel will show as the program of the process (execve(2)). */
enum mw_program_kind {
	MW_PROGRAM_ELF,
	MW_PROGRAM_SCRIPT, /* the interpreter of its first line */
	MW_PROGRAM_OTHER,  /* whatever binfmt_misc says */
};

#define MW_LOOK_ARGS_TEXT 8192

struct mw_floor_look {
	struct mw_effect effect;
	enum mw_floor_way way;
	const char *raw; /* the path as the task spells it, or NULL */
	struct mw_floor_file_call file;
	int socket;     /* the task's, or -1 */
	bool datagrams; /* the socket is one for datagrams, and is given its peer */
	struct sockaddr_storage address;
	socklen_t address_len;
	dev_t dev; /* of the program, or of the interpreter that a script names */
	ino_t ino;
	enum mw_program_kind kind;
	bool by_descriptor; /* the kernel makes up the name that a script gets */
	int64_t changed;    /* when what is mapped was changed last, in seconds since the epoch */
	/* What the texts above point to. */
	char name[PATH_MAX], real[PATH_MAX], target[MW_SOCKNAME];
	const char *argv[MW_WIRE_ARGS];
	char args[MW_LOOK_ARGS_TEXT];
};

#define MW_LOOK_HARMLESS 1
#define MW_LOOK_AS_JUDGED 2 /* there is none, as long as the call is made as it was looked at */

/* Looks at the call `data` of `row`. Returns 0 with the effect, whose cause and load are the
 * caller's to say; MW_LOOK_HARMLESS or MW_LOOK_AS_JUDGED when there is none; or the negative errno
 * that the call fails with by itself. Release with mw_floor_look_drop() in any case. */
int mw_floor_look(const struct mw_tracee *tracee, const struct seccomp_data *data,
                  const struct mw_floor_call *row, struct mw_floor_look *ret);
void mw_floor_look_drop(struct mw_floor_look *look);

/* floor_program.c, floor_socket.c: the same for the calls of a class. */
int mw_floor_look_program(const struct mw_tracee *tracee, const struct seccomp_data *data,
                          struct mw_floor_look *ret);
int mw_floor_look_socket(const struct mw_tracee *tracee, const struct seccomp_data *data,
                         struct mw_floor_look *ret);

/* Makes the call of a socket to the address that was looked at, and answers the task. Returns 0;
 * MW_FLOOR_CANNOT when nothing was done or answered: the task has other rights or other files than
 * we have; or a negative errno when the task has gone. */
int mw_floor_socket_perform(const struct mw_tracee *tracee, const struct seccomp_data *data,
                            struct mw_floor_look *look);

/* Whether a file was installed: in a directory of the system, or of the program that the task runs,
 * or beside ours. */
bool mw_floor_is_installed(const struct mw_tracee *tracee, const char *path);

#endif
