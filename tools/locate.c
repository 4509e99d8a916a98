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
static struct mw_str hint(const struct mw_record *record)
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

#define PICKLES_MOST 16 /* in one file that are looked at */

struct search {
	const struct mw_record *record;
	struct mw_location *location;
};

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

/* Who sees a load from outside may not know where in its file it began: it is one of several
 * pickles, one right behind the other, and the first that can be the one is. */
static void look_further(struct search *search, struct mw_pickle_query *query)
{
	struct mw_pickle_answer *call = &search->location->call;
	uint64_t start = 0;

	for (int i = 0; i < PICKLES_MOST && !call->found && call->complete; i++) {
		size_t len = (size_t)call->stream_len;

		if (!len || len >= query->len)
			break;
		query->data += len;
		query->len -= len;
		query->tell = query->tell < (int64_t)len ? -1 : query->tell - (int64_t)len;
		start += len;
		if (look_once(search, query) < 0)
			break;
	}
	if (call->found) {
		call->offset += start;
		call->offset_end += start;
	}
}

static bool look(void *context, struct mw_pickle_query *query)
{
	struct search *search = context;

	query->fetching = is_fetch(&search->record->effect);
	query->hint = hint(search->record);
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

/* A stream in memory may be one that an archive holds: it is told by its bytes. */
static void find_member(pid_t pid, const struct mw_record_load *load,
                        const struct mw_stream *stream, struct mw_location *ret)
{
	struct stat status;
	int fd;

	if (!load->data || stream->cut || stream->len != load->data_len)
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
	if (!last.s)
		return;
	n = mw_utf8_clean(last.s, last.len, call->call, sizeof(call->call));
	space = memchr(call->call, ' ', n);
	if (space)
		*space = '.';
}

void mw_locate(pid_t pid, const struct mw_record *record, struct mw_location *ret)
{
	const struct mw_record_load *load = &record->load;
	struct search search = {record, ret};
	struct mw_stream stream = {0};

	memset(ret, 0, sizeof(*ret));
	if (!mw_locate_read(pid, record, first_limit(load->tell), look, &search, &stream))
		find_member(pid, load, &stream, ret);
	mw_stream_free(&stream);
	ret->nested = load->depth && load->data && !ret->member[0];
	if (!ret->call.found) {
		fall_back(load, &ret->call);
	} else if (!load->data) {
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
