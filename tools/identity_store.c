#include "identity_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS 1024 /* a power of two */

struct entry {
	LIST_ENTRY(entry) same;  /* in its bucket, last put first */
	TAILQ_ENTRY(entry) used; /* last used first */
	pid_t pid;
	uint64_t start;
	size_t len;
	char text[];
};

struct mw_identity_store {
	LIST_HEAD(bucket, entry) buckets[BUCKETS];
	TAILQ_HEAD(used, entry) used;
	size_t max, count, bytes;
};

struct mw_identity_store *mw_identity_store_new(size_t max)
{
	struct mw_identity_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->max = max;
	TAILQ_INIT(&store->used);
	return store;
}

static size_t size_of(const struct entry *entry)
{
	return sizeof(*entry) + entry->len + 1;
}

static void remove_entry(struct mw_identity_store *store, struct entry *entry)
{
	LIST_REMOVE(entry, same);
	TAILQ_REMOVE(&store->used, entry, used);
	store->count--;
	store->bytes -= size_of(entry);
	free(entry);
}

void mw_identity_store_free(struct mw_identity_store *store)
{
	struct entry *entry, *next;

	if (!store)
		return;
	for (entry = TAILQ_FIRST(&store->used); entry; entry = next) {
		next = TAILQ_NEXT(entry, used);
		free(entry);
	}
	free(store);
}

static struct entry *find(struct mw_identity_store *store, pid_t pid, uint64_t start)
{
	struct entry *entry;

	LIST_FOREACH(entry, &store->buckets[(size_t)pid % BUCKETS], same)
	if (entry->pid == pid && (!start || entry->start == start))
		return entry;
	return NULL;
}

int mw_identity_store_put(struct mw_identity_store *store, pid_t pid, uint64_t start,
                          const char *text, size_t len)
{
	struct entry *entry = malloc(sizeof(*entry) + len + 1), *old;
	int left = 0;

	if (!entry)
		return -ENOMEM;
	entry->pid = pid;
	entry->start = start;
	entry->len = len;
	memcpy(entry->text, text, len);
	entry->text[len] = '\0';
	old = find(store, pid, start);
	if (!old && store->count >= store->max) {
		old = TAILQ_LAST(&store->used, used);
		left = 1;
	}
	if (old)
		remove_entry(store, old);
	LIST_INSERT_HEAD(&store->buckets[(size_t)pid % BUCKETS], entry, same);
	TAILQ_INSERT_HEAD(&store->used, entry, used);
	store->count++;
	store->bytes += size_of(entry);
	return left;
}

const char *mw_identity_store_get(struct mw_identity_store *store, pid_t pid, uint64_t start)
{
	struct entry *entry = find(store, pid, start);

	if (!entry)
		return NULL;
	TAILQ_REMOVE(&store->used, entry, used);
	TAILQ_INSERT_HEAD(&store->used, entry, used);
	return entry->text;
}

void mw_identity_store_drop(struct mw_identity_store *store, pid_t pid)
{
	struct entry *entry = LIST_FIRST(&store->buckets[(size_t)pid % BUCKETS]), *next;

	for (; entry; entry = next) {
		next = LIST_NEXT(entry, same);
		if (entry->pid == pid)
			remove_entry(store, entry);
	}
}

void mw_identity_store_size(const struct mw_identity_store *store, size_t *ret_count,
                            size_t *ret_bytes)
{
	*ret_count = store->count;
	*ret_bytes = store->bytes;
}
