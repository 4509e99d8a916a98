/* Everything an alert needs that is not in the record itself. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "alert_parts.h"

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
	return alert->decision->verdict >= MW_DENY;
}

bool mw_alert_is_ours(const struct mw_native_frame *frame)
{
	const char *slash = strrchr(frame->object, '/');
	const char *base = slash ? slash + 1 : frame->object;

	return !strncmp(base, "libmodelwatch.", 14) || !strncmp(base, "_modelwatch.", 12);
}

static int take_unwound(struct mw_alert *alert)
{
	int count = alert->unwound_count < MW_ALERT_NATIVE ? alert->unwound_count : MW_ALERT_NATIVE;

	if (count > 0)
		memcpy(alert->native, alert->unwound, (size_t)count * sizeof(*alert->native));
	return count;
}

/* The frames on top are ours: they announced the effect. */
static void unwind(struct mw_alert *alert, struct mw_unwinder *unwinder)
{
	const struct mw_record *record = alert->record;
	int count = 0, ours = 0;

	if (alert->hint)
		count = take_unwound(alert);
	else if (record->stack && record->stack_len)
		count = mw_unwind(unwinder, alert->pid, NULL, &record->regs, record->stack,
		                  record->stack_len, alert->native, MW_ALERT_NATIVE);
	while (ours < count && mw_alert_is_ours(&alert->native[ours]))
		ours++;
	alert->native_count = count > 0 ? count - ours : 0;
	memmove(alert->native, alert->native + ours,
	        (size_t)alert->native_count * sizeof(*alert->native));
}

void mw_alert_gather(struct mw_alert *alert, struct mw_unwinder *unwinder, struct mw_hasher *hasher)
{
	mw_alert_stamp(alert->id, alert->time);
	mw_artifact_open(alert->pid, alert->load, &alert->artifact);
	alert->digest = (struct mw_digest){.state = MW_DIGEST_UNAVAILABLE};
	if (alert->artifact.fd >= 0)
		mw_hasher_ask(hasher, alert->artifact.fd, &alert->artifact.status, &alert->digest);
	unwind(alert, unwinder);
}

void mw_alert_release(struct mw_alert *alert)
{
	mw_artifact_close(&alert->artifact);
}
