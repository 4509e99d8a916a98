#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A line is at most some 80 bytes and a path, whose newlines the kernel writes as four bytes. */
#define LINE_SPACE (4 * 4096 + 256)

struct cursor {
	const char *at;
	const char *end;
	bool bad;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

/* A number and the one character that must follow it. */
static uint64_t number(struct cursor *c, int base, char then)
{
	uint64_t value = 0;
	const char *start = c->at;

	while (c->at < c->end && digit(*c->at) < base && c->at - start < 20)
		value = value * (uint64_t)base + (uint64_t)digit(*c->at++);
	if (c->at == start || c->at == c->end || *c->at != then)
		c->bad = true;
	else
		c->at++;
	return value;
}

static uint32_t protection(struct cursor *c)
{
	uint32_t prot = 0;

	if (c->end - c->at < 5) {
		c->bad = true;
		return 0;
	}
	if (c->at[0] == 'r')
		prot |= MW_MAP_READ;
	if (c->at[1] == 'w')
		prot |= MW_MAP_WRITE;
	if (c->at[2] == 'x')
		prot |= MW_MAP_EXEC;
	c->at += 5;
	return prot;
}

/* Makes room for `need` more elements of `size` bytes; false at the limit or without memory. */
static bool reserve(void **array, size_t count, size_t need, size_t size, size_t max)
{
	size_t capacity = 256;
	void *grown;

	if (need > max || count > max - need)
		return false;
	/* Capacity is the power of two above the count, so it need not be stored. */
	while (capacity < count)
		capacity *= 2;
	if (*array && count + need <= capacity)
		return true;
	while (capacity < count + need)
		capacity *= 2;
	grown = realloc(*array, capacity * size);
	if (!grown)
		return false;
	*array = grown;
	return true;
}

/* Neighbours are mostly segments of one file: they share its path. */
static bool add_path(struct mw_maps *maps, struct mw_map *map, const char *path, size_t len)
{
	const struct mw_map *last = maps->count ? &maps->maps[maps->count - 1] : NULL;

	if (last && !strncmp(maps->paths + last->path, path, len) &&
	    !maps->paths[last->path + len]) {
		map->path = last->path;
		return true;
	}
	if (!reserve((void **)&maps->paths, maps->paths_len, len + 1, 1, MW_MAPS_PATHS_MAX))
		return false;
	memcpy(maps->paths + maps->paths_len, path, len);
	maps->paths[maps->paths_len + len] = 0;
	map->path = (uint32_t)maps->paths_len;
	maps->paths_len += len + 1;
	return true;
}

static bool add_line(struct mw_maps *maps, const char *line, const char *end)
{
	struct cursor c = {line, end, false};
	struct mw_map map = {0};
	unsigned int major_number, minor_number;

	map.start = number(&c, 16, '-');
	map.end = number(&c, 16, ' ');
	map.prot = protection(&c);
	map.offset = number(&c, 16, ' ');
	major_number = (unsigned int)number(&c, 16, ':');
	minor_number = (unsigned int)number(&c, 16, ' ');
	map.ino = number(&c, 10, ' ');
	map.dev = makedev(major_number, minor_number);
	if (c.bad || map.start >= map.end)
		return true;
	while (c.at < c.end && *c.at == ' ')
		c.at++;
	if (!reserve((void **)&maps->maps, maps->count, 1, sizeof(map), MW_MAPS_MAX))
		return false;
	if (!add_path(maps, &map, c.at, (size_t)(c.end - c.at)))
		return false;
	maps->maps[maps->count++] = map;
	return true;
}

/* Adds the complete lines in `text` and returns how many bytes they were; false in `more` when a
 * limit was met. */
static size_t add_lines(struct mw_maps *maps, const char *text, size_t len, bool *more)
{
	size_t done = 0;

	while (*more) {
		const char *newline = memchr(text + done, '\n', len - done);

		if (!newline)
			break;
		*more = add_line(maps, text + done, newline);
		done = (size_t)(newline - text) + 1;
	}
	return done;
}

int mw_maps_read(pid_t pid, struct mw_maps *ret)
{
	char path[32], text[LINE_SPACE];
	struct mw_maps maps = {0};
	size_t len = 0, done;
	bool more = true;
	ssize_t n = 0;
	int fd, r = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (more) {
		n = read(fd, text + len, sizeof(text) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		done = add_lines(&maps, text, len, &more);
		len -= done;
		memmove(text, text + done, len);
	}
	if (n < 0)
		r = -errno;
	close(fd);
	maps.truncated = !more;
	if (r < 0)
		mw_maps_free(&maps);
	else
		*ret = maps;
	return r;
}

void mw_maps_free(struct mw_maps *maps)
{
	free(maps->maps);
	free(maps->paths);
	*maps = (struct mw_maps){0};
}

const struct mw_map *mw_maps_find(const struct mw_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr >= maps->maps[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == maps->count || addr < maps->maps[low].start)
		return NULL;
	return &maps->maps[low];
}

const char *mw_map_path(const struct mw_maps *maps, const struct mw_map *map)
{
	return maps->paths + map->path;
}

bool mw_map_is_file(const struct mw_map *map, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_ino == map->ino &&
	       (st->st_dev == map->dev || !major(st->st_dev) || !major(map->dev));
}
