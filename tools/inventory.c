#include "inventory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact.h"
#include "hasher.h"
#include "identity_cache.h"
#include "inventory_json.h"
#include "locate.h"

#define PATIENCE_MS 1000

/* Loads of one process that are alike. */
struct kept {
	int64_t since; /* ms */
	uint64_t job;  /* of its digest; 0: none is being made */
	struct mw_digest known;
	uint64_t start, count, duration;
	bool streams; /* there were several */
	json_t *record;
	char last[40]; /* when the last one ended */
};

struct mw_inventory {
	struct mw_inventory_options options;
	char policy_digest[80];
	struct mw_hasher *hasher;             /* its own: it must not take the places of alerts */
	struct mw_identity_cache *identities; /* NULL: nobody is remembered */
	uint64_t lost;
	int64_t lost_since; /* ms */
	size_t count;
	uint64_t hash[MW_INVENTORY_OPEN]; /* of what is alike in each; 0: it is free */
	struct kept kept[MW_INVENTORY_OPEN];
};

int mw_inventory_open(const struct mw_inventory_options *options, struct mw_inventory **ret)
{
	struct mw_inventory *inventory = calloc(1, sizeof(*inventory));
	int error = inventory ? mw_hasher_new(&inventory->hasher) : -ENOMEM;

	if (!error && options->remember)
		error = mw_identity_cache_new(NULL, NULL, &inventory->identities);
	if (error) {
		if (inventory)
			mw_hasher_free(inventory->hasher);
		free(inventory);
		return error;
	}
	inventory->options = *options;
	snprintf(inventory->policy_digest, sizeof(inventory->policy_digest), "%s",
	         options->policy_digest);
	json_incref(inventory->options.labels);
	*ret = inventory;
	return 0;
}

static uint64_t add(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;

	/* FNV-1a. Of a number, the analyzer knows the first byte only. */
	for (size_t i = 0; i < len; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		hash = (hash ^ p[i]) * 1099511628211u;
	return hash;
}

static uint64_t add_text(uint64_t hash, struct mw_str s)
{
	hash = add(hash, &s.len, sizeof(s.len));
	return s.s ? add(hash, s.s, s.len) : hash;
}

/* What has to be equal: process, entry, artifact, and how it went. A process that makes two of its
 * own loads look alike hides one of them behind its own other one, whose count tells. */
static uint64_t hash_of(const struct mw_inventory_load *which)
{
	const struct mw_record *record = which->record;
	const struct mw_record_load *load = &record->load;
	const uint64_t numbers[] = {(uint64_t)which->who->pid,
	                            which->who->start_ns,
	                            load->dev,
	                            load->ino,
	                            load->origin,
	                            record->done.raised,
	                            record->done.weights_only};
	uint64_t hash = add(14695981039346656037u, numbers, sizeof(numbers));

	hash = add_text(add_text(hash, load->entry), load->path);
	return hash ? hash : 1;
}

/* The place of those that are alike, or else a free one; MW_INVENTORY_OPEN: there is none. */
static size_t find(const struct mw_inventory *inventory, uint64_t hash)
{
	size_t free_one = MW_INVENTORY_OPEN;

	for (size_t i = 0; i < MW_INVENTORY_OPEN; i++) {
		if (inventory->hash[i] == hash)
			return i;
		if (!inventory->hash[i] && free_one == MW_INVENTORY_OPEN)
			free_one = i;
	}
	return free_one;
}

/* The load has ended, or may have by now, and what lies in its memory may be anything: a stream is
 * read from its file. What torch reads from an archive is the pickle that archives have. */
static void locate(const struct mw_inventory_load *which, struct mw_location *ret)
{
	static struct mw_record after; /* large */
	struct mw_record_load *load = &after.load;

	after = *which->record;
	load->archive |= load->data && load->path.len && load->entry.len == 10 &&
	                 !memcmp(load->entry.s, "torch.load", 10);
	if (load->data && !load->archive)
		load->path.len = 0; /* where in the file it came from is not known */
	load->data = load->data_len = 0;
	load->tell = -1;
	if (load->path.len || load->fd >= 0)
		mw_locate(which->who->pid, &after, ret);
}

static void write_record(struct mw_inventory *inventory, const struct kept *kept)
{
	char *line =
	        kept->record ? json_dumps(kept->record, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	size_t len = line ? strlen(line) : 0;

	if (line) {
		line[len] = '\n'; /* in the place of the NUL */
		inventory->options.write(inventory->options.context, line, len + 1);
	} else {
		inventory->lost += kept->count; /* no memory */
	}
	free(line);
}

/* With what the kernel says of the process: whoever takes it may know more of that. */
static void write_early(struct mw_inventory *inventory, const struct kept *kept,
                        const struct mw_identity_hint *who)
{
	if (!inventory->options.early || !kept->record)
		return;
	json_object_set_new(kept->record, MW_INVENTORY_UNFINISHED,
	                    json_pack("{s:I, s:I, s:I}", "start", (json_int_t)who->start_ns,
	                              "cgroup", (json_int_t)who->cgroup, "uid",
	                              (json_int_t)who->uid));
	write_record(inventory, kept);
	json_object_del(kept->record, MW_INVENTORY_UNFINISHED);
}

static bool has_changed(const struct stat *status, int64_t since)
{
	return since &&
	       status->st_ctim.tv_sec * INT64_C(1000000000) + status->st_ctim.tv_nsec > since;
}

/* The file may make this wait: that it was read is known before. */
static void examine(struct mw_inventory *inventory, struct kept *kept,
                    const struct mw_inventory_load *load)
{
	struct mw_digest digest = {.state = MW_DIGEST_UNAVAILABLE};
	struct mw_location at = {.nested = false};
	struct mw_artifact artifact;

	mw_artifact_open(load->who->pid, &load->record->load, &artifact);
	if (artifact.fd >= 0 && has_changed(&artifact.status, load->since))
		mw_artifact_close(&artifact);
	if (artifact.fd >= 0) {
		mw_hasher_ask(inventory->hasher, artifact.fd, &artifact.status, &digest);
		locate(load, &at);
	}
	kept->job = digest.state == MW_DIGEST_PENDING ? digest.job : 0;
	kept->known = digest;
	mw_inventory_set_artifact(kept->record, &artifact, &at, &digest);
	mw_artifact_close(&artifact);
}

/* The first of its kind. */
static void begin(struct mw_inventory *inventory, struct kept *kept,
                  const struct mw_inventory_load *load)
{
	if (inventory->identities)
		mw_identity_note(inventory->identities, load->who->pid);
	kept->record = mw_inventory_json(load, inventory->identities, inventory->policy_digest,
	                                 inventory->options.labels);
	kept->known.state = MW_DIGEST_UNAVAILABLE;
	write_early(inventory, kept, load->who);
	if (load->hands_off)
		return;
	examine(inventory, kept, load);
	write_early(inventory, kept, load->who);
}

/* Told after a minute, with what else was lost by then. */
static void lose(struct mw_inventory *inventory, uint64_t count, int64_t now_ms)
{
	if (count && !inventory->lost)
		inventory->lost_since = now_ms;
	inventory->lost += count;
}

void mw_inventory_add(struct mw_inventory *inventory, const struct mw_inventory_load *load,
                      int64_t now_ms)
{
	const struct mw_record *record = load->record;
	uint64_t hash = hash_of(load);
	size_t i = find(inventory, hash);
	struct kept *kept = &inventory->kept[i];

	lose(inventory, record->done.lost + (i == MW_INVENTORY_OPEN), now_ms);
	if (i == MW_INVENTORY_OPEN)
		return;
	if (!inventory->hash[i]) {
		inventory->hash[i] = hash;
		*kept = (struct kept){.since = now_ms, .start = record->load.start};
		inventory->count++;
		begin(inventory, kept, load);
	}
	kept->streams |= kept->start != record->load.start;
	kept->count++;
	if (kept->duration <= INT64_MAX - record->done.duration)
		kept->duration += record->done.duration;
	mw_inventory_now(kept->last);
}

static void tell(struct mw_inventory *inventory, size_t i)
{
	struct kept *kept = &inventory->kept[i];

	if (kept->job)
		mw_hasher_result(inventory->hasher, kept->job, &kept->known);
	mw_inventory_set_digest(kept->record, &kept->known);
	mw_inventory_set_sum(kept->record, kept->count, kept->duration, kept->last, kept->streams);
	write_record(inventory, kept);
	json_decref(kept->record);
	*kept = (struct kept){0};
	inventory->hash[i] = 0;
	inventory->count--;
}

static void tell_lost(struct mw_inventory *inventory)
{
	if (inventory->lost && inventory->options.lost)
		inventory->options.lost(inventory->options.context, inventory->lost);
	inventory->lost = 0;
}

static bool is_over(int64_t since, int64_t now_ms)
{
	return now_ms - since >= MW_INVENTORY_WINDOW_MS;
}

void mw_inventory_poll(struct mw_inventory *inventory, int64_t now_ms)
{
	for (size_t i = 0; i < MW_INVENTORY_OPEN; i++)
		if (inventory->hash[i] && is_over(inventory->kept[i].since, now_ms))
			tell(inventory, i);
	if (inventory->lost && is_over(inventory->lost_since, now_ms))
		tell_lost(inventory);
}

bool mw_inventory_waits(const struct mw_inventory *inventory)
{
	return inventory->count || inventory->lost;
}

int64_t mw_inventory_stalled(struct mw_inventory *inventory, int64_t now_ms, dev_t *ret_dev)
{
	return mw_hasher_stalled(inventory->hasher, now_ms, ret_dev);
}

void mw_inventory_close(struct mw_inventory *inventory)
{
	if (!inventory)
		return;
	mw_hasher_stop(inventory->hasher, PATIENCE_MS);
	for (size_t i = 0; i < MW_INVENTORY_OPEN; i++)
		if (inventory->hash[i])
			tell(inventory, i);
	tell_lost(inventory);
	mw_hasher_free(inventory->hasher);
	mw_identity_cache_free(inventory->identities);
	json_decref(inventory->options.labels);
	free(inventory);
}
