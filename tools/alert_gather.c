/* Everything an alert needs that is not in the record itself. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "alert_parts.h"
#include "sha256.h"
#include "stream.h"
#include "text.h"

void mw_alert_stamp(char id[static 40], char time[static 40])
{
	uint8_t r[10] = {0};
	struct timespec now;
	uint64_t ms;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	if (getrandom(r, sizeof(r), GRND_NONBLOCK) < 0)
		memcpy(r, &now.tv_nsec, sizeof(now.tv_nsec));
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	snprintf(id, 40, "%08x-%04x-7%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	         (unsigned)(ms >> 16), (unsigned)(ms & 0xffff), r[0] & 0xf, r[1],
	         0x80 | (r[2] & 0x3f), r[3], r[4], r[5], r[6], r[7], r[8], r[9]);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(time, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(time + n, 40 - n, ".%09ldZ", now.tv_nsec);
}

bool mw_alert_prevented(const struct mw_alert *alert)
{
	return alert->record->effect.verdict >= MW_DENY;
}

/* What the callable is named by the process: the outermost Python function inside the load, or,
 * when the stream called a C function itself, that function. "__init__" tells nothing of the class.
 */
static struct mw_str hint(const struct mw_record *record)
{
	struct mw_str op = record->effect.op;

	if (record->inside && record->inside <= record->frame_count)
		return record->frames[record->inside - 1].function;
	for (uint32_t i = op.len; i > 0; i--)
		if (op.s[i - 1] == '.')
			return (struct mw_str){op.s + i, op.len - i};
	return op;
}

static bool is_fetch(const struct mw_record_effect *effect)
{
	return effect->op.len == 10 && !memcmp(effect->op.s, "find_class", 10);
}

/* Which opcode of the stream does it. */
static void locate(struct mw_alert *alert, const struct mw_stream *stream)
{
	const struct mw_record_load *load = alert->load;
	const struct mw_pickle_query query = {
	        .data = stream->bytes,
	        .len = stream->len,
	        .cut = stream->cut,
	        .seen = load->seen,
	        .count = load->seen_count,
	        .total = load->globals,
	        .tell = load->tell,
	        .tell_exact = load->tell_exact,
	        .importing = load->importing,
	        .fetching = is_fetch(&alert->record->effect),
	        .hint = hint(alert->record),
	};
	size_t len = stream->len;

	if (mw_pickle_locate(&query, &alert->call) < 0) {
		alert->call = (struct mw_pickle_answer){0};
		return;
	}
	if (alert->call.stream_len && alert->call.stream_len < len)
		len = (size_t)alert->call.stream_len;
	if (stream->cut && !alert->call.complete)
		return; /* there is more of it than was read */
	if (mw_sha256(stream->bytes, len, alert->stream_sha256))
		alert->stream_sha256[0] = '\0';
}

/* A pickle may be the first bytes of a file of many gigabytes: it is read until its STOP is there.
 */
static int read_stream(struct mw_alert *alert, struct mw_stream *stream)
{
	int64_t tell = alert->load->tell;
	size_t limit = MW_STREAM_FIRST;
	int error;

	if (tell > 0 && tell < MW_STREAM_MAX)
		limit += (size_t)tell;
	for (;;) {
		error = mw_stream_read(alert->pid, alert->load, limit, stream);
		if (error)
			return error;
		locate(alert, stream);
		if (!stream->cut || alert->call.complete || limit >= MW_STREAM_MAX)
			return 0;
		mw_stream_free(stream);
		limit *= 8;
	}
}

/* What the stream fetched last, when nothing better is known of the call. */
static void fall_back(struct mw_alert *alert)
{
	const struct mw_record_load *load = alert->load;
	struct mw_str last;
	char *space;
	size_t n;

	if (alert->call.found || !load->seen_count || load->seen_count > MW_WIRE_GLOBALS)
		return;
	last = load->seen[load->seen_count - 1];
	if (!last.s)
		return;
	n = mw_utf8_clean(last.s, last.len, alert->call.call, sizeof(alert->call.call));
	space = memchr(alert->call.call, ' ', n);
	if (space)
		*space = '.';
}

bool mw_alert_is_ours(const struct mw_native_frame *frame)
{
	const char *slash = strrchr(frame->object, '/');
	const char *base = slash ? slash + 1 : frame->object;

	return !strncmp(base, "libmodelwatch.", 14) || !strncmp(base, "_modelwatch.", 12);
}

/* The frames on top are ours: they announced the effect. */
static void unwind(struct mw_alert *alert, struct mw_unwinder *unwinder)
{
	const struct mw_record *record = alert->record;
	int count = 0, ours = 0;

	if (record->stack && record->stack_len)
		count = mw_unwind(unwinder, alert->pid, &record->regs, record->stack,
		                  record->stack_len, alert->native, MW_ALERT_NATIVE);
	while (ours < count && mw_alert_is_ours(&alert->native[ours]))
		ours++;
	alert->native_count = count > 0 ? count - ours : 0;
	memmove(alert->native, alert->native + ours,
	        (size_t)alert->native_count * sizeof(*alert->native));
}

void mw_alert_gather(struct mw_alert *alert, struct mw_unwinder *unwinder, struct mw_hasher *hasher)
{
	struct mw_stream stream = {0};
	bool readable;

	mw_alert_stamp(alert->id, alert->time);
	alert->call = (struct mw_pickle_answer){0};
	alert->stream_sha256[0] = '\0';
	readable = !read_stream(alert, &stream);
	fall_back(alert);
	mw_artifact_open(alert->pid, alert->load, readable ? &stream : NULL, &alert->artifact);
	mw_stream_free(&stream);
	alert->digest = (struct mw_digest){.state = MW_DIGEST_UNAVAILABLE};
	if (alert->artifact.fd >= 0)
		mw_hasher_ask(hasher, alert->artifact.fd, &alert->artifact.status, &alert->digest);
	unwind(alert, unwinder);
}

void mw_alert_release(struct mw_alert *alert)
{
	mw_artifact_close(&alert->artifact);
}
