/* The programs in the kernel: loaded, attached as far as this kernel lets them, and read from. All
 * of it belongs to one thread. Needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_ADMIN. */
#ifndef MW_TOOLS_DAEMON_PROGRAMS_H
#define MW_TOOLS_DAEMON_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "../core/policy.h"
#include "../ebpf/event.h"
#include "../ebpf/pyoffsets.h"
#include "python_sites.h"

struct mw_programs;

/* A whole event: `size` bytes of an effect (or of no more than a head), and what came before. */
struct mw_programs_event {
	const struct mw_k_head *head;
	size_t size;
	const uint8_t *stack, *stream; /* NULL: none, or lost */
	size_t stack_len, stream_len;
};

struct mw_programs_options {
	uint32_t ring_bytes; /* a power of two, of whole pages */
	bool tracepoints;    /* for system calls, also where there is something better */
	bool hold;           /* a program that nobody has looked at is stopped when it starts */
	bool inherits; /* what a daemon before has left stands until this one has taken over */
	bool stays;    /* what refuses outlives a daemon that is killed */
	/* Paths of control groups, below the hierarchy's root: what is refused is refused to those
	 * in one of them. NULL or none: to all. At most MW_K_GROUPS; borrowed for the opening. */
	const json_t *cgroups;
	void *context;
	void (*event)(void *context, const struct mw_programs_event *event);
};

/* Loads the programs, tries a probe on a function of our own, and attaches what needs no
 * interpreter. Returns 0, or a negative errno with one sentence in `why`. */
int mw_programs_open(const struct mw_programs_options *options, struct mw_programs **ret, char *why,
                     size_t why_size);

/* Holds no program any more, and hands over the events of those that are held. */
void mw_programs_let_go(struct mw_programs *programs);

/* Detaches everything; what stays when the daemon is killed, too, unless mw_programs_leave() has
 * said that it is to stay. NULL is allowed. */
void mw_programs_close(struct mw_programs *programs);
void mw_programs_leave(struct mw_programs *programs);

/* All is attached: what a daemon before has left does nothing any more. What it had told, and
 * nobody has read, is handed to `event`. Returns how many effects are lost of which nobody has
 * told. */
uint64_t mw_programs_take_over(struct mw_programs *programs,
                               void (*event)(void *context, const struct mw_programs_event *event),
                               void *context);

/* That has been told: takes away what was left. What has other maps than ours stands some seconds
 * more, for the loads that only it knows. */
void mw_programs_drop_old(struct mw_programs *programs);

/* Once a second: takes away what has stood long enough, and returns what is lost by that. */
uint64_t mw_programs_tick(struct mw_programs *programs);

/* That so many lost effects have been told of; a daemon after this one does not tell of them. */
void mw_programs_told(struct mw_programs *programs, uint64_t lost);

/* Whether what refuses stays when the daemon is killed. */
bool mw_programs_stays(const struct mw_programs *programs);

/* Why what is refused now ends with the daemon, 0: it does not, or nothing is. A negative errno. */
int mw_programs_unpinned(const struct mw_programs *programs);

/* No load may change what is at `path`, nor what lies in it, as long as something is refused.
 * mw_programs_guarded() is called behind the last one of a list: others are not guarded any more.
 */
void mw_programs_guard(struct mw_programs *programs, const char *path);
void mw_programs_guarded(struct mw_programs *programs);

/* A descriptor that is readable when there are events, and what hands them over. mw_programs_poll()
 * returns how many there were, or a negative errno. */
int mw_programs_fd(const struct mw_programs *programs);
int mw_programs_poll(struct mw_programs *programs);

/* Puts the probes of `sites` into the file that `path` leads to, for all who have it mapped or
 * will. Returns 0 and what mw_programs_detach() takes, or a negative errno when none could be put.
 */
struct mw_probes;
int mw_programs_attach(struct mw_programs *programs, const char *path,
                       const struct mw_python_sites *sites, struct mw_probes **ret);
void mw_programs_detach(struct mw_programs *programs, struct mw_probes *probes);

/* Whether the kernel has put the probe on that one of the sites; of none when `probes` is NULL. */
bool mw_programs_is_attached(const struct mw_probes *probes, uint32_t site);

/* Whether all probes of a file have one link. */
bool mw_programs_share_probes(const struct mw_programs *programs);

/* Whether the code `at` bytes from the entry point that probe `number` is in runs while a call of
 * it is not over. */
bool mw_programs_is_body(const struct mw_programs *programs, uint32_t number, int64_t at);

/* The file that the kernel knows by `dev` and `ino` holds an interpreter's runtime, `distance`
 * bytes from where its first byte would be mapped with its code; and no more. */
int mw_programs_runtime(struct mw_programs *programs, dev_t dev, uint64_t ino, uint64_t distance,
                        const struct mw_py_offsets *offsets);
void mw_programs_no_runtime(struct mw_programs *programs, dev_t dev, uint64_t ino);

/* Where the Python stacks of process `pid` are found; and that it is no interpreter any more. */
int mw_programs_process(struct mw_programs *programs, pid_t pid, uint64_t runtime,
                        const struct mw_py_offsets *offsets);
void mw_programs_forget(struct mw_programs *programs, pid_t pid);

/* Looks at system calls from now on, or no more: as long as nobody does, nobody pays. Returns 0 or
 * a negative errno. */
int mw_programs_calls(struct mw_programs *programs, bool on);

/* Refuses from now on what `policy` denies as far as that is decided in the kernel; NULL: nothing.
 * Returns 0, or a negative errno when nothing is refused. */
int mw_programs_refuse(struct mw_programs *programs, const struct mw_policy *policy);

/* Why the kernel asks none of the programs that refuse; NULL: it does, when something is to be
 * refused. Constant text. */
const char *mw_programs_unasked(const struct mw_programs *programs);

/* Opens for reading are told of when one of the path's names is among `names`. */
int mw_programs_secrets(struct mw_programs *programs, const char *const *names, size_t count);

/* The program that was stopped has been looked at: no other process that runs it is. */
void mw_programs_known(struct mw_programs *programs, const struct mw_k_exec *program);

/* How a hook is attached: its rung, or "off" with the reason in `why` (constant). */
struct mw_programs_hook {
	const char *how, *why;
	uint64_t count[MW_K_COUNTERS];
	uint64_t run_ns, run_count; /* while the kernel keeps statistics */
};
void mw_programs_hook(struct mw_programs *programs, enum mw_k_hook hook,
                      struct mw_programs_hook *ret);

/* Loads of files are told of from now on, or no more. Returns the ring that they are in, a map's
 * descriptor, which stays ours. */
int mw_programs_tell_loads(struct mw_programs *programs, bool on);

/* The sum over all CPUs of a value of a map that has one for each. */
uint64_t mw_programs_sum(int map, uint32_t key);

/* Loads that have begun. */
uint64_t mw_programs_loads(struct mw_programs *programs);

#endif
