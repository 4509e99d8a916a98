/* What `modelwatch doctor` finds out: nothing is guessed from a version, each thing is tried. */
#ifndef MW_TOOLS_DOCTOR_H
#define MW_TOOLS_DOCTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum mw_health { MW_WORKS, MW_DEGRADED, MW_OFF, MW_UNSUPPORTED };

#define MW_DOCTOR_CHECKS_MAX 16
#define MW_DOCTOR_PYTHONS_MAX 64

/* `cost` is what is lost, and NULL when nothing is. */
struct mw_check {
	const char *name;
	enum mw_health health;
	char detail[PATH_MAX + 64];
	const char *cost;
};

/* An interpreter, after a probe in it under `modelwatch run`. */
struct mw_python {
	char path[PATH_MAX];
	char version[32]; /* "" when it did not say */
	enum mw_health health;
	bool shim;
	bool audit;
	char unpickler[160]; /* "hooked", or what is wrong */
	char detail[256];    /* what the user should know, or "" */
	const char *cost;
};

/* Tries what does not depend on an interpreter. Fills at most `max` and returns how many. */
size_t mw_doctor_checks(struct mw_check *ret, size_t max);

/* Finds the interpreters in $VIRTUAL_ENV, on PATH, below pyenv's root and in /usr/bin, each once
 * whatever its names are, and probes them. Fills at most `max` and returns how many. */
size_t mw_doctor_pythons(struct mw_python *ret, size_t max);

/* Makes text from elsewhere fit for a terminal: keeps the first line, and of that what is
 * printable. In place. */
void mw_doctor_clean(char *text);

#endif
