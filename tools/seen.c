#include "seen.h"

#include <string.h>
#include <sys/mman.h>

#define WAYS 8
#define SETS (MW_SEEN_MAX / WAYS)

struct known {
	uint8_t id[MW_ID_BYTES];
	uint32_t update;
	uint32_t count;
	uint8_t outcome, severity;
	bool deny_would_stop, used;
};

/* An id has its place in one set, where the one met last comes first. */
struct mw_seen {
	struct known sets[SETS][WAYS];
};

/* Mapped, so that only those sets take memory that are used. */
struct mw_seen *mw_seen_new(void)
{
	void *seen = mmap(NULL, sizeof(struct mw_seen), PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return seen == MAP_FAILED ? NULL : seen;
}

void mw_seen_free(struct mw_seen *seen)
{
	if (seen)
		munmap(seen, sizeof(*seen));
}

/* FNV-1a: an id begins with the time, so its bytes are unevenly spread. */
static size_t set_of(const uint8_t id[static MW_ID_BYTES])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < MW_ID_BYTES; i++)
		hash = (hash ^ id[i]) * UINT64_C(0x100000001b3);
	return (hash ^ hash >> 32) % SETS;
}

static struct known known_as(const struct mw_entry *alert)
{
	struct known known = {.update = alert->update,
	                      .count = (uint32_t)alert->count,
	                      .outcome = (uint8_t)alert->outcome,
	                      .severity = (uint8_t)alert->severity,
	                      .deny_would_stop = alert->deny_would_stop,
	                      .used = true};

	memcpy(known.id, alert->id, MW_ID_BYTES);
	return known;
}

enum mw_novelty mw_seen_note(struct mw_seen *seen, const struct mw_entry *alert,
                             struct mw_share *ret)
{
	struct known *set = seen->sets[set_of(alert->id)], found;
	size_t i = 0;

	while (i < WAYS - 1 && set[i].used && memcmp(set[i].id, alert->id, MW_ID_BYTES) != 0)
		i++;
	found = set[i];
	if (memcmp(found.id, alert->id, MW_ID_BYTES) != 0)
		found.used = false; /* the last place, which is to be had */
	memmove(set + 1, set, i * sizeof(*set));
	set[0] = found.used && found.update >= alert->update ? found : known_as(alert);
	if (!found.used)
		return MW_NEW;
	*ret = (struct mw_share){found.count, (enum mw_outcome)found.outcome,
	                         (enum mw_severity)found.severity, found.deny_would_stop};
	return found.update < alert->update ? MW_NEWER : MW_REPEATED;
}
