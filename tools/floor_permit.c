#include "floor_permit.h"

#include <stdlib.h>
#include <string.h>

#include "../core/implies.h"

static const char *keep(char **at, struct mw_str s)
{
	char *kept = *at;

	if (s.s)
		memcpy(kept, s.s, s.len);
	kept[s.s ? s.len : 0] = '\0';
	*at += strlen(kept) + 1;
	return kept;
}

static size_t room(struct mw_str s)
{
	return (s.s ? s.len : 0) + 1;
}

struct mw_permit *mw_permit_new(const struct mw_record_effect *effect, const char *alert)
{
	size_t size = room(effect->op) + room(effect->target) + room(effect->target2) +
	              room(effect->file) + room(effect->file2);
	struct mw_permit *permit;
	char *at;

	for (uint32_t i = 0; i < effect->argc; i++)
		size += room(effect->argv[i]);
	permit = malloc(sizeof(*permit) + size);
	if (!permit)
		return NULL;
	at = (char *)(permit + 1);
	*permit = (struct mw_permit){
	        .class = effect->class,
	        .cause = effect->cause,
	        .facts = effect->facts,
	        .number = effect->number,
	};
	permit->op = keep(&at, effect->op);
	permit->target = keep(&at, effect->target);
	permit->target2 = keep(&at, effect->target2);
	permit->file = keep(&at, effect->file);
	permit->file2 = keep(&at, effect->file2);
	permit->argv = at;
	permit->argc = effect->argc;
	permit->argv_cut = effect->argv_cut;
	for (uint32_t i = 0; i < effect->argc; i++)
		keep(&at, effect->argv[i]);
	strncpy(permit->alert, alert, sizeof(permit->alert) - 1);
	return permit;
}

static bool implies(const struct mw_permit *permit, const char *target, const char *target2,
                    enum mw_class class, const char *below)
{
	const struct mw_announced above = {permit->class, permit->op, target, target2};
	const struct mw_effect effect = {.class = class, .target = below};

	return *target && below && *below && mw_implies(&above, &effect);
}

/* Calls that name nothing agree in their number: a protection, a signal. */
static bool names_nothing(const struct mw_permit *permit, const struct mw_effect *effect)
{
	return !*permit->target && permit->class == effect->class &&
	       (!effect->target || !*effect->target) && permit->number == effect->number;
}

/* What is opened as a library brings others with it, which the loader finds. */
static bool opens_libraries(const struct mw_permit *permit, const struct mw_effect *effect)
{
	return permit->class == MW_MAP && effect->class == MW_MAP &&
	       effect->facts & MW_FACT_INSTALLED && permit->facts & MW_FACT_INSTALLED;
}

bool mw_permit_covers(const struct mw_permit *permit, const struct mw_effect *effect,
                      const char *raw)
{
	if (permit->spent)
		return false;
	return names_nothing(permit, effect) || opens_libraries(permit, effect) ||
	       implies(permit, permit->file, permit->file2, effect->class, effect->file) ||
	       implies(permit, permit->target, permit->target2, effect->class, effect->target) ||
	       implies(permit, permit->target, permit->target2, effect->class, raw);
}

bool mw_permit_has_arguments(const struct mw_permit *permit, const struct mw_effect *effect)
{
	const char *argument = permit->argv;
	size_t at = 0;

	if (permit->argv_cut || effect->argv_cut)
		return false;
	for (uint32_t i = 0; i < permit->argc; i++, argument += strlen(argument) + 1) {
		/* system() puts it there since glibc 2.38. */
		if (at == 2 && at < effect->argc && !strcmp(effect->argv[at], "--") &&
		    strcmp(argument, "--") != 0)
			at++;
		if (at == effect->argc || strcmp(argument, effect->argv[at++]) != 0)
			return false;
	}
	return at == effect->argc;
}

bool mw_permit_looks_up(const struct mw_permit *permit)
{
	return implies(permit, permit->target, permit->target2, MW_CONNECT, ":53");
}

bool mw_permit_is_used_up(const struct mw_permit *permit)
{
	static const char *const single[] = {"mmap",          "mmap64", "mprotect",
	                                     "pkey_mprotect", "prctl",  "ptrace",
	                                     "kill",          "killpg", "syscall"};

	if (permit->class == MW_EXEC)
		return true;
	for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++)
		if (!strcmp(permit->op, single[i]))
			return true;
	return false;
}
