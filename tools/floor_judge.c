#include "floor_judge.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/floor.h"
#include "floor_matter.h"
#include "tasks.h"

#define ATTEMPTS 5

static void look_at(void *context, pid_t tid, bool at)
{
	mw_gate_look_at(context, tid, at);
}

int mw_floor_judge_open(const struct mw_floor_host *host, int listener, struct mw_gate *gate,
                        struct mw_floor_judge **ret)
{
	struct mw_floor_judge *judge = calloc(1, sizeof(*judge));

	if (!judge)
		return -ENOMEM;
	judge->host = *host;
	judge->listener = listener;
	judge->gate = gate;
	judge->tasks.look_at = look_at;
	judge->tasks.context = gate;
	mw_floor_mark_open(&judge->mark);
	*ret = judge;
	return 0;
}

void mw_floor_judge_close(struct mw_floor_judge *judge)
{
	if (!judge)
		return;
	mw_floor_tasks_clear(&judge->tasks);
	for (size_t i = 0; i < MW_FLOOR_PROGRAMS; i++)
		free(judge->programs[i].permit);
	free(judge);
}

/* The load that the process answers for, or 0. An orphan whose parent is not to be asked any more
 * carries the mark. */
static uint64_t scope_of(struct mw_floor_judge *judge, pid_t pid)
{
	const struct mw_floor_host *host = &judge->host;
	uint64_t load = mw_scopes_of(host->scopes, pid, host->self);
	uint32_t slot;

	if (load || !(slot = mw_floor_mark_read(&judge->mark, pid)))
		return load;
	load = host->registry->page->slot[slot].load;
	mw_scopes_add(host->scopes, pid, load);
	return load;
}

static bool find_scope(struct mw_floor_judge *judge, struct mw_matter *matter)
{
	const struct mw_tracee *tracee = &matter->tracee;
	struct mw_floor_thread *thread = mw_floor_thread(&judge->tasks, tracee->tid);

	if (thread && (thread->pid != tracee->pid || !mw_task_runs(thread->tid, thread->start))) {
		mw_floor_thread_forget(&judge->tasks, thread);
		thread = NULL;
	}
	matter->thread = thread;
	matter->load = thread ? thread->loads : NULL;
	matter->scope = matter->load ? matter->load->id : thread ? thread->scope : 0;
	if (!matter->scope)
		matter->scope = scope_of(judge, tracee->pid);
	return matter->scope != 0;
}

/* The call may take place. In a mode that stops nothing it may in any case, whatever another thread
 * has put in the place of what was looked at; otherwise it is made as it was judged, or not. */
static int let_do(struct mw_floor_judge *judge, const struct mw_matter *matter,
                  const struct mw_permit *permit)
{
	struct mw_floor_look *look = &judge->look;
	const struct mw_tracee *tracee = &matter->tracee;
	bool stops = judge->host.policy->mode >= MW_DENY;
	int error = MW_FLOOR_CANNOT;

	/* Its process becomes another, and keeps its age. */
	if (look->effect.class == MW_EXEC && matter->thread)
		mw_gate_trust_none(judge->gate);
	switch (look->way) {
	case MW_WAY_ON:
		return mw_tracee_continue(tracee);
	case MW_WAY_CHECKED:
		mw_floor_started_add(&judge->started, tracee, look, matter->scope,
		                     permit && mw_floor_is_born_free(permit));
		mw_gate_doubt(judge->gate, tracee->pid);
		return mw_tracee_continue(tracee);
	case MW_WAY_FILE:
		if (!mw_gate_saw_landlock(judge->gate))
			error = mw_floor_file_perform(tracee, &look->file);
		break;
	case MW_WAY_SOCKET:
		if (stops && !mw_gate_saw_landlock(judge->gate))
			error = mw_floor_socket_perform(tracee, matter->data, look);
		break;
	case MW_WAY_UNSAFE:
		break;
	}
	if (error != MW_FLOOR_CANNOT)
		return error;
	return !stops || mw_floor_stands_anyway(judge, matter, permit)
	               ? mw_tracee_continue(tracee)
	               : mw_tracee_fail(tracee, EPERM);
}

static int judge_call(struct mw_floor_judge *judge, const struct mw_matter *matter,
                      const struct mw_floor_call *row)
{
	const struct mw_tracee *tracee = &matter->tracee;
	struct mw_permit *permit;
	int result = mw_floor_look(tracee, matter->data, row, &judge->look);

	if (!mw_tracee_valid(tracee))
		return -ENOENT;
	if (result == MW_LOOK_HARMLESS)
		return mw_tracee_continue(tracee);
	if (result < 0)
		return mw_tracee_fail(tracee, -result);
	if (judge->look.effect.class == MW_MAP && judge->look.effect.file && matter->load &&
	    judge->look.changed < matter->load->since)
		judge->look.effect.facts |= MW_FACT_INSTALLED; /* it was there before the load */
	permit = mw_floor_find_permit(judge, matter);
	if (result != MW_LOOK_AS_JUDGED && mw_floor_verdict(judge, matter, &permit) >= MW_DENY)
		return mw_tracee_fail(tracee, EPERM);
	return let_do(judge, matter, permit);
}

/* Another program than the one that was let start runs: it does not get to do anything. */
static void judge_exchanged(struct mw_floor_judge *judge, const struct mw_matter *matter)
{
	const struct mw_tracee *tracee = &matter->tracee;
	struct mw_floor_look *look = &judge->look;
	struct mw_effect effect = {.class = MW_EXEC, .op = "execve", .target = look->real};
	char link[40];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)tracee->pid);
	len = readlink(link, look->real, sizeof(look->real) - 1);
	look->real[len > 0 ? len : 0] = '\0';
	if (mw_floor_accuse(judge, matter, &effect) < MW_DENY) {
		mw_tracee_continue(tracee);
		return;
	}
	if (mw_tracee_valid(tracee))
		kill(tracee->pid, SIGKILL);
	mw_tracee_fail(tracee, EPERM);
}

/* Another file has come in the place of the one that was looked at: once more, a few times. */
static void judge_again(struct mw_floor_judge *judge, const struct mw_matter *matter,
                        const struct mw_floor_call *row)
{
	int result = -EAGAIN;

	for (int i = 0; i < ATTEMPTS && result == -EAGAIN; i++) {
		result = judge_call(judge, matter, row);
		mw_floor_look_drop(&judge->look);
	}
	if (result == -EAGAIN)
		mw_tracee_fail(&matter->tracee, EPERM);
}

/* It is in no scope. While its process is about to become another program, that is not known for
 * long: the thread that starts it takes over the number of the first one. */
static void let_go(struct mw_floor_judge *judge, const struct mw_matter *matter)
{
	if (matter->thread) /* all that is known of it is what it was let do */
		mw_floor_thread_forget(&judge->tasks, matter->thread);
	if (!mw_floor_started_awaits(&judge->started, matter->tracee.pid))
		mw_gate_pass(judge->gate, matter->tracee.tid);
	mw_tracee_continue(&matter->tracee);
}

static void judge_matter(struct mw_floor_judge *judge, struct mw_matter *matter)
{
	const struct mw_floor_call *row;
	uint64_t load;
	enum mw_floor_arrival arrival =
	        mw_floor_started_look(&judge->started, &matter->tracee, &load);

	if (arrival == MW_ARRIVED_FREE)
		mw_scopes_remove(judge->host.scopes, matter->tracee.pid);
	if (!find_scope(judge, matter) && arrival != MW_ARRIVED_OTHER) {
		let_go(judge, matter);
		return;
	}
	if (arrival == MW_ARRIVED_OTHER) {
		matter->scope = matter->scope ? matter->scope : load;
		judge_exchanged(judge, matter);
		return;
	}
	row = mw_floor_call(matter->data->arch, matter->data->nr);
	if (!row)
		mw_tracee_continue(&matter->tracee);
	else if (row->effect == MW_FLOOR_BIRTH)
		mw_floor_birth(judge, matter, row);
	else
		judge_again(judge, matter, row);
}

/* Nothing can be learnt of the task: it has died, or we are short of descriptors or memory, and it
 * must not wait for ever. */
static void refuse_unknown(const struct mw_floor_judge *judge, const struct mw_tracee *tracee)
{
	if (judge->host.policy->mode >= MW_DENY)
		mw_tracee_fail(tracee, ENOMEM);
	else
		mw_tracee_continue(tracee);
}

static void handle(struct mw_floor_judge *judge, const struct seccomp_notif *n)
{
	struct mw_matter matter = {
	        .tracee = {.tid = (pid_t)n->pid, .listener = judge->listener, .id = n->id},
	        .data = &n->data,
	};
	int error;

	matter.tracee.pid = mw_tracee_process(matter.tracee.tid);
	if (matter.tracee.pid < 0) {
		refuse_unknown(judge, &matter.tracee);
		return;
	}
	if (!mw_tracee_valid(&matter.tracee))
		return; /* whose process that was is not known: it has died */
	if ((uint32_t)n->data.args[0] != MW_FLOOR_CALL || n->data.nr != SYS_prctl) {
		judge_matter(judge, &matter);
		return;
	}
	error = mw_floor_hear(judge, &matter.tracee, &n->data);
	if (error)
		mw_tracee_fail(&matter.tracee, -error);
	else
		mw_tracee_return(&matter.tracee, 0);
}

static void watch(struct mw_floor_judge *judge)
{
	bool any = judge->tasks.count || judge->host.scopes->count || judge->mark.used ||
	           mw_floor_started_awaits(&judge->started, 0);

	mw_gate_watch(judge->gate, any);
}

int mw_floor_judge_poll(struct mw_floor_judge *judge)
{
	struct seccomp_notif n;
	int slot, count = 0;

	/* Whoever comes while one is being answered waits until it is known what came of it. No
	 * more than can wait at once: the rest of the main loop has its turn, too. */
	for (; count < MW_KEEPER_SLOTS && (slot = mw_gate_take(judge->gate, &n)) >= 0; count++) {
		mw_gate_watch(judge->gate, true);
		handle(judge, &n);
		mw_gate_done(judge->gate, slot);
		watch(judge);
	}
	return count;
}

void mw_floor_judge_prune(struct mw_floor_judge *judge)
{
	mw_floor_tasks_prune(&judge->tasks);
	mw_floor_started_prune(&judge->started);
	watch(judge);
}

bool mw_floor_judge_knows(const struct mw_floor_judge *judge)
{
	return judge->tasks.count || mw_floor_started_awaits(&judge->started, 0);
}
