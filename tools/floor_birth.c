/* Threads and processes that tasks in scope start. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "floor_matter.h"

/* As by unshare(2), which is asked about too. */
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* Takes the permit for a program out of the thread's: the process that it is about to get may
 * become that program when the thread has long gone on. NULL when there is none. */
static struct mw_permit *take_program(struct mw_floor_thread *thread)
{
	for (unsigned int i = 1; i <= MW_FLOOR_PERMITS; i++) {
		struct mw_permit **at = &thread->permits[(thread->turn - i) % MW_FLOOR_PERMITS];
		struct mw_permit *permit = *at;

		if (permit && permit->class == MW_EXEC && !permit->spent) {
			*at = NULL;
			return permit;
		}
	}
	return NULL;
}

/* Any child of the process may use it, once. */
static void keep_program(struct mw_floor_judge *judge, pid_t parent, struct mw_permit *permit)
{
	struct mw_floor_program *at = &judge->programs[judge->program_turn++ % MW_FLOOR_PROGRAMS];

	free(at->permit);
	*at = (struct mw_floor_program){parent, permit};
}

bool mw_floor_is_born_free(const struct mw_permit *permit)
{
	return !permit->alert[0] || permit->cause == MW_BY_IMPORT ||
	       permit->cause == MW_BY_MACHINERY || permit->cause == MW_BY_LOADER;
}

/* A thread that is looked at starts a task. Its sensors say so before. */
static bool is_announced(struct mw_floor_judge *judge, const struct mw_matter *matter, bool thread)
{
	struct mw_floor_thread *by = matter->thread;
	struct mw_permit *program = thread ? NULL : take_program(by);
	int birth = by->birth;

	by->birth = -1;
	if (program)
		keep_program(judge, matter->tracee.pid, program);
	else if (birth < 0)
		return false;
	/* What is started for an import is looked at, too, until it is the program it should be. */
	if (!thread && (program || birth == MW_BORN_IN_SCOPE))
		mw_scopes_spawning(judge->host.scopes, matter->tracee.pid, matter->tracee.tid,
		                   matter->scope);
	return true;
}

/* The whole process answers for the load, and what it starts, when it has gone itself, too. */
static void mark(struct mw_floor_judge *judge, const struct mw_matter *matter)
{
	mw_floor_mark_set(&judge->mark, matter->tracee.pid,
	                  mw_registry_find(judge->host.registry, matter->scope));
}

int mw_floor_birth(struct mw_floor_judge *judge, const struct mw_matter *matter,
                   const struct mw_floor_call *row)
{
	const struct mw_tracee *tracee = &matter->tracee;
	/* By its name here: other entries number it differently, with the flags in the same place.
	 */
	uint64_t flags = row->number == SYS_clone ? matter->data->args[0] : 0;
	struct mw_effect effect = {.class = MW_TAMPER, .op = row->name, .number = (int64_t)flags};
	bool of_thread = matter->load || (matter->thread && matter->thread->scope);

	mw_gate_doubt(judge->gate, 0);
	if (!(flags & (CLONE_PARENT | NAMESPACES)) &&
	    (!of_thread || is_announced(judge, matter, flags & CLONE_THREAD))) {
		if (!of_thread)
			mark(judge, matter);
		return mw_tracee_continue(tracee);
	}
	if (mw_floor_accuse(judge, matter, &effect) >= MW_DENY)
		return mw_tracee_fail(tracee, EPERM);
	mw_scopes_add(judge->host.scopes, tracee->pid, matter->scope);
	mw_gate_trust_none(judge->gate); /* all of the process is in scope now, however old */
	mark(judge, matter);
	return mw_tracee_continue(tracee);
}
