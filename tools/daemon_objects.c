#include "daemon_objects.h"

#include <elf.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "daemon_found.h"
#include "daemon_glance.h"
#include "mapped.h"

#define WINDOWS 8
#define WINDOW 16384
#define PAGE 4096

/* Tables in a file are read entry by entry, and several of them in turn. */
struct window {
	uint64_t at, used;
	size_t len; /* 0: nothing was read yet */
	uint8_t bytes[WINDOW];
};

struct reader {
	int fd;
	uint64_t clock;
	struct window window[WINDOWS];
};

static int read_exactly(int fd, uint64_t offset, uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool holds(const struct window *window, uint64_t offset, size_t len)
{
	return offset >= window->at && offset - window->at <= window->len &&
	       len <= window->len - (offset - window->at);
}

static struct window *least_used(struct reader *reader)
{
	struct window *found = &reader->window[0];

	for (size_t i = 1; i < WINDOWS; i++)
		if (reader->window[i].used < found->used)
			found = &reader->window[i];
	return found;
}

static int read_file(void *userdata, uint64_t offset, void *buf, size_t len)
{
	struct reader *reader = userdata;
	struct window *window = reader->window, *end = window + WINDOWS;
	ssize_t n;

	if (len > WINDOW - PAGE)
		return read_exactly(reader->fd, offset, buf, len);
	while (window < end && !holds(window, offset, len))
		window++;
	if (window == end) {
		window = least_used(reader);
		window->at = offset & ~(uint64_t)(PAGE - 1);
		n = pread(reader->fd, window->bytes, WINDOW, (off_t)window->at);
		window->len = n > 0 ? (size_t)n : 0;
		if (!holds(window, offset, len))
			return n < 0 ? -errno : -EIO;
	}
	window->used = ++reader->clock;
	memcpy(buf, window->bytes + (offset - window->at), len);
	return 0;
}

int mw_found_new(const struct mw_found_options *options, struct mw_found **ret)
{
	struct mw_found *found = calloc(1, sizeof(*found));

	if (!found)
		return -ENOMEM;
	found->options = *options;
	*ret = found;
	return 0;
}

static void detach(struct mw_found *found, struct mw_found_entry *entry)
{
	if (!entry->object.attached)
		return;
	found->options.detach(found->options.context, &entry->object);
	entry->object.attached = false;
	found->counts.attached--;
}

static void drop(struct mw_found *found, struct mw_found_entry *entry)
{
	detach(found, entry);
	found->object[entry->index] = NULL;
	found->counts.objects--;
	for (size_t i = 0; i < MW_FOUND_OBJECTS; i++)
		if (found->object[i] && found->object[i]->owner == entry->index + 1)
			found->object[i]->owner = 0;
	free(entry->object.found.sites);
	free(entry);
}

void mw_found_free(struct mw_found *found)
{
	if (!found)
		return;
	mw_found_forget_processes(found);
	for (size_t i = 0; i < MW_FOUND_OBJECTS; i++)
		if (found->object[i])
			drop(found, found->object[i]);
	free(found);
}

static bool on_overlay(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* Containers of one image have the same file under another device each, and a probe on one is a
 * probe on all: there its state tells that it is the same. */
static struct mw_found_entry *find(const struct mw_found *found, const struct stat *st,
                                   bool overlay, const struct mw_file_state *state)
{
	dev_t dev = overlay ? 0 : st->st_dev;

	for (size_t i = 0; i < MW_FOUND_OBJECTS; i++) {
		struct mw_found_entry *entry = found->object[i];

		if (entry && !entry->stale && entry->object.ino == st->st_ino &&
		    entry->object.dev == dev && entry->overlay == overlay &&
		    (!overlay || mw_file_state_same(&entry->state, state)))
			return entry;
	}
	return NULL;
}

static int look_into(struct mw_found *found, int path_fd, const struct stat *st,
                     struct mw_found_sites *sites, struct mw_elf *elf)
{
	struct reader reader;
	int r;

	reader.fd = mw_mapped_open(path_fd);
	reader.clock = 0;
	for (size_t i = 0; i < WINDOWS; i++)
		reader.window[i].at = reader.window[i].used = reader.window[i].len = 0;
	*sites = (struct mw_found_sites){0};
	if (reader.fd < 0)
		return reader.fd;
	found->counts.examined++;
	r = mw_elf_open(elf, read_file, &reader, (uint64_t)st->st_size);
	if (r >= 0 && mw_glance(elf))
		r = found->options.examine(found->options.context, elf, sites);
	close(reader.fd);
	return r == -ENOEXEC ? 0 : r;
}

static void keep_segments(struct mw_found_entry *entry, const struct mw_elf *elf)
{
	entry->segment_count = 0;
	for (size_t i = 0; i < elf->load_count; i++)
		if (elf->loads[i].flags & PF_X && entry->segment_count < MW_FOUND_SEGMENTS)
			entry->segment[entry->segment_count++] = elf->loads[i];
}

static struct mw_found_entry *enter(struct mw_found *found, const char *path)
{
	size_t len = strnlen(path, 4096);
	struct mw_found_entry *entry;
	uint16_t index = 0;

	while (index < MW_FOUND_OBJECTS && found->object[index])
		index++;
	if (index == MW_FOUND_OBJECTS) {
		found->counts.objects_full++;
		return NULL;
	}
	entry = calloc(1, sizeof(*entry) + len + 1);
	if (!entry)
		return NULL;
	memcpy(entry->path, path, len);
	entry->index = index;
	entry->object.path = entry->path;
	entry->object.path_fd = -1;
	found->object[index] = entry;
	found->counts.objects++;
	return entry;
}

static void attach(struct mw_found *found, struct mw_found_entry *entry, int path_fd)
{
	if (!entry->object.found.sites)
		return;
	entry->object.path_fd = path_fd;
	entry->object.attached = found->options.attach(found->options.context, &entry->object) >= 0;
	entry->object.path_fd = -1;
	if (entry->object.attached)
		found->counts.attached++;
	else
		found->counts.refused++;
}

/* Probes hold on to their file: while there are some, its number is given to no other. */
static bool is_still(const struct mw_found_object *object, const struct mw_found_sites *b)
{
	const struct mw_found_sites *a = &object->found;

	return object->attached == !!a->sites && a->size == b->size && a->runtime == b->runtime &&
	       a->version == b->version && !a->sites == !b->sites &&
	       (!a->sites || !memcmp(a->sites, b->sites, a->size));
}

static void retire(struct mw_found *found, struct mw_found_entry *entry)
{
	detach(found, entry);
	entry->stale = true;
	entry->object.usual = false;
}

/* Looks into a file that is not known in this state; `old` is what it was before. */
static struct mw_found_entry *renew(struct mw_found *found, int path_fd, const struct stat *st,
                                    const struct mw_found_place *place, bool overlay,
                                    struct mw_found_entry *old)
{
	struct mw_found_entry *entry;
	struct mw_found_sites sites;
	struct mw_elf elf;
	bool watched;
	int r;

	r = look_into(found, path_fd, st, &sites, &elf);
	if (r < 0) {
		found->counts.unreadable++;
		return old;
	}
	watched = sites.sites || sites.runtime;
	mw_cache_put(&found->cache, place->dev, place->ino, st, watched);
	/* A link more, another owner: the same code. */
	if (old && is_still(&old->object, &sites)) {
		free(sites.sites);
		old->state = mw_file_state(st);
		return old;
	}
	if (old)
		retire(found, old);
	entry = watched ? enter(found, place->path) : NULL;
	if (!entry) {
		free(sites.sites);
		return NULL;
	}
	entry->object.dev = overlay ? 0 : st->st_dev;
	entry->object.ino = st->st_ino;
	entry->object.found = sites;
	entry->overlay = overlay;
	entry->state = mw_file_state(st);
	keep_segments(entry, &elf);
	attach(found, entry, path_fd);
	mw_found_companions(found, entry, place);
	return entry;
}

struct mw_found_entry *mw_found_file(struct mw_found *found, int path_fd, const struct stat *st,
                                     const struct mw_found_place *place)
{
	struct mw_file_state state = mw_file_state(st);
	struct mw_cache_file *known;
	struct mw_found_entry *entry = NULL;
	bool overlay;

	known = mw_cache_find(&found->cache, place->dev, place->ino, &state);
	if (!known || known->watched) {
		overlay = on_overlay(path_fd);
		entry = find(found, st, overlay, &state);
		if (!entry || !mw_file_state_same(&entry->state, &state))
			entry = renew(found, path_fd, st, place, overlay, entry);
		else if (!known)
			mw_cache_put(&found->cache, place->dev, place->ino, st, true);
		known = mw_cache_find(&found->cache, place->dev, place->ino, &state);
	}
	if (known) {
		known->checked = found->now;
		known->generation = place->generation;
	}
	return entry;
}

void mw_found_mapped(void *context, const struct mw_mapping *mapping)
{
	struct mw_map map = {
	        .start = mapping->address,
	        .end = mapping->address + mapping->length,
	        .ino = mapping->ino,
	        .dev = mapping->dev,
	};
	struct mw_found_place place = {mapping->pid, mapping->dev, mapping->ino,
	                               mapping->generation, mapping->path};
	struct mw_found *found = context;
	struct mw_found_entry *entry;
	struct stat st;
	int fd;

	mw_found_note(found, mapping);
	if (mw_cache_is_plain(&found->cache, mapping, found->now))
		return;
	fd = mw_mapped_find(mapping->pid, &map, mapping->path, &st);
	/* It ran and was gone. Its next run shall be seen. */
	if (fd < 0)
		fd = mw_mapped_find_here(&map, mapping->path, &st);
	if (fd < 0) {
		found->counts.unopened++;
		return;
	}
	entry = mw_found_file(found, fd, &st, &place);
	if (entry)
		mw_found_use(found, mapping, entry);
	close(fd);
}

static bool is_over(struct mw_found_entry *entry, uint64_t now)
{
	if (entry->object.users || entry->object.usual || (entry->owner && !entry->stale)) {
		entry->idle_since = 0;
		return false;
	}
	if (!entry->idle_since)
		entry->idle_since = now;
	return entry->stale || now - entry->idle_since >= MW_FOUND_GRACE * UINT64_C(1000000000);
}

void mw_found_tick(struct mw_found *found, uint64_t now)
{
	found->now = now;
	mw_found_tick_processes(found);
	for (size_t i = 0; i < MW_FOUND_OBJECTS; i++)
		if (found->object[i] && is_over(found->object[i], now))
			drop(found, found->object[i]);
}

bool mw_found_knows(const struct mw_found *found, dev_t dev, uint64_t ino)
{
	return mw_cache_has(&found->cache, dev, ino);
}

struct mw_found_counts mw_found_counts(const struct mw_found *found)
{
	return found->counts;
}

void mw_found_each_object(const struct mw_found *found,
                          void (*each)(void *context, const struct mw_found_object *object),
                          void *context)
{
	for (size_t i = 0; i < MW_FOUND_OBJECTS; i++)
		if (found->object[i] && found->object[i]->object.attached)
			each(context, &found->object[i]->object);
}
