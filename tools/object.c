#include "object.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapped.h"

#define OBJECTS 24
#define PAGE 4096
#define PAGE_SETS 64
#define PAGE_WAYS 4
#define NAMES 1024

/* What tells one state of one file from all others. The change time and not the modification
 * time, which any owner can set. */
struct identity {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct mw_object {
	struct mw_objects *objects;
	struct mw_elf elf;
	int fd; /* -1: not readable, or not ELF */
	struct identity identity;
	uint64_t
	        serial; /* never used twice, so that no page of another file is taken for its own */
	uint64_t used;
	/* The mapping it was found through, in the snapshot of `epoch`. */
	uint64_t epoch;
	dev_t map_dev;
	uint64_t map_ino;
	const char *map_path;
};

struct page {
	uint64_t serial; /* 0: empty */
	uint64_t number;
	uint64_t used;
	size_t len;
	uint8_t data[PAGE];
};

struct name {
	struct identity identity; /* ino 0: empty */
	uint64_t vaddr;
	uint64_t value;
	char name[MW_ELF_NAME_MAX];
};

struct mw_objects {
	struct mw_object objects[OBJECTS];
	struct page pages[PAGE_SETS][PAGE_WAYS];
	struct name names[NAMES];
	uint64_t clock;
	uint64_t epoch;
	uint64_t last_serial;
};

int mw_objects_new(struct mw_objects **ret)
{
	struct mw_objects *objects = calloc(1, sizeof(*objects));

	if (!objects)
		return -ENOMEM;
	for (size_t i = 0; i < OBJECTS; i++)
		objects->objects[i].fd = -1;
	*ret = objects;
	return 0;
}

void mw_objects_free(struct mw_objects *objects)
{
	if (!objects)
		return;
	for (size_t i = 0; i < OBJECTS; i++)
		if (objects->objects[i].fd >= 0)
			close(objects->objects[i].fd);
	free(objects);
}

void mw_objects_begin(struct mw_objects *objects)
{
	objects->epoch++;
}

const struct mw_elf *mw_object_elf(const struct mw_object *object)
{
	return &object->elf;
}

static bool same(const struct identity *a, const struct identity *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct mw_object *attach(struct mw_object *object, const struct mw_maps *maps,
                                const struct mw_map *map)
{
	object->epoch = object->objects->epoch;
	object->used = ++object->objects->clock;
	object->map_dev = map->dev;
	object->map_ino = map->ino;
	object->map_path = mw_map_path(maps, map);
	return object->fd < 0 ? NULL : object;
}

static struct mw_object *oldest(struct mw_objects *objects)
{
	struct mw_object *object = &objects->objects[0];

	for (size_t i = 1; i < OBJECTS; i++)
		if (objects->objects[i].used < object->used)
			object = &objects->objects[i];
	return object;
}

static int read_callback(void *userdata, uint64_t offset, void *buf, size_t len)
{
	return mw_object_read(userdata, offset, buf, len);
}

static void open_object(struct mw_object *object, int path_fd)
{
	object->fd = mw_mapped_open(path_fd);
	if (object->fd < 0)
		return;
	if (mw_elf_open(&object->elf, read_callback, object, (uint64_t)object->identity.size) < 0) {
		close(object->fd);
		object->fd = -1;
	}
}

/* Puts the file in the place of the one that was not used for longest. `path_fd` < 0: remembers
 * that there is none. */
static struct mw_object *replace(struct mw_objects *objects, const struct identity *identity,
                                 int path_fd)
{
	struct mw_object *object = oldest(objects);

	if (object->fd >= 0)
		close(object->fd);
	*object =
	        (struct mw_object){.objects = objects, .fd = -1, .serial = ++objects->last_serial};
	if (path_fd >= 0) {
		object->identity = *identity;
		open_object(object, path_fd);
	}
	return object;
}

struct mw_object *mw_objects_get(struct mw_objects *objects, pid_t pid, const struct mw_maps *maps,
                                 const struct mw_map *map)
{
	struct identity identity = {0};
	struct mw_object *object = NULL;
	struct stat st;
	int fd;

	if (!map->ino)
		return NULL;
	for (size_t i = 0; i < OBJECTS; i++) {
		object = &objects->objects[i];
		if (object->epoch == objects->epoch && object->map_ino == map->ino &&
		    object->map_dev == map->dev &&
		    !strcmp(object->map_path, mw_map_path(maps, map)))
			return attach(object, maps, map);
	}
	object = NULL;
	fd = mw_mapped_find(pid, map, mw_map_path(maps, map), &st);
	if (fd < 0)
		fd = mw_mapped_find_here(map, mw_map_path(maps, map), &st);
	if (fd >= 0)
		identity = (struct identity){st.st_dev, st.st_ino, st.st_size, st.st_ctim};
	for (size_t i = 0; fd >= 0 && !object && i < OBJECTS; i++)
		if (same(&objects->objects[i].identity, &identity))
			object = &objects->objects[i];
	if (!object)
		object = replace(objects, &identity, fd);
	if (fd >= 0)
		close(fd);
	return attach(object, maps, map);
}

static int read_exactly(int fd, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int fill(struct page *page, const struct mw_object *object, uint64_t number)
{
	ssize_t n;

	do
		n = pread(object->fd, page->data, PAGE, (off_t)(number * PAGE));
	while (n < 0 && errno == EINTR);
	page->serial = 0;
	if (n < 0)
		return -errno;
	page->serial = object->serial;
	page->number = number;
	page->len = (size_t)n;
	return 0;
}

static int get_page(const struct mw_object *object, uint64_t number, struct page **ret)
{
	struct mw_objects *objects = object->objects;
	struct page *set = objects->pages[(number ^ object->serial * 11) % PAGE_SETS];
	struct page *victim = &set[0];
	int r;

	for (size_t i = 0; i < PAGE_WAYS; i++) {
		if (set[i].serial == object->serial && set[i].number == number) {
			set[i].used = ++objects->clock;
			*ret = &set[i];
			return 0;
		}
		if (set[i].used < victim->used)
			victim = &set[i];
	}
	r = fill(victim, object, number);
	if (r < 0)
		return r;
	victim->used = ++objects->clock;
	*ret = victim;
	return 0;
}

int mw_object_read(struct mw_object *object, uint64_t offset, void *buf, size_t len)
{
	struct page *page = NULL;
	size_t done = 0;
	int r;

	if (offset > (uint64_t)object->identity.size ||
	    len > (uint64_t)object->identity.size - offset)
		return -EIO;
	/* Whole symbol tables would only push out what is wanted again. */
	if (len > PAGE)
		return read_exactly(object->fd, offset, buf, len);
	while (done < len) {
		size_t at = (offset + done) % PAGE;
		size_t n = len - done < PAGE - at ? len - done : PAGE - at;

		r = get_page(object, (offset + done) / PAGE, &page);
		if (r < 0)
			return r;
		if (at + n > page->len)
			return -EIO;
		memcpy((char *)buf + done, page->data + at, n);
		done += n;
	}
	return 0;
}

static struct name *name_slot(const struct mw_object *object, uint64_t vaddr)
{
	uint64_t hash = (vaddr ^ object->identity.ino * 0x9e3779b97f4a7c15) * 0x9e3779b97f4a7c15;

	return &object->objects->names[hash >> 54];
}

static bool recall(const struct mw_object *object, struct mw_elf_symbol *symbol)
{
	const struct name *name = name_slot(object, symbol->vaddr);

	if (name->vaddr != symbol->vaddr || !same(&name->identity, &object->identity))
		return false;
	symbol->value = name->value;
	memcpy(symbol->name, name->name, sizeof(symbol->name));
	return true;
}

static void remember(const struct mw_object *object, const struct mw_elf_symbol *symbol)
{
	struct name *name = name_slot(object, symbol->vaddr);

	name->identity = object->identity;
	name->vaddr = symbol->vaddr;
	name->value = symbol->value;
	memcpy(name->name, symbol->name, sizeof(name->name));
}

int mw_object_find_symbols(struct mw_object *object, struct mw_elf_symbol *symbols, size_t count)
{
	size_t unknown = 0;
	int r;

	for (size_t i = 0; i < count; i++) {
		struct mw_elf_symbol symbol = symbols[i];

		if (recall(object, &symbol)) {
			symbols[i] = symbol;
			continue;
		}
		symbols[i] = symbols[unknown];
		symbols[unknown++] = symbol;
	}
	if (!unknown)
		return 0;
	r = mw_elf_find_symbols(&object->elf, symbols, unknown);
	for (size_t i = 0; r >= 0 && i < unknown; i++)
		remember(object, &symbols[i]);
	return r;
}
