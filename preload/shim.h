/* What the files of the shim share. All of it runs in the watched process, so: no printing, no
 * exiting, no allocation, errno kept, and nothing that waits for a lock somebody else may hold. */
#ifndef MW_PRELOAD_SHIM_H
#define MW_PRELOAD_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../core/decide.h"
#include "guest.h"

#define mw_likely(x) __builtin_expect(!!(x), 1)
#define mw_unlikely(x) __builtin_expect(!!(x), 0)
#define MW_EXPORT __attribute__((visibility("default")))
#define MW_HIDDEN __attribute__((visibility("hidden")))

extern __thread struct mw_thread mw_thread __attribute__((tls_model("initial-exec"))) MW_HIDDEN;
extern struct mw_guest modelwatch_guest_1;

/* What the process got from the monitor at start; `policy` is NULL when there is no monitor, and
 * then nothing is ever judged. */
struct mw_process {
	const struct mw_policy *policy;
	const struct mw_page *page;
	char socket[108];
	char directory[512];
	char self[600]; /* path of the shim, for LD_PRELOAD */
	uint32_t monitor;
	bool floor; /* the monitor is spoken to by way of the floor (floor.h) */
};
extern struct mw_process mw_process MW_HIDDEN;

/* channel.c: one exchange with the monitor. Fills `ret` and up to MW_WIRE_FDS descriptors (fds may
 * be NULL). Returns 0, or a negative errno when the monitor could not be told. */
int mw_exchange(const struct mw_record *record, struct mw_reply *ret, int *fds);

/* Sends one that nobody waits for the answer to. Returns 0, or a negative errno when it could not
 * be sent at once. */
int mw_tell(const struct mw_record *record);

/* state.c: fills the part of a record that comes from the thread's innermost load or its scope. */
void mw_record_load(struct mw_record *record, const struct mw_thread *thread);
void mw_describe_load(struct mw_record_load *out, struct mw_load *load);
uint64_t mw_load_id(struct mw_load *load);

/* judge.c */
void mw_judge(const struct mw_effect *effect, const struct mw_pyframe *frames, uint32_t count,
              uint32_t inside, struct mw_answer *ret);
void mw_permit(const struct mw_effect *effect, struct mw_answer *ret);
bool mw_would_deny(const struct mw_effect *effect);
bool mw_only_called(void);
void mw_announce(void);
void mw_ask_why(void);
void mw_join(const char *id, enum mw_sensor sensor);

/* The calling thread answers for a load from now on, by birth. */
void mw_enter_scope(uint64_t load, uint32_t slot);
uint32_t mw_denials(const struct mw_load *load);
void mw_loaded(struct mw_load *load, uint64_t duration, bool raised);
void mw_born(void); /* in a child that an active thread forked */

/* libc.c: the libc sensor. True when the effect needs no judgement of its own: the Python sensor
 * announced it and let it through, or it is ours. `target` is what the caller was given. */
bool mw_announced(enum mw_class class, const char *target);

/* Judges an effect; true when the call must not be made, with errno set to EPERM. `python_sees`
 * says that Python code doing this would have been announced; `caller` is the wrapper's return
 * address. */
bool mw_refused(const struct mw_effect *effect, bool python_sees, const void *caller);

/* The same with cause and facts as they are in `effect`. */
bool mw_refused_as(const struct mw_effect *effect);

/* files.c, sockets.c, programs.c, memory.c: one function for each shape of wrapped call. Each
 * builds the effect and returns true when the call must not be made, with errno set: to EPERM, or
 * to what the call would have failed with anyway (then nothing is reported). */
bool mw_refuse_open(const char *op, int dir, const char *path, int flags, const void *caller);
bool mw_refuse_fopen(const char *op, const char *path, const char *mode, const void *caller);
/* The flags of open() that a mode of fopen() stands for. */
int mw_mode_flags(const char *mode);
bool mw_refuse_create(const char *op, int dir, const char *path, const void *caller);
bool mw_refuse_change(const char *op, int dir, const char *path, int dir2, const char *path2,
                      const void *caller);
bool mw_refuse_fd(const char *op, int fd, const void *caller);

/* secrets.c: whether Python's next open would read a secret of the policy, and then its real path.
 */
bool mw_opens_secret(const char *path, int flags, char real[static MW_SECRET_PATH]);
bool mw_refuse_read(const char *op, int dir, const char *path, int flags, const void *caller);
/* What an opening call is to return, now that it has been made: `fd`, or -1 with errno set when
 * that has turned out to be a secret. The descriptor is closed then. */
int mw_opened(const char *op, int fd, int flags, const void *caller);
FILE *mw_fopened(const char *op, FILE *file, const char *mode, const void *caller);
/* The passwords of the machine, which libc reads by itself. Only the `first` of the calls that go
 * through a list counts. */
bool mw_refuse_passwords(const char *op, bool first, const void *caller);
/* The memory of another process, read without opening it. */
bool mw_refuse_memory_of(const char *op, pid_t pid, const void *caller);

struct sockaddr;
struct msghdr;
bool mw_refuse_address(enum mw_class class, const char *op, int fd, const struct sockaddr *address,
                       size_t len, const void *caller);
/* listen() on a socket that was never bound: the kernel chooses a port. */
bool mw_refuse_listen(int fd, const void *caller);
bool mw_refuse_shared_memory(const char *name, int flags, const void *caller);
/* sem_open() and sem_unlink(), whose files lie in /dev/shm. */
bool mw_refuse_semaphore(const char *op, const char *name, int flags, const void *caller);
bool mw_refuse_name(const char *op, const char *name, const void *caller);

/* `env`: what the program gets; NULL: this process's own. */
bool mw_refuse_program(const char *op, const char *path, bool search, char *const *argv,
                       char *const *env, const void *caller);
bool mw_refuse_memory(const char *op, int prot, int flags, int fd, const void *caller);
bool mw_refuse_library(const char *op, const char *path, const void *caller);
bool mw_refuse_tamper(const char *op, int64_t number, const void *caller);

/* resolve.c: the absolute path of what `path` leads to, without links; of what does not exist yet,
 * where it would be made. `entry` says that the directory entry itself is meant, not what a link in
 * it points to. False when it cannot be told. */
#define MW_FILE_TEXT 1024
bool mw_resolve_file(const char *path, bool entry, char out[static MW_FILE_TEXT]);

/* memory_limit.c */
uint64_t mw_data_size(void); /* in bytes; 0: it cannot be told */
int mw_limit_memory(uint64_t growth);
void mw_unlimit_memory(void);
/* In a process that is about to become another program, which no limit of a load is for. */
void mw_unlimit_program(void);
/* The same for a child that runs a new program already. */
void mw_unlimit_child(pid_t child);

/* env.c: the environment for a new program, with the shim and the socket in it. Writes at most
 * `cap` pointers; returns `env` unchanged when nothing is missing or nothing fits. */
#define MW_ENV_EXTRA 3
size_t mw_env_count(char *const *env);
char *const *mw_env_keep(char *const *env, char **out, size_t cap, char *text, size_t text_size);

/* wraps.c: resolves the wrapped functions. */
void mw_resolve(void);

/* where.c: what lies at an address of this process, by /proc/self/maps (no lock, no allocation). */
struct mw_place {
	char path[512]; /* empty for anonymous memory */
	bool executable;
};
bool mw_place_of(const void *address, struct mw_place *ret);
/* A directory whose files were trusted before any load: called by the extension for sys.path. */
void mw_trust(const char *directory);
bool mw_trusted(const char *path);
bool mw_is_entry(const char *directory);
bool mw_is_own(const void *code);
/* True when `pid` descends from the monitor and no process answers for a load. */
bool mw_same_run(int pid);
uint64_t mw_hash(const char *text);

/* python.c: the audit hook, in a process that has Python from the start or gets it later. */
void mw_python_start(void);
bool mw_is_libpython(const char *path);
void *mw_open_libpython(const char *path, int mode, void *(*open)(const char *, int));

#endif
