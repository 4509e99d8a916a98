#include "identity_cache.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup_path.h"
#include "container_state.h"
#include "container_states.h"
#include "identity.h"
#include "identity_store.h"
#include "jsontext.h"
#include "tasks.h"

#define TEXT_MAX (MW_IDENTITY_BYTES - 64) /* less what the store and malloc() add */

struct mw_identity_cache {
	struct mw_identity_store *store;
	struct mw_container_states *containers;
	struct mw_cgroup_paths *paths; /* NULL: version 2 is not mounted */
	struct mw_identity_counts counts;
};

int mw_identity_cache_new(const char *root, const json_t *cri_sockets,
                          struct mw_identity_cache **ret)
{
	struct mw_identity_cache *cache = calloc(1, sizeof(*cache));
	int error;

	if (!cache)
		return -ENOMEM;
	cache->store = mw_identity_store_new(MW_IDENTITY_PROCESSES);
	error = root ? mw_container_states_new(root, cri_sockets, &cache->containers) : 0;
	if (!error && (!cache->store || mw_cgroup_paths_open(&cache->paths) == -ENOMEM))
		error = -ENOMEM;
	if (error)
		mw_identity_cache_free(cache);
	else
		*ret = cache;
	return error;
}

void mw_identity_cache_free(struct mw_identity_cache *cache)
{
	if (!cache)
		return;
	mw_container_states_free(cache->containers);
	mw_cgroup_paths_close(cache->paths);
	mw_identity_store_free(cache->store);
	free(cache);
}

void mw_identity_counts(const struct mw_identity_cache *cache, struct mw_identity_counts *ret)
{
	*ret = cache->counts;
	mw_identity_store_size(cache->store, &ret->processes, &ret->bytes);
	mw_container_states_counts(cache->containers, &ret->containers);
}

static json_t *container_of(struct mw_identity_cache *cache, const struct mw_cgroup *cgroup)
{
	json_t *container = mw_identity_container(cgroup);
	const struct mw_container_state *state = NULL;
	struct mw_container_state files;

	if (cgroup->container_trust < MW_CGROUP_HOST)
		return container;
	if (cache && cache->containers)
		state = mw_container_states_get(cache->containers, cgroup);
	else if (!mw_container_state("", cgroup, &files))
		state = &files;
	if (state)
		mw_identity_name_container(container, state);
	return container;
}

bool mw_identity_complete(struct mw_identity_cache *cache, json_t *alert)
{
	json_t *container = json_object_get(alert, "container");
	const struct mw_container_state *state;
	struct mw_cgroup cgroup;

	if (!cache->containers || !mw_identity_container_cgroup(container, &cgroup))
		return false;
	state = mw_container_states_get(cache->containers, &cgroup);
	return state && mw_identity_name_container(container, state);
}

int mw_identity_fd(const struct mw_identity_cache *cache)
{
	return mw_container_states_fd(cache->containers);
}

void mw_identity_poll(struct mw_identity_cache *cache, mw_container_news *news, void *context)
{
	mw_container_states_poll(cache->containers, news, context);
}

static json_t *read_process(struct mw_identity_cache *cache, pid_t pid, pid_t tid)
{
	struct mw_cgroup cgroup;

	mw_identity_cgroup(pid, &cgroup);
	return json_pack("{s:o, s:o, s:o, s:o}", "process", mw_identity_process(pid, tid, &cgroup),
	                 "user", mw_identity_user(pid), "job", mw_identity_job(pid, &cgroup),
	                 "container", container_of(cache, &cgroup));
}

static uint64_t ticks_of(uint64_t ns)
{
	return ns / (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool mw_identity_is_there(const struct mw_identity_hint *hint)
{
	return !hint->start_ns || mw_task_runs(hint->pid, ticks_of(hint->start_ns));
}

/* A process that is ending lets go of its memory first, and with it of its program and arguments:
 * long before it is seen to be dead. */
static bool is_whole(json_t *who)
{
	json_t *process = json_object_get(who, "process");

	return json_is_string(json_object_get(process, "exe")) &&
	       json_array_size(json_object_get(process, "argv"));
}

/* What is said of a process only counts if it is still the same one afterwards. */
static json_t *read_live(struct mw_identity_cache *cache, pid_t pid, pid_t tid, uint64_t start,
                         bool *ret_dying)
{
	struct mw_task task;
	json_t *who;

	if (mw_task_read(pid, &task) || task.start != start)
		return NULL;
	who = read_process(cache, pid, tid);
	if (!mw_task_read(pid, &task) && task.start == start) {
		*ret_dying = task.dead || !is_whole(who);
		return who;
	}
	json_decref(who);
	return NULL;
}

/* Takes something out of an identity that is too long to be remembered, the least telling first.
 * False when there is no more. */
static bool shorten(json_t *process)
{
	static const char *const keys[] = {"cwd", "argv", "exe"};
	json_t *argv = json_object_get(process, "argv");
	json_t *ancestors = json_object_get(process, "ancestors");

	if (json_array_size(argv) > 1)
		return !json_array_remove(argv, json_array_size(argv) - 1);
	if (json_array_size(ancestors))
		return !json_array_remove(ancestors, json_array_size(ancestors) - 1);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!json_is_null(json_object_get(process, keys[i])))
			return !json_object_set_new(process, keys[i], json_null());
	return false;
}

static void note_path(struct mw_identity_cache *cache, pid_t pid)
{
	char text[4096], *line;

	mw_proc_read(pid, "cgroup", text, sizeof(text));
	line = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	if (!line || !cache->paths)
		return;
	line += *line == '\n';
	line[strcspn(line, "\n")] = '\0';
	mw_cgroup_paths_note(cache->paths, line + 3);
}

void mw_identity_note(struct mw_identity_cache *cache, pid_t pid)
{
	char text[TEXT_MAX + 1];
	struct mw_task task;
	json_t *who;
	bool is_dying, is_there = true;
	size_t len;
	int left;

	if (mw_task_read(pid, &task))
		return;
	who = read_live(cache, pid, pid, task.start, &is_dying);
	if (!who || (is_dying && mw_identity_store_get(cache->store, pid, task.start))) {
		json_decref(who);
		return;
	}
	note_path(cache, pid);
	len = json_dumpb(who, NULL, 0, JSON_COMPACT);
	while (len > TEXT_MAX && is_there) {
		is_there = shorten(json_object_get(who, "process"));
		len = json_dumpb(who, NULL, 0, JSON_COMPACT);
	}
	if (len && len <= TEXT_MAX) {
		json_dumpb(who, text, len, JSON_COMPACT);
		left = mw_identity_store_put(cache->store, pid, task.start, text, len);
		cache->counts.noted += left >= 0;
		cache->counts.evicted += left > 0;
	}
	json_decref(who);
}

void mw_identity_forget(struct mw_identity_cache *cache, pid_t pid)
{
	mw_identity_store_drop(cache->store, pid);
}

static json_t *recall(struct mw_identity_cache *cache, pid_t pid, uint64_t start)
{
	const char *text = cache ? mw_identity_store_get(cache->store, pid, start) : NULL;

	return text ? json_loads(text, 0, NULL) : NULL;
}

static bool is_nothing(const json_t *value)
{
	return !value || json_is_null(value) || (json_is_array(value) && !json_array_size(value));
}

/* What `to` does not know is taken from `from`. */
static void fill(json_t *to, json_t *from)
{
	const char *key;
	json_t *value, *have;

	json_object_foreach(from, key, value)
	{
		have = json_object_get(to, key);
		if (is_nothing(have))
			json_object_set(to, key, value);
		else if (!strcmp(key, "process") || !strcmp(key, "user"))
			fill(have, value);
	}
}

static json_t *uid_of(uint32_t uid)
{
	return uid == MW_IDENTITY_NO_UID ? json_null() : json_integer(uid);
}

static json_t *user_name(uint32_t uid)
{
	return mw_json_text(uid == MW_IDENTITY_NO_UID ? "" : mw_identity_user_name(uid));
}

/* All that the event itself says. */
static json_t *from_hint(struct mw_identity_cache *cache, const struct mw_identity_hint *hint)
{
	char path[PATH_MAX + 3] = "0::";
	struct mw_cgroup cgroup = {0};

	if (cache && cache->paths &&
	    !mw_cgroup_path(cache->paths, hint->cgroup, path + 3, sizeof(path) - 3))
		mw_cgroup_parse(path, &cgroup);
	return json_pack("{s:{s:i, s:n, s:o, s:o, s:o, s:o, s:n, s:n, s:o, s:o, s:[]}, "
	                 "s:{s:o, s:o, s:[], s:n}, s:o, s:o}",
	                 "process", "pid", (int)hint->pid, "ns_pid", "tid",
	                 hint->tid > 0 ? json_integer(hint->tid) : json_null(), "start_time",
	                 hint->start_ns ? mw_identity_start_time(ticks_of(hint->start_ns))
	                                : json_null(),
	                 "comm", mw_json_text(hint->comm ? hint->comm : ""), "exe",
	                 mw_json_text(hint->exe ? hint->exe : ""), "argv", "cwd", "unit",
	                 mw_json_text(cgroup.unit), "user_unit", mw_json_text(cgroup.user_unit),
	                 "ancestors", "user", "uid", uid_of(hint->uid), "name",
	                 user_name(hint->uid), "groups", "loginuid", "job",
	                 mw_identity_job(0, &cgroup), "container", container_of(cache, &cgroup));
}

/* A parent among the ancestors of its child, before its own. */
static json_t *lineage_of(json_t *parent)
{
	json_t *list = json_array(), *above = json_object_get(parent, "ancestors"), *value;
	json_t *argv0 = json_array_get(json_object_get(parent, "argv"), 0);
	size_t i;

	json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:O?}", "pid",
	                                      json_object_get(parent, "pid"), "comm",
	                                      json_object_get(parent, "comm"), "exe",
	                                      json_object_get(parent, "exe"), "argv0", argv0));
	json_array_foreach(above, i, value)
	{
		if (i + 1 < MW_IDENTITY_ANCESTORS)
			json_array_append(list, value);
	}
	return list;
}

static json_t *find_parent(struct mw_identity_cache *cache, const struct mw_identity_hint *hint)
{
	uint64_t start = ticks_of(hint->parent_start_ns);
	json_t *who = NULL;
	bool is_dying;

	if (hint->parent <= 0 || !start)
		return NULL;
	who = recall(cache, hint->parent, start);
	return who ? who : read_live(cache, hint->parent, hint->parent, start, &is_dying);
}

/* What a child has from its parent. The kernel says whose process it was: a program may change
 * that, and then only who logged in stays. */
static bool inherit(struct mw_identity_cache *cache, const struct mw_identity_hint *hint,
                    json_t *who)
{
	static const char *const own[] = {"pid", "ns_pid", "tid", "start_time", "comm",
	                                  "exe", "argv",   "cwd", "ancestors"};
	json_t *from = find_parent(cache, hint), *process = json_object_get(from, "process");
	json_t *user = json_object_get(from, "user"), *lineage;

	if (!from)
		return false;
	lineage = lineage_of(process);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		json_object_del(process, own[i]);
	json_object_set_new(process, "ancestors", lineage);
	if (hint->uid != MW_IDENTITY_NO_UID &&
	    json_integer_value(json_object_get(user, "uid")) != hint->uid) {
		json_object_del(user, "name");
		json_object_del(user, "groups");
	}
	fill(who, from);
	json_decref(from);
	return true;
}

/* Of a process that has ended, or is about to: `who` is what /proc still shows, or NULL. */
static json_t *of_the_dead(struct mw_identity_cache *cache, const struct mw_identity_hint *hint,
                           json_t *who)
{
	struct mw_identity_counts nobodys = {0}, *counts = cache ? &cache->counts : &nobodys;
	json_t *more = recall(cache, hint->pid, ticks_of(hint->start_ns));
	json_t *bare = from_hint(cache, hint);
	uint64_t *source = more ? &counts->remembered : who ? &counts->live : &counts->unknown;

	if (who || more) {
		who = who ? who : json_incref(more);
		fill(who, more);
		fill(who, bare);
	} else {
		who = json_incref(bare);
		if (inherit(cache, hint, who))
			source = &counts->inherited;
	}
	++*source;
	json_decref(more);
	json_decref(bare);
	return who;
}

/* Of whoever has the pid now, or had it last. */
static json_t *of_the_pid(struct mw_identity_cache *cache, pid_t pid, pid_t tid)
{
	json_t *who = read_process(cache, pid, tid), *more;

	if (is_whole(who))
		return who;
	more = recall(cache, pid, 0);
	json_object_del(json_object_get(more, "process"), "tid"); /* of the thread that was noted */
	fill(who, more);
	json_decref(more);
	return who;
}

json_t *mw_identity_gather(struct mw_identity_cache *cache, const struct mw_identity_hint *hint)
{
	bool is_dying = false;
	json_t *who;

	if (!hint->start_ns)
		return of_the_pid(cache, hint->pid, hint->tid);
	who = read_live(cache, hint->pid, hint->tid, ticks_of(hint->start_ns), &is_dying);
	if (!who || is_dying)
		who = of_the_dead(cache, hint, who);
	else if (cache)
		cache->counts.live++;
	if (cache)
		mw_identity_complete(cache, who);
	/* The kernel's number of the thread that acts, which may have ended since. */
	json_object_set_new(json_object_get(who, "process"), "tid",
	                    hint->tid > 0 ? json_integer(hint->tid) : json_null());
	return who;
}
