#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)

struct lines {
	char *data; /* the part of a line that has been read */
	size_t len, size;
	bool too_long;
	mw_line_reader *reader;
	void *context;
};

static int keep(struct lines *lines, const char *data, size_t len)
{
	size_t size = lines->size ? lines->size : CHUNK;
	char *grown;

	if (lines->len + len > MW_LINE_MAX)
		lines->too_long = true;
	if (lines->too_long)
		return 0;
	while (size < lines->len + len)
		size *= 2;
	if (size > lines->size) {
		grown = realloc(lines->data, size);
		if (!grown)
			return -ENOMEM;
		lines->data = grown;
		lines->size = size;
	}
	memcpy(lines->data + lines->len, data, len);
	lines->len += len;
	return 0;
}

static int deliver(struct lines *lines)
{
	int result = 0;

	if (lines->too_long || lines->len)
		result = lines->reader(lines->context, lines->too_long ? NULL : lines->data,
		                       lines->len);
	lines->len = 0;
	lines->too_long = false;
	return result;
}

static int split(struct lines *lines, const char *chunk, size_t len)
{
	const char *end = chunk + len;
	int result = 0;

	while (!result && chunk < end) {
		const char *newline = memchr(chunk, '\n', (size_t)(end - chunk));
		const char *stop = newline ? newline : end;

		result = keep(lines, chunk, (size_t)(stop - chunk));
		if (!result && newline)
			result = deliver(lines);
		chunk = newline ? newline + 1 : end;
	}
	return result;
}

static int read_all(struct lines *lines, int fd, char *chunk)
{
	int result = 0;
	ssize_t n;

	do {
		n = read(fd, chunk, CHUNK);
		if (n > 0)
			result = split(lines, chunk, (size_t)n);
		else if (n < 0 && errno != EINTR)
			result = -errno;
	} while (n && !result);
	return result ? result : deliver(lines);
}

int mw_lines(const char *path, mw_line_reader *reader, void *context)
{
	struct lines lines = {.reader = reader, .context = context};
	bool standard = !strcmp(path, "-");
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *chunk;
	int result = -ENOMEM;

	if (fd < 0)
		return -errno;
	chunk = malloc(CHUNK);
	if (chunk)
		result = read_all(&lines, fd, chunk);
	free(chunk);
	free(lines.data);
	if (!standard)
		close(fd);
	return result;
}
