#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared.h"

#define BATCH_MAX 256
#define START_BYTES (1u << 20) /* about a batch, so that few commits wait for the disk */

struct mw_intake {
	int fd;
	const struct mw_shared *shared; /* NULL: only the hello is read, from the socket */
	size_t shared_size, room;
	uint64_t turn, at; /* whose memory it is if it is ours; up to where it is read */
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
	if (intake->shared)
		munmap((void *)(uintptr_t)intake->shared, intake->shared_size);
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

static ssize_t receive(const struct mw_intake *intake, char *data, size_t size)
{
	ssize_t n;

	do
		n = read(intake->fd, data, size);
	while (n < 0 && errno == EINTR);
	return n;
}

/* The bytes that only wake us. Returns false when the monitor has gone. */
static bool drain(const struct mw_intake *intake)
{
	char some[4096];
	ssize_t n;

	do
		n = receive(intake, some, sizeof(some));
	while (n > 0);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Where to go on, and how much there is in one piece. */
static size_t unread(const struct mw_intake *intake, uint64_t *ret_at)
{
	uint64_t end = intake->shared->end, start = intake->shared->start;
	size_t piece;

	*ret_at = intake->at > start ? intake->at : start;
	if (*ret_at >= end)
		return 0;
	piece = intake->room - (size_t)(*ret_at % intake->room);
	return end - *ret_at < piece ? (size_t)(end - *ret_at) : piece;
}

/* Once there is another courier, what we would take may be written over, and is theirs. */
static bool is_ours(const struct mw_intake *intake)
{
	atomic_thread_fence(memory_order_acquire);
	return intake->shared->turn == intake->turn;
}

static bool copy(struct mw_intake *intake)
{
	uint64_t at;
	size_t len = unread(intake, &at), most = intake->size - intake->to;

	if (len > most)
		len = most;
	memcpy(intake->data + intake->to, intake->shared->data + at % intake->room, len);
	if (!len || !is_ours(intake))
		return false;
	intake->to += len;
	intake->at = at + len;
	return true;
}

/* The monitor is ours: what is no line of its kind is the end of the conversation. What it wrote
 * before it went is there, so that has to be looked at last. */
static void fill(struct mw_intake *intake)
{
	bool is_there;

	if (intake->closed)
		return;
	if (!make_room(intake)) {
		intake->closed = true;
		return;
	}
	is_there = drain(intake);
	if (!copy(intake))
		intake->closed = !is_there || !is_ours(intake);
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
	ssize_t n = 0;
	json_t *hello;

	if (make_room(intake))
		n = receive(intake, intake->data + intake->to, intake->size - intake->to);
	if (n > 0)
		intake->to += (size_t)n;
	hello = next(intake);
	*ret_ended = !hello && (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK));
	return hello;
}

int mw_intake_follow(struct mw_intake *intake, int fd, uint64_t at, uint64_t turn)
{
	struct stat is;
	void *memory;

	if (fstat(fd, &is) < 0)
		return -errno;
	if (is.st_size <= (off_t)sizeof(*intake->shared))
		return -EINVAL;
	memory = mmap(NULL, (size_t)is.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	intake->shared = memory;
	intake->shared_size = (size_t)is.st_size;
	intake->room = intake->shared_size - sizeof(*intake->shared);
	intake->at = at;
	intake->turn = turn;
	intake->from = intake->to = 0; /* bytes that woke us */
	return 0;
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
	uint64_t at;

	return intake->count || line_end(intake) || (!intake->closed && unread(intake, &at));
}

uint64_t mw_intake_untold(const struct mw_intake *intake)
{
	uint64_t lost = intake->shared->lost;

	return is_ours(intake) ? lost : 0;
}

uint64_t mw_intake_taken(const struct mw_intake *intake)
{
	return intake->taken;
}
