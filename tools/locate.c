#include "locate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sha256.h"
#include "stream.h"
#include "text.h"
#include "zip.h"

/* What the callable is named by the process: the outermost Python function inside the load, or,
 * when the stream called a C function itself, that function. "__init__" tells nothing of the class.
 */
static struct mw_str name_of(const struct mw_record *record)
{
	struct mw_str op = record->effect.op;

	if (record->effect.sensor == MW_SYSCALL)
		return (struct mw_str){0};
	if (record->inside && record->inside <= record->frame_count)
		return record->frames[record->inside - 1].function;
	if (record->effect.sensor == MW_KERNEL)
		return (struct mw_str){0}; /* a system call's name */
	for (uint32_t i = op.len; i > 0; i--)
		if (op.s[i - 1] == '.')
			return (struct mw_str){op.s + i, op.len - i};
	return op;
}

/* What a function would be called that does no more than make the system call. */
static struct mw_str guess(const struct mw_record *record)
{
	struct mw_str op = record->effect.op;

	if (record->effect.sensor != MW_KERNEL || op.len < 4)
		return (struct mw_str){0};
	if (!memcmp(op.s + op.len - 2, "at", 2))
		op.len -= 2; /* openat, mkdirat */
	return op;
}

static bool is_fetch(const struct mw_record_effect *effect)
{
	return effect->op.len == 10 && !memcmp(effect->op.s, "find_class", 10);
}

/* The digest of the stream alone, when its end is known. */
static void digest(const struct mw_pickle_query *query, struct mw_location *ret)
{
	size_t len = query->len;

	if (ret->call.stream_len && ret->call.stream_len < len)
		len = (size_t)ret->call.stream_len;
	if (query->cut && !ret->call.complete)
		return; /* there is more of it than was read */
	if (mw_sha256(query->data, len, ret->stream_sha256))
		ret->stream_sha256[0] = '\0';
}

#define PICKLES_MOST 16     /* in one file that are looked at */
#define SCANNED 65536u      /* bytes at its beginning that are searched for them ... */
#define SEARCHED (4u << 20) /* ... and of each of these that are looked at */

struct search {
	const struct mw_record *record;
	struct mw_location *location;
	bool inner; /* it is in bytes that another one holds */
};

/* Its bytes came with the load around it, and where they lie is not known. */
static bool is_inner(const struct mw_record *record)
{
	return record->load.depth && !record->load.data && record->load.fd < 0;
}

/* Which opcode of the stream does it. A pickle may be the first bytes of a file of many gigabytes:
 * it is read until its STOP is there. */
static int look_once(struct search *search, struct mw_pickle_query *query)
{
	struct mw_pickle_answer *call = &search->location->call;
	int error = mw_pickle_locate(query, call);

	if (error < 0)
		*call = (struct mw_pickle_answer){0};
	else
		digest(query, search->location);
	return error;
}

/* The first byte from `at` on that a pickle may begin with, as all of protocol 2 and later do. */
static size_t next_pickle(const struct mw_pickle_query *query, size_t at)
{
	for (; at + 2 < query->len && at < SCANNED; at++)
		if (query->data[at] == 0x80 && query->data[at + 1] >= 2 && query->data[at + 1] <= 5)
			return at;
	return query->len;
}

/* Whether what comes next is right behind what was looked at. */
static bool follows(const struct search *search)
{
	const struct mw_pickle_answer *call = &search->location->call;

	return call->complete && call->stream_len && !is_inner(search->record);
}

/* Where the one behind the pickle at `start` may begin. Nothing but what was fetched tells them
 * apart. */
static size_t behind(const struct search *search, const struct mw_pickle_query *whole, size_t start)
{
	if (follows(search))
		return start + (size_t)search->location->call.stream_len;
	return whole->count ? next_pickle(whole, start + 1) : whole->len;
}

/* It counts in its file, or in its own bytes alone. */
static void place(struct search *search, size_t start)
{
	struct mw_pickle_answer *call = &search->location->call;

	search->inner = is_inner(search->record);
	if (search->inner)
		return;
	call->offset += start;
	call->offset_end += start;
}

/* Who sees a load from outside may not know where in its file it began: it is one of several
 * pickles, right behind one another or with something else around them; or it came as bytes in one.
 * The first that can be the one is. */
static void look_further(struct search *search, const struct mw_pickle_query *whole)
{
	const struct mw_location first = *search->location;
	size_t start = 0;

	if (first.call.found)
		return;
	for (int i = 0; i < PICKLES_MOST; i++) {
		struct mw_pickle_query query = *whole;

		start = behind(search, whole, start);
		if (start >= whole->len)
			break;
		query.data += start;
		query.len -= start;
		if (query.len > SEARCHED && !follows(search)) {
			query.len = SEARCHED;
			query.cut = true;
		}
		query.tell = query.tell < (int64_t)start ? -1 : query.tell - (int64_t)start;
		if (look_once(search, &query) < 0)
			break;
		if (search->location->call.found) {
			place(search, start);
			return;
		}
	}
	*search->location = first;
}

static bool look(void *context, struct mw_pickle_query *query)
{
	struct search *search = context;

	query->fetching = is_fetch(&search->record->effect);
	query->hint = name_of(search->record);
	query->guess = !query->hint.len;
	if (query->guess)
		query->hint = guess(search->record);
	if (!look_once(search, query) && search->record->effect.sensor == MW_KERNEL)
		look_further(search, query);
	return search->location->call.complete;
}

int mw_locate_read(pid_t pid, const struct mw_record *record, size_t first,
                   bool (*enough)(void *context, struct mw_pickle_query *query), void *context,
                   struct mw_stream *ret)
{
	const struct mw_record_load *load = &record->load;

	for (size_t limit = first;; limit *= 8) {
		struct mw_pickle_query query = {
		        .seen = load->seen,
		        .count = load->seen_count,
		        .total = load->globals,
		        .tell = load->tell,
		        .tell_exact = load->tell_exact,
		        .importing = load->importing,
		        .unheard = load->archive,
		};
		int error = mw_stream_read(pid, load, limit, ret);

		if (error)
			return error;
		query.data = ret->bytes;
		query.len = ret->len;
		query.cut = ret->cut;
		if (enough(context, &query) || !ret->cut || limit >= MW_STREAM_MAX)
			return 0;
		mw_stream_free(ret);
	}
}

/* A stream may be one that an archive holds: it is told by its bytes. */
static void find_member(pid_t pid, const struct mw_record_load *load,
                        const struct mw_stream *stream, struct mw_location *ret)
{
	struct stat status;
	int fd;

	if (stream->cut || (load->data ? stream->len != load->data_len : !load->archive))
		return;
	fd = mw_stream_open(pid, load, &status);
	if (fd < 0)
		return;
	if (mw_zip_find(fd, (uint64_t)status.st_size, stream->bytes, stream->len, ret->member,
	                sizeof(ret->member)))
		ret->member[0] = '\0';
	close(fd);
}

/* The reader has been at its position, so that much there is. */
static size_t first_limit(int64_t tell)
{
	return MW_STREAM_FIRST + (tell > 0 && tell < MW_STREAM_MAX ? (size_t)tell : 0);
}

/* What the stream fetched last, when nothing better is known of the call. */
static void fall_back(const struct mw_record_load *load, struct mw_pickle_answer *call)
{
	struct mw_str last;
	char *space;
	size_t n;

	if (!load->seen_count || load->seen_count > MW_WIRE_GLOBALS)
		return;
	last = load->seen[load->seen_count - 1];
	if (!last.s || last.len < 3 || last.s[0] == ' ' || last.s[last.len - 1] == ' ')
		return; /* it could not be read */
	n = mw_utf8_clean(last.s, last.len, call->call, sizeof(call->call));
	space = memchr(call->call, ' ', n);
	if (space)
		*space = '.';
}

void mw_locate(pid_t pid, const struct mw_record *record, struct mw_location *ret)
{
	const struct mw_record_load *load = &record->load;
	struct search search = {record, ret, false};
	struct mw_stream stream = {0};

	memset(ret, 0, sizeof(*ret));
	if (!mw_locate_read(pid, record, first_limit(load->tell), look, &search, &stream))
		find_member(pid, load, &stream, ret);
	mw_stream_free(&stream);
	ret->nested = search.inner || (load->depth && load->data && !ret->member[0]);
	if (!ret->call.found) {
		fall_back(load, &ret->call);
	} else if (!load->data && !load->archive && !search.inner) {
		ret->call.offset += load->start;
		ret->call.offset_end += load->start;
	}
}

void mw_location_add(struct mw_location *known, const struct mw_location *more)
{
	struct mw_pickle_answer *call = &known->call;
	size_t len = strlen(call->call);

	if (!call->found || !more->call.found) {
		if (!call->found)
			*known = *more;
		return;
	}
	if (!strstr(call->call, more->call.call)) {
		snprintf(call->call + len, sizeof(call->call) - len, " or %s", more->call.call);
		strcpy(call->args, "(...)");
	}
	if (more->call.offset < call->offset)
		call->offset = more->call.offset;
	if (more->call.offset_end > call->offset_end)
		call->offset_end = more->call.offset_end;
}
