/* From what the kernel saw to alerts: what happened, in which load, and what in the load led to it.
 *
 * An event carries its own evidence. What else is known of the process is asked of /proc, and makes
 * no difference to whether there is an effect when the process has gone by then, but where this
 * says otherwise. */
#ifndef MW_TOOLS_DAEMON_JUDGE_H
#define MW_TOOLS_DAEMON_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/policy.h"
#include "../core/words.h"
#include "../ebpf/event.h"
#include "alert.h"
#include "maps.h"

struct mw_daemon_event {
	const struct mw_k_effect *effect; /* it passed mw_k_check() */
	const uint8_t *stack;  /* of effect->stack_len bytes, or NULL when they were lost */
	const uint8_t *stream; /* of effect->stream_len bytes, or NULL */
};

struct mw_daemon_judge_options {
	const struct mw_policy *policy; /* borrowed until mw_daemon_judge_policy() */
	struct mw_alerts *alerts;       /* borrowed */
	enum mw_verdict most;           /* no verdict is above this */
	void *context;
	/* The version of the interpreter that runs in a process, as Py_Version has it (0x030b04f0);
	 * 0: not known, and then alerts have no lines. May be NULL. */
	uint32_t (*version_of)(void *context, pid_t pid);
	/* Whether the code `at` bytes from an entry point runs while a call of it is not over;
	 * `site` is the number of the probe in it. NULL: told by symbols alone. */
	bool (*is_body)(void *context, uint32_t site, int64_t offset);
	/* The code that the process of the effect had mapped when it came, NULL when that is not
	 * known; `ret_ended`: it has ended, or runs another program. Good until the next call. May
	 * be NULL: then it is asked of /proc. */
	const struct mw_maps *(*code_of)(void *context, const struct mw_k_head *head,
	                                 bool *ret_ended);
};

/* What became of the events. */
struct mw_daemon_counters {
	uint64_t effects;     /* that were judged */
	uint64_t alerts;      /* of them, recorded */
	uint64_t births;      /* tasks started in a load */
	uint64_t harmless;    /* events that are no effect */
	uint64_t over;        /* seen in a load that had ended, by the native stack */
	uint64_t own;         /* of programs and tasks that live on by themselves */
	uint64_t repeated;    /* the same effect of the same load again */
	uint64_t unproved;    /* effects of unknown cause */
	uint64_t unwound;     /* native stacks that led to the load ... */
	uint64_t not_unwound; /* ... and those that did not: the kernel is believed */
	uint64_t blind;       /* effects in loads of which there is no Python stack */
	uint64_t orphans;     /* effects of a birth that is not known: its event was lost */
};

struct mw_daemon_judge;

/* Returns 0 or -ENOMEM. */
int mw_daemon_judge_open(const struct mw_daemon_judge_options *options,
                         struct mw_daemon_judge **ret);
void mw_daemon_judge_close(struct mw_daemon_judge *judge);

/* Decides by another policy from now on; who is in scope stays so. */
void mw_daemon_judge_policy(struct mw_daemon_judge *judge, const struct mw_policy *policy);

/* Takes an effect or a birth. */
void mw_daemon_judge_event(struct mw_daemon_judge *judge, const struct mw_daemon_event *event);

/* A process runs an interpreter: what it was started with is remembered. */
void mw_daemon_judge_meet(struct mw_daemon_judge *judge, pid_t pid);

const struct mw_daemon_counters *mw_daemon_judge_count(const struct mw_daemon_judge *judge);

#endif
