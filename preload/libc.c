/* The libc sensor: what a wrapped function asks before it makes its call in an active thread. */
#include <errno.h>
#include <string.h>

#include "shim.h"

/* The alert of what was announced is to say that this sensor sees it too: once. */
static void join(struct mw_note *note)
{
	if (note->joined || !note->id[0])
		return;
	note->joined = true;
	mw_join(note->id, MW_LIBC);
}

bool mw_announced(enum mw_class class, const char *target)
{
	const struct mw_effect effect = {.class = class, .target = target};
	struct mw_thread *thread = &mw_thread;

	if (thread->busy)
		return true;
	if (mw_note_implies(&thread->span, &effect)) {
		join(&thread->span);
		return true;
	}
	if (!mw_note_implies(&thread->note, &effect))
		return false;
	thread->note.valid = false;
	join(&thread->note);
	return true;
}

/* Code that does what it is told by whoever drives it proves nothing about the library it lies in:
 * libffi, and the interpreter with its own extension modules. */
static bool is_driven(const char *path)
{
	static const char *const drivers[] = {"libffi",     "/_ctypes",      "_cffi_backend",
	                                      "/libpython", "/lib-dynload/", "/bin/python"};

	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (strstr(path, drivers[i]))
			return true;
	return false;
}

static bool is_installed_library(const void *caller)
{
	struct mw_place place;

	return mw_place_of(caller, &place) && place.path[0] && !is_driven(place.path) &&
	       mw_trusted(place.path);
}

bool mw_refused_as(const struct mw_effect *effect)
{
	struct mw_answer answer;
	int saved = errno;

	mw_judge(effect, NULL, 0, 0, &answer);
	errno = answer.verdict >= MW_DENY ? EPERM : saved;
	return answer.verdict >= MW_DENY;
}

bool mw_refused(const struct mw_effect *effect, bool python_sees, const void *caller)
{
	struct mw_thread *thread = &mw_thread;
	struct mw_load *load = thread->load;
	struct mw_effect full = *effect;

	thread->busy++;
	full.sensor = MW_LIBC;
	if (is_installed_library(caller))
		full.facts |= MW_FACT_LIBRARY;
	if (load) {
		full.cause = full.facts & MW_FACT_LIBRARY ? load->imports.native : MW_BY_NATIVE;
		if (python_sees)
			full.facts |= MW_FACT_UNANNOUNCED;
		if (load->called)
			full.facts |= MW_FACT_CALLED;
	} else {
		full.cause = full.facts & MW_FACT_LIBRARY ? thread->imports.native : MW_BY_CALL;
		full.facts |= MW_FACT_SCOPE | MW_FACT_AFTER | MW_FACT_CALLED;
	}
	thread->busy--;
	return mw_refused_as(&full);
}
