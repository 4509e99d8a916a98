#include "registry.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t mw_registry_find(const struct mw_registry *registry, uint64_t id)
{
	for (uint32_t i = 1; id && i < MW_PAGE_SLOTS; i++)
		if (registry->page->slot[i].load == id)
			return i;
	return 0;
}

/* Greater is better kept. */
static uint64_t worth(const struct mw_registry *registry, uint32_t i)
{
	const struct mw_registry_entry *entry = &registry->entry[i];
	uint64_t used = registry->page->slot[i].load != 0;

	return used << 63 | (uint64_t)(entry->tasks != 0) << 62 |
	       (uint64_t)(registry->page->slot[i].denied != 0) << 61 | entry->heard;
}

static void forget(struct mw_registry_entry *entry)
{
	free(entry->load);
	free(entry->at);
	free(entry->told);
	entry->load = NULL;
	entry->at = NULL;
	entry->told = NULL;
}

static uint32_t enter(struct mw_registry *registry, uint64_t id)
{
	uint32_t best = 1;

	for (uint32_t i = 2; i < MW_PAGE_SLOTS; i++)
		if (worth(registry, i) < worth(registry, best))
			best = i;
	forget(&registry->entry[best]);
	registry->entry[best] = (struct mw_registry_entry){0};
	registry->page->slot[best].load = 0;
	registry->page->slot[best].denied = 0;
	registry->page->slot[best].load = id;
	return best;
}

/* A bounded run of text that strings are copied to. */
struct text {
	char *to;
	size_t left;
};

static struct mw_str keep(struct text *text, struct mw_str s, size_t most)
{
	struct mw_str kept = {text->to, s.len};

	if (!s.s)
		return (struct mw_str){0};
	if (kept.len > most)
		kept.len = (uint32_t)most;
	if (kept.len > text->left)
		kept.len = (uint32_t)text->left;
	memcpy(text->to, s.s, kept.len);
	text->to += kept.len;
	text->left -= kept.len;
	return kept;
}

static struct mw_str absolute(pid_t pid, struct mw_str path, char out[static 2 * PATH_MAX])
{
	char link[40];
	ssize_t len;

	if (!path.s || !path.len || *path.s == '/' || path.len > PATH_MAX)
		return path;
	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	len = readlink(link, out, PATH_MAX - 1);
	if (len <= 0)
		return path;
	out[len++] = '/';
	memcpy(out + len, path.s, path.len);
	return (struct mw_str){out, (uint32_t)len + path.len};
}

struct mw_record_load *mw_registry_copy(pid_t pid, const struct mw_record_load *load)
{
	struct mw_record_load *kept = malloc(sizeof(*kept) + MW_REGISTRY_TEXT);
	char path[2 * PATH_MAX];
	struct text text;

	if (!kept)
		return NULL;
	text = (struct text){(char *)(kept + 1), MW_REGISTRY_TEXT};
	*kept = *load;
	kept->fd = -1;
	kept->data = kept->data_len = 0;
	kept->entry = keep(&text, load->entry, 128);
	kept->path = keep(&text, absolute(pid, load->path, path), 1024);
	/* The last name is the call: it comes first, while there is room. */
	for (uint32_t i = load->seen_count; i-- > 0;)
		kept->seen[i] = keep(&text, load->seen[i], 128);
	return kept;
}

uint32_t mw_registry_put(struct mw_registry *registry, pid_t pid, const struct mw_record_load *load)
{
	uint32_t slot = mw_registry_find(registry, load->id);
	struct mw_registry_entry *entry;
	struct mw_record_load *kept;

	if (!load->id)
		return 0;
	if (!slot)
		slot = enter(registry, load->id);
	entry = &registry->entry[slot];
	entry->heard = ++registry->clock;
	entry->called |= load->called;
	if (!load->entry.s || !load->entry.len)
		return slot;
	kept = mw_registry_copy(pid, load);
	if (kept) {
		free(entry->load);
		entry->load = kept;
	}
	return slot;
}

void mw_registry_start(struct mw_registry *registry, uint32_t slot, const struct mw_location *at)
{
	struct mw_registry_entry *entry = &registry->entry[slot];

	if (!slot)
		return;
	if (entry->at) {
		mw_location_add(entry->at, at);
		return;
	}
	entry->at = malloc(sizeof(*at));
	if (entry->at)
		*entry->at = *at;
}

void mw_registry_deny(struct mw_registry *registry, uint32_t slot, const char *id,
                      const char *title)
{
	struct mw_registry_entry *entry = &registry->entry[slot];

	if (!slot || entry->told)
		return;
	entry->told = malloc(sizeof(*entry->told));
	if (!entry->told)
		return;
	snprintf(entry->told->id, sizeof(entry->told->id), "%s", id);
	snprintf(entry->told->title, sizeof(entry->told->title), "%s", title);
}

void mw_registry_clear(struct mw_registry *registry)
{
	for (uint32_t i = 0; i < MW_PAGE_SLOTS; i++) {
		forget(&registry->entry[i]);
	}
}
