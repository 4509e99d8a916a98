/* What the shims say by calls to the floor, and what records say of threads. */
#include <errno.h>

#include "floor_evidence.h"
#include "floor_matter.h"
#include "floor_message.h"
#include "floor_shim.h"

/* Nobody but the shim speaks for what its process does. In a new program only one thread is left of
 * the old one, and it has the process's number. */
static int meet(struct mw_floor_judge *judge, pid_t pid, uint64_t address)
{
	int result = mw_floor_ask_shim(&judge->shims, pid, address);
	struct mw_floor_thread *thread = mw_floor_thread(&judge->tasks, pid);

	if (result > 0 && thread)
		mw_floor_thread_forget(&judge->tasks, thread);
	return result < 0 ? result : 0;
}

void mw_floor_judge_opened(struct mw_floor_judge *judge, pid_t pid, const struct mw_record *record)
{
	pid_t tid = (pid_t)record->tid;
	struct mw_floor_thread *thread = mw_floor_thread_enter(&judge->tasks, pid, tid);

	if (!thread)
		return;
	mw_floor_thread_open(thread, record);
	mw_gate_watch(judge->gate, true);
}

void mw_floor_judge_permit(struct mw_floor_judge *judge, pid_t pid, const struct mw_record *record,
                           const char *alert)
{
	struct mw_floor_thread *thread =
	        mw_floor_thread_enter(&judge->tasks, pid, (pid_t)record->tid);

	if (thread)
		mw_floor_thread_permit(thread, mw_permit_new(&record->effect, alert));
}

static int enter(struct mw_floor_judge *judge, const struct mw_tracee *tracee, uint64_t load)
{
	struct mw_floor_thread *thread =
	        mw_floor_thread_enter(&judge->tasks, tracee->pid, tracee->tid);

	if (!thread)
		return -ESRCH;
	/* Only at its birth, and there is no way out of a scope by it. */
	if (!load || thread->scope || thread->loads)
		return -EINVAL;
	thread->scope = load;
	return 0;
}

static int hear_record(struct mw_floor_judge *judge, const struct mw_tracee *tracee,
                       const struct seccomp_data *data)
{
	struct mw_floor_letter letter;
	struct mw_reply reply = {.magic = MW_REPLY_MAGIC};
	int fds[MW_WIRE_FDS] = {-1, -1},
	    error = mw_floor_letter_read(tracee, data->args[2], &letter);
	struct mw_record *record = &letter.unpacked.record;

	if (error)
		return error;
	record->tid = (uint32_t)tracee->tid;
	judge->host.serve(judge->host.context, tracee->pid, record, &reply, fds);
	error = mw_floor_letter_reply(tracee, &letter, &reply, fds);
	mw_floor_letter_free(&letter);
	return error;
}

int mw_floor_hear(struct mw_floor_judge *judge, const struct mw_tracee *tracee,
                  const struct seccomp_data *data)
{
	int error = meet(judge, tracee->pid, data->instruction_pointer);
	struct mw_floor_thread *thread = mw_floor_thread(&judge->tasks, tracee->tid);

	if (error)
		return error;
	switch (data->args[1]) {
	case MW_TELL_RECORD:
		return hear_record(judge, tracee, data);
	case MW_TELL_CLOSE:
		if (!thread)
			return 0;
		error = mw_floor_thread_close(thread, data->args[2],
		                              mw_floor_stack_pointer(tracee));
		if (!error)
			mw_floor_thread_tidy(&judge->tasks, thread);
		return error;
	case MW_TELL_ENTER:
		return enter(judge, tracee, data->args[2]);
	case MW_TELL_BIRTH:
		if (thread)
			thread->birth =
			        data->args[2] == MW_BORN_IN_SCOPE ? MW_BORN_IN_SCOPE : MW_BORN_FREE;
		return 0;
	default:
		return -EINVAL;
	}
}
