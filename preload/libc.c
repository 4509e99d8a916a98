/* The libc sensor: what a wrapped function asks before it makes its call in an active thread. */
#include <errno.h>
#include <string.h>

#include "shim.h"

/* Python announced this very effect and it was let through: then it is the same effect. */
bool mw_announced(enum mw_class class, const char *target)
{
	struct mw_thread *thread = &mw_thread;
	struct mw_note *note = &thread->note;

	if (thread->busy)
		return true;
	if (!note->valid || note->class != class)
		return false;
	if (note->key && target && note->key != mw_hash(target))
		return false;
	if (!note->spawns)
		note->valid = false;
	return true;
}

/* libffi calls whatever it is told to: a caller there is whoever drives it. */
static bool is_installed_library(const void *caller)
{
	struct mw_place place;

	return mw_place_of(caller, &place) && place.path[0] && !strstr(place.path, "libffi") &&
	       !strstr(place.path, "/_ctypes") && mw_trusted(place.path);
}

bool mw_refused(const struct mw_effect *effect, bool python_sees, const void *caller)
{
	struct mw_thread *thread = &mw_thread;
	struct mw_load *load = thread->load;
	struct mw_effect full = *effect;
	struct mw_answer answer;
	int saved = errno;

	thread->busy++;
	full.sensor = MW_LIBC;
	if (is_installed_library(caller))
		full.facts |= MW_FACT_LIBRARY;
	if (load) {
		full.cause = full.facts & MW_FACT_LIBRARY ? load->native : MW_BY_NATIVE;
		if (python_sees)
			full.facts |= MW_FACT_UNANNOUNCED;
		if (load->called)
			full.facts |= MW_FACT_CALLED;
	} else {
		full.cause = MW_BY_CALL;
		full.facts |= MW_FACT_SCOPE | MW_FACT_AFTER;
	}
	thread->busy--;
	mw_judge(&full, NULL, 0, 0, &answer);
	errno = answer.verdict >= MW_DENY ? EPERM : saved;
	return answer.verdict >= MW_DENY;
}
