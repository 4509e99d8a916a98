/* Processes and threads that a load starts stay in its scope. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "floor.h"
#include "wrap.h"

/* The fork of a program start that was announced and let through: the program is judged, not the
 * moment before it. */
static bool starts_allowed_program(void)
{
	const struct mw_note *const notes[] = {&mw_thread.span, &mw_thread.note};

	for (size_t i = 0; i < 2; i++)
		if (notes[i]->valid && notes[i]->class == MW_EXEC && notes[i]->verdict == MW_ALLOW)
			return true;
	return false;
}

MW_REAL(pid_t, fork, (void));
MW_EXPORT pid_t fork(void)
{
	struct mw_thread *thread = &mw_thread;
	pid_t pid;

	if (mw_likely(!thread->active))
		return real_fork();
	mw_floor_birth(MW_BORN_IN_SCOPE);
	if (thread->busy || starts_allowed_program())
		return real_fork();
	if (thread->load)
		mw_announce();
	pid = real_fork();
	if (pid == 0)
		mw_born();
	return pid;
}

struct birth {
	void *(*start)(void *);
	void *argument;
	uint64_t scope;
	uint32_t slot;
};

static void *begin(void *argument)
{
	struct birth birth = *(struct birth *)argument;

	free(argument);
	mw_enter_scope(birth.scope, birth.slot);
	if (mw_process.floor)
		mw_floor_tell(MW_TELL_ENTER, birth.scope);
	return birth.start(birth.argument);
}

/* A thread that Python starts by a call of the load was announced by the Python sensor, which left
 * a note; any other comes from native code of a library (a pool of OpenMP, say) or of an import,
 * and lives on by itself. Code that is in no installed library has no such excuse. */
static struct birth *inherit(void *(*start)(void *), void *argument, const void *caller)
{
	struct mw_thread *thread = &mw_thread;
	struct mw_load *load = thread->load;
	struct mw_place place;
	struct birth *birth;
	bool by_call;

	if (thread->busy)
		return NULL;
	if (load) {
		by_call = thread->thread_by_call;
		thread->thread_by_call = false;
		if (!by_call)
			by_call = !mw_place_of(caller, &place) || !mw_trusted(place.path);
		if (!by_call)
			return NULL;
		mw_announce();
	}
	birth = malloc(sizeof(*birth));
	if (birth)
		*birth = (struct birth){start, argument, load ? mw_load_id(load) : thread->scope,
		                        load ? load->slot : thread->scope_slot};
	return birth;
}

MW_REAL(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
MW_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                             void *(*start)(void *), void *argument)
{
	struct birth *birth = NULL;
	int error;

	if (mw_unlikely(mw_thread.active)) {
		birth = inherit(start, argument, MW_CALLER);
		mw_floor_birth(birth ? MW_BORN_IN_SCOPE : MW_BORN_FREE);
	}
	if (!birth)
		return real_pthread_create(thread, attributes, start, argument);
	error = real_pthread_create(thread, attributes, begin, birth);
	if (error)
		free(birth);
	return error;
}
