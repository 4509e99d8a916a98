#include "groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "sample.h"

static void tally_add(struct mw_tally *tally, const struct mw_entry *alert)
{
	tally->count += alert->count;
	tally->outcomes[alert->outcome] += alert->count;
	tally->deny_would_stop += alert->deny_would_stop ? alert->count : 0;
}

static void less(uint64_t *from, uint64_t by)
{
	*from -= by < *from ? by : *from;
}

/* Takes away no more than there is: an update that is forged may be about something else. */
static void tally_take(struct mw_tally *tally, const struct mw_share *share)
{
	less(&tally->count, share->count);
	less(&tally->outcomes[share->outcome], share->count);
	less(&tally->deny_would_stop, share->deny_would_stop ? share->count : 0);
}

static void tally_sum(struct mw_tally *tally, const struct mw_tally *more)
{
	tally->count += more->count;
	for (int i = 0; i < MW_OUTCOME_COUNT; i++)
		tally->outcomes[i] += more->outcomes[i];
	tally->deny_would_stop += more->deny_would_stop;
}

static void release(struct mw_group *group)
{
	for (size_t i = 0; i < group->event_count; i++)
		json_decref(group->events[i].process);
	json_decref(group->sample);
	json_decref(group->hosts);
}

static struct mw_group *find(struct mw_groups *groups, const char *key)
{
	for (size_t i = 0; i < groups->count; i++)
		if (!memcmp(groups->all[i].key, key, MW_SHA256_HEX))
			return &groups->all[i];
	return NULL;
}

static struct mw_group *least_severe(struct mw_groups *groups)
{
	struct mw_group *least = &groups->all[0];

	for (size_t i = 1; i < groups->count; i++)
		if (groups->all[i].severity < least->severity)
			least = &groups->all[i];
	return least;
}

/* A place for a new group, or NULL when all there are deserve theirs more. */
static struct mw_group *place_for(struct mw_groups *groups, enum mw_severity severity)
{
	struct mw_group *place;

	if (groups->count < MW_GROUPS_MAX) {
		place = &groups->all[groups->count++];
	} else {
		place = least_severe(groups);
		if (place->severity >= severity)
			return NULL;
		tally_sum(&groups->rest[place->severity], &place->tally);
		release(place);
	}
	*place = (struct mw_group){.severity = severity};
	return place;
}

static struct mw_event *event_of(struct mw_group *group, const struct mw_entry *alert)
{
	for (size_t i = 0; i < group->event_count; i++)
		if (!memcmp(group->events[i].id, alert->id, MW_ID_BYTES))
			return &group->events[i];
	return NULL;
}

/* The one in the middle goes when there are too many. */
static void add_event(struct mw_group *group, const struct mw_entry *alert)
{
	struct mw_event event = {
	        .time = alert->time, .count = alert->count, .outcome = alert->outcome};
	struct mw_event *events = group->events;
	size_t i = group->event_count++;

	memcpy(event.id, alert->id, MW_ID_BYTES);
	for (; i && events[i - 1].time > event.time; i--)
		events[i] = events[i - 1];
	events[i] = event;
	if (group->event_count > MW_GROUP_EVENTS) {
		const size_t middle = MW_GROUP_EVENTS / 2;

		json_decref(events[middle].process);
		memmove(events + middle, events + middle + 1, middle * sizeof(*events));
		group->event_count--;
	}
	/* Only now, so that nothing is made for an alert that fell in the middle. */
	for (i = 0; i < group->event_count; i++)
		if (!events[i].process)
			events[i].process = mw_sample_process(alert->json);
}

static bool has_text(const json_t *list, const json_t *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), text))
			return true;
	return false;
}

static void add_host(struct mw_group *group, const struct mw_entry *alert)
{
	json_t *name;

	if (json_array_size(group->hosts) >= MW_GROUP_HOSTS)
		return;
	name = mw_shown_field(alert->json, "host.name", 128);
	if (json_is_string(name) && !has_text(group->hosts, name))
		json_array_append(group->hosts, name);
	json_decref(name);
}

static int begin_group(struct mw_group *group, const char *key, const struct mw_entry *alert)
{
	memcpy(group->key, key, MW_SHA256_HEX);
	memcpy(group->sample_id, alert->id, MW_ID_BYTES);
	group->hosts = json_array();
	group->sample = mw_sample(alert->json);
	return group->sample && group->hosts ? 0 : -ENOMEM;
}

static void count(struct mw_groups *groups, const struct mw_entry *alert)
{
	if (!groups->total.count || alert->time < groups->first)
		groups->first = alert->time;
	if (alert->time > groups->last)
		groups->last = alert->time;
	tally_add(&groups->total, alert);
	tally_add(&groups->by_severity[alert->severity], alert);
}

static void raise_to(struct mw_group *group, enum mw_severity severity)
{
	if (group->severity < severity)
		group->severity = severity;
}

/* Counts the alert in its group, a new one if need be and there is room, or with the rest. */
static int gather(struct mw_groups *groups, const char *key, const struct mw_entry *alert)
{
	struct mw_group *group = find(groups, key);
	int error;

	if (!group) {
		group = place_for(groups, alert->severity);
		if (!group) {
			tally_add(&groups->rest[alert->severity], alert);
			return 0;
		}
		error = begin_group(group, key, alert);
		if (error)
			return error;
	}
	raise_to(group, alert->severity);
	tally_add(&group->tally, alert);
	add_event(group, alert);
	add_host(group, alert);
	return 0;
}

int mw_groups_add(struct mw_groups *groups, const struct mw_entry *alert)
{
	char key[MW_SHA256_HEX];
	int error = mw_sample_key(alert->json, key);

	if (error)
		return error;
	count(groups, alert);
	return gather(groups, key, alert);
}

static int correct_group(struct mw_group *group, const struct mw_entry *alert)
{
	struct mw_event *event = event_of(group, alert);
	json_t *sample;

	raise_to(group, alert->severity);
	if (event) {
		event->outcome = alert->outcome;
		event->count = alert->count;
	}
	if (memcmp(group->sample_id, alert->id, MW_ID_BYTES) != 0)
		return 0;
	sample = mw_sample(alert->json);
	if (!sample)
		return -ENOMEM;
	json_decref(group->sample);
	group->sample = sample;
	return 0;
}

int mw_groups_correct(struct mw_groups *groups, const struct mw_entry *alert,
                      const struct mw_share *before)
{
	char key[MW_SHA256_HEX];
	struct mw_group *group;
	int error = mw_sample_key(alert->json, key);

	if (error)
		return error;
	tally_take(&groups->total, before);
	tally_add(&groups->total, alert);
	tally_take(&groups->by_severity[before->severity], before);
	tally_add(&groups->by_severity[alert->severity], alert);
	group = find(groups, key);
	if (!group) {
		tally_take(&groups->rest[before->severity], before);
		return gather(groups, key, alert); /* it may deserve a group now */
	}
	tally_take(&group->tally, before);
	tally_add(&group->tally, alert);
	return correct_group(group, alert);
}

/* The greater comes first. */
static int compare(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static uint64_t not_prevented(const struct mw_group *group)
{
	return group->tally.count - group->tally.outcomes[MW_PREVENTED];
}

static int by_weight(const void *first, const void *second)
{
	const struct mw_group *a = first, *b = second;
	int order = compare(a->severity, b->severity);

	if (!order)
		order = compare(not_prevented(a) > 0, not_prevented(b) > 0);
	if (!order)
		order = compare(a->tally.count, b->tally.count);
	if (!order)
		order = compare((uint64_t)b->events[0].time, (uint64_t)a->events[0].time);
	return order ? order : memcmp(a->key, b->key, MW_SHA256_HEX);
}

void mw_groups_sort(struct mw_groups *groups)
{
	qsort(groups->all, groups->count, sizeof(groups->all[0]), by_weight);
}

void mw_groups_clear(struct mw_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		release(&groups->all[i]);
	groups->count = 0;
}
