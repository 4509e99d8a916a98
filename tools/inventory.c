#include "inventory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "artifact.h"
#include "hasher.h"
#include "identity.h"
#include "identity_cache.h"
#include "inventory_json.h"
#include "locate.h"

#define PATIENCE_MS 1000

/* Loads of one process that are alike. */
struct kept {
	uint64_t hash; /* of what is alike; 0: free */
	int64_t since; /* ms */
	uint64_t job;  /* of its digest; 0: none is being made */
	uint64_t start, count, duration;
	bool streams; /* there were several */
	json_t *record;
	char last[40]; /* when the last one ended */
};

struct mw_inventory {
	struct mw_inventory_options options;
	char policy_digest[80];
	struct mw_hasher *hasher; /* its own: it must not take the places of alerts */
	uint64_t lost;
	int64_t lost_since; /* ms */
	size_t count;
	struct kept kept[MW_INVENTORY_OPEN];
};

int mw_inventory_open(const struct mw_inventory_options *options, struct mw_inventory **ret)
{
	struct mw_inventory *inventory = calloc(1, sizeof(*inventory));
	int error = inventory ? mw_hasher_new(&inventory->hasher) : -ENOMEM;

	if (error) {
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

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 1099511628211u; /* FNV-1a */
	return hash;
}

static uint64_t add_text(uint64_t hash, struct mw_str s)
{
	hash = add(hash, &s.len, sizeof(s.len));
	return s.s ? add(hash, s.s, s.len) : hash;
}

/* What has to be equal: process, entry, artifact, and how it went. A process that makes two of its
 * own loads look alike hides one of them behind its own other one, whose count tells. */
static uint64_t hash_of(pid_t pid, const struct mw_record *record)
{
	const struct mw_record_load *load = &record->load;
	const uint64_t numbers[] = {(uint64_t)pid, load->dev,           load->ino,
	                            load->origin,  record->done.raised, record->done.weights_only};
	uint64_t hash = add(14695981039346656037u, numbers, sizeof(numbers));

	hash = add_text(add_text(hash, load->entry), load->path);
	return hash ? hash : 1;
}

static struct kept *find(struct mw_inventory *inventory, uint64_t hash)
{
	struct kept *free_one = NULL;

	for (size_t i = 0; i < MW_INVENTORY_OPEN; i++) {
		struct kept *kept = &inventory->kept[i];

		if (kept->hash == hash)
			return kept;
		if (!kept->hash && !free_one)
			free_one = kept;
	}
	return free_one;
}

/* The load has ended, and what lies in its memory now may be anything: a stream is read from its
 * file. What torch reads from an archive is the pickle that archives have. */
static void locate(pid_t pid, const struct mw_record *record, struct mw_location *ret)
{
	static struct mw_record after; /* large */
	struct mw_record_load *load = &after.load;

	after = *record;
	load->archive = load->data && load->path.len && load->entry.len == 10 &&
	                !memcmp(load->entry.s, "torch.load", 10);
	if (load->data && !load->archive)
		load->path.len = 0; /* where in the file it came from is not known */
	load->data = load->data_len = 0;
	load->tell = -1;
	if (load->path.len || load->fd >= 0)
		mw_locate(pid, &after, ret);
}

static json_t *who(pid_t pid, uint32_t tid)
{
	const struct mw_identity_hint hint = {
	        .pid = pid, .tid = (pid_t)tid, .uid = MW_IDENTITY_NO_UID};

	return mw_identity_gather(NULL, &hint);
}

/* The first of its kind. */
static void begin(struct mw_inventory *inventory, struct kept *kept, pid_t pid,
                  const struct mw_record *record)
{
	struct mw_digest digest = {.state = MW_DIGEST_UNAVAILABLE};
	struct mw_location at = {.nested = false};
	struct mw_artifact artifact;

	mw_artifact_open(pid, &record->load, &artifact);
	if (artifact.fd >= 0) {
		mw_hasher_ask(inventory->hasher, artifact.fd, &artifact.status, &digest);
		locate(pid, record, &at);
	}
	kept->record = mw_inventory_json(record, &artifact, &at, &digest, who(pid, record->tid),
	                                 inventory->policy_digest, inventory->options.labels);
	kept->job = digest.state == MW_DIGEST_PENDING ? digest.job : 0;
	mw_artifact_close(&artifact);
}

/* Told after a minute, with what else was lost by then. */
static void lose(struct mw_inventory *inventory, uint64_t count, int64_t now_ms)
{
	if (count && !inventory->lost)
		inventory->lost_since = now_ms;
	inventory->lost += count;
}

void mw_inventory_add(struct mw_inventory *inventory, pid_t pid, const struct mw_record *record,
                      int64_t now_ms)
{
	uint64_t hash = hash_of(pid, record);
	struct kept *kept = find(inventory, hash);

	lose(inventory, record->done.lost + !kept, now_ms);
	if (!kept)
		return;
	if (!kept->hash) {
		*kept = (struct kept){.hash = hash, .since = now_ms, .start = record->load.start};
		begin(inventory, kept, pid, record);
		inventory->count++;
	}
	kept->streams |= kept->start != record->load.start;
	kept->count++;
	if (kept->duration <= INT64_MAX - record->done.duration)
		kept->duration += record->done.duration;
	mw_inventory_now(kept->last);
}

static void tell(struct mw_inventory *inventory, struct kept *kept)
{
	struct mw_digest digest;
	char *line;
	size_t len;

	if (kept->job) {
		mw_hasher_result(inventory->hasher, kept->job, &digest);
		mw_inventory_set_digest(kept->record, &digest);
	}
	mw_inventory_set_sum(kept->record, kept->count, kept->duration, kept->last, kept->streams);
	line = kept->record ? json_dumps(kept->record, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (line) {
		len = strlen(line);
		line[len] = '\n'; /* in the place of the NUL */
		inventory->options.write(inventory->options.context, line, len + 1);
	} else {
		inventory->lost += kept->count; /* no memory */
	}
	free(line);
	json_decref(kept->record);
	*kept = (struct kept){0};
	inventory->count--;
}

static void tell_lost(struct mw_inventory *inventory)
{
	const struct mw_loss loss = {
	        .kind = "inventory",
	        .reason = "there were more loads than the inventory has room for",
	        .count = inventory->lost,
	};

	if (inventory->lost && inventory->options.alerts)
		mw_alerts_loss(inventory->options.alerts, &loss);
	inventory->lost = 0;
}

static bool is_over(int64_t since, int64_t now_ms)
{
	return now_ms - since >= MW_INVENTORY_WINDOW_MS;
}

void mw_inventory_poll(struct mw_inventory *inventory, int64_t now_ms)
{
	for (size_t i = 0; i < MW_INVENTORY_OPEN; i++)
		if (inventory->kept[i].hash && is_over(inventory->kept[i].since, now_ms))
			tell(inventory, &inventory->kept[i]);
	if (inventory->lost && is_over(inventory->lost_since, now_ms))
		tell_lost(inventory);
}

bool mw_inventory_waits(const struct mw_inventory *inventory)
{
	return inventory->count || inventory->lost;
}

void mw_inventory_close(struct mw_inventory *inventory)
{
	if (!inventory)
		return;
	mw_hasher_stop(inventory->hasher, PATIENCE_MS);
	for (size_t i = 0; i < MW_INVENTORY_OPEN; i++)
		if (inventory->kept[i].hash)
			tell(inventory, &inventory->kept[i]);
	tell_lost(inventory);
	mw_hasher_free(inventory->hasher);
	json_decref(inventory->options.labels);
	free(inventory);
}
