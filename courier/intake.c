#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 256
#define START_BYTES (64u << 10)

struct mw_intake {
	int fd;
	char *data;
	size_t from, to, size; /* what is not parsed: data[from, to) */
	bool closed;           /* nothing comes any more */
	uint64_t taken;
	json_t *batch[BATCH_MAX];
	size_t count; /* parsed, and not in the spool yet */
};

int mw_intake_open(int fd, struct mw_intake **ret)
{
	struct mw_intake *intake = calloc(1, sizeof(*intake));

	if (!intake)
		return -ENOMEM;
	intake->fd = fd;
	intake->size = START_BYTES;
	intake->data = malloc(intake->size);
	if (!intake->data) {
		free(intake);
		return -ENOMEM;
	}
	*ret = intake;
	return 0;
}

static void drop_batch(struct mw_intake *intake)
{
	while (intake->count)
		json_decref(intake->batch[--intake->count]);
}

void mw_intake_close(struct mw_intake *intake)
{
	if (!intake)
		return;
	drop_batch(intake);
	free(intake->data);
	free(intake);
}

/* Moves what is left to the front; a line that is longer than there is room gets more. */
static bool make_room(struct mw_intake *intake)
{
	char *more;

	if (intake->from) {
		memmove(intake->data, intake->data + intake->from, intake->to - intake->from);
		intake->to -= intake->from;
		intake->from = 0;
	}
	if (intake->to < intake->size)
		return true;
	if (intake->size >= MW_LINE_MAX)
		return false;
	more = realloc(intake->data, intake->size * 2);
	if (!more)
		return false;
	intake->data = more;
	intake->size *= 2;
	return true;
}

/* The monitor is ours: what is no line of its kind is the end of the conversation. */
static void fill(struct mw_intake *intake)
{
	ssize_t n;

	if (intake->closed)
		return;
	if (!make_room(intake)) {
		intake->closed = true;
		return;
	}
	do
		n = read(intake->fd, intake->data + intake->to, intake->size - intake->to);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		intake->to += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		intake->closed = true;
}

static const char *line_end(const struct mw_intake *intake)
{
	return memchr(intake->data + intake->from, '\n', intake->to - intake->from);
}

/* The next whole line; one that is no JSON is null, so that the numbers of those after it hold. */
static json_t *next(struct mw_intake *intake)
{
	const char *end = line_end(intake), *start = intake->data + intake->from;
	json_t *json;

	if (!end)
		return NULL;
	json = json_loadb(start, (size_t)(end - start), 0, NULL);
	intake->from = (size_t)(end - intake->data) + 1;
	return json ? json : json_null();
}

json_t *mw_intake_hello(struct mw_intake *intake, bool *ret_ended)
{
	json_t *hello = next(intake);

	if (!hello) {
		fill(intake);
		hello = next(intake);
	}
	*ret_ended = !hello && intake->closed;
	return hello;
}

static void parse(struct mw_intake *intake)
{
	while (intake->count < BATCH_MAX) {
		json_t *json = next(intake);

		if (!json)
			return;
		intake->batch[intake->count++] = json;
	}
}

int mw_intake_take(struct mw_intake *intake, struct mw_spool *spool,
                   const struct mw_spool_source *source)
{
	struct mw_spool_source at = {.first = source->first + intake->taken};
	int error, count;

	memcpy(at.id, source->id, sizeof(at.id));
	parse(intake);
	if (!intake->count) {
		fill(intake);
		parse(intake);
	}
	if (!intake->count)
		return 0;
	error = mw_spool_add(spool, &at, intake->batch, intake->count);
	if (error)
		return error;
	count = (int)intake->count;
	intake->taken += intake->count;
	drop_batch(intake);
	return count;
}

bool mw_intake_ended(const struct mw_intake *intake)
{
	return intake->closed && !intake->count && !line_end(intake);
}

bool mw_intake_closed(const struct mw_intake *intake)
{
	return intake->closed;
}

bool mw_intake_has(const struct mw_intake *intake)
{
	return intake->count || line_end(intake);
}

uint64_t mw_intake_taken(const struct mw_intake *intake)
{
	return intake->taken;
}
