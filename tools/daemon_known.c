#include "daemon_known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../core/implies.h"

/* Appends the text to `*at`, and returns where it is then. */
static const char *put(char **at, const char *text)
{
	size_t len = strnlen(text, MW_KNOWN_TEXT);
	char *start = *at;

	memcpy(start, text, len);
	start[len] = '\0';
	*at += len + 1;
	return start;
}

int mw_keys_set(struct mw_keys *keys, enum mw_class class, const char *op,
                const char *const *targets, size_t count)
{
	size_t room = 1 + strnlen(op, MW_KNOWN_TEXT);
	char *at;

	for (size_t i = 0; i < count; i++)
		room += targets[i] ? 1 + strnlen(targets[i], MW_KNOWN_TEXT) : 0;
	at = malloc(room);
	if (!at)
		return -ENOMEM;
	*keys = (struct mw_keys){.class = class, .text = at};
	keys->op = put(&at, op);
	for (size_t i = 0; i < count && keys->count < MW_MESSAGE_TARGETS; i++)
		if (targets[i] && *targets[i])
			keys->target[keys->count++] = put(&at, targets[i]);
	return 0;
}

static bool implies(const struct mw_keys *above, const char *target, const struct mw_keys *below,
                    const char *seen)
{
	const struct mw_announced announced = {above->class, above->op, target, NULL};
	const struct mw_effect effect = {.class = below->class, .target = seen};

	return mw_implies(&announced, &effect);
}

/* The two may spell what they are about in different ways: one that agrees is enough. */
static bool agree(const struct mw_keys *above, const struct mw_keys *below)
{
	if (!above->count || !below->count)
		return implies(above, NULL, below, NULL);
	for (size_t i = 0; i < above->count; i++)
		for (size_t j = 0; j < below->count; j++)
			if (implies(above, above->target[i], below, below->target[j]))
				return true;
	return false;
}

static bool same(pid_t pid, uint64_t start, const struct mw_member *who)
{
	return pid == who->pid && (!start || !who->start || start == who->start);
}

/* A program is run by a child of who announced it. */
static bool same_task(const struct mw_known_report *report, const struct mw_known_effect *effect)
{
	const struct mw_member *who = &effect->who;

	if (same(who->pid, who->start, &report->who))
		return true;
	if (effect->keys.class != MW_EXEC)
		return false;
	return effect->gone || same(who->parent, who->parent_start, &report->who);
}

bool mw_known_match(const struct mw_known_report *report, const struct mw_known_effect *effect)
{
	return report->number && report->happened && (!report->uid || report->uid == effect->uid) &&
	       same_task(report, effect) && agree(&report->keys, &effect->keys);
}

struct mw_known_report *mw_known_find(struct mw_known *known, uid_t uid, const char *id)
{
	for (size_t i = 0; i < MW_KNOWN_REPORTS; i++) {
		struct mw_known_report *report = &known->report[i];

		if (report->number && report->uid == uid && !strcmp(report->id, id))
			return report;
	}
	return NULL;
}

static bool is_older(const struct mw_known_report *report, const struct mw_known_report *than)
{
	return !than || report->number < than->number;
}

struct mw_known_report *mw_known_place(struct mw_known *known, uid_t uid)
{
	struct mw_known_report *free_one = NULL, *oldest = NULL, *his = NULL;
	size_t count = 0;

	for (size_t i = 0; i < MW_KNOWN_REPORTS; i++) {
		struct mw_known_report *report = &known->report[i];

		if (!report->number) {
			free_one = report;
			continue;
		}
		if (is_older(report, oldest))
			oldest = report;
		if (report->uid != uid)
			continue;
		count++;
		if (is_older(report, his))
			his = report;
	}
	if (count >= MW_MERGE_REPORTS)
		return his;
	if (free_one)
		return free_one;
	return his ? his : oldest;
}

void mw_known_forget(struct mw_known_report *report)
{
	json_decref(report->alert);
	free(report->keys.text);
	*report = (struct mw_known_report){0};
}

struct mw_known_effect *mw_known_effect_place(struct mw_known *known)
{
	struct mw_known_effect *effect;

	do {
		effect = &known->effect[known->next_effect];
		known->next_effect = (known->next_effect + 1) % MW_KNOWN_SEEN;
	} while (effect->alert);
	mw_known_effect_forget(effect);
	return effect;
}

void mw_known_effect_forget(struct mw_known_effect *effect)
{
	json_decref(effect->alert);
	free(effect->keys.text);
	*effect = (struct mw_known_effect){0};
}
