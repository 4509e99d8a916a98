/* Everything an alert needs that is not in the record itself. */
#include <string.h>

#include "alert_parts.h"
#include "uuid.h"
#include "when.h"

void mw_alert_stamp(char id[static 40], char time[static 40])
{
	int64_t now = mw_when_now();

	mw_uuid(now, id);
	mw_when_text(now, time);
}

bool mw_alert_prevented(const struct mw_alert *alert)
{
	return alert->decision->verdict >= MW_DENY;
}

enum mw_severity mw_alert_severity(const struct mw_alert *alert)
{
	const struct mw_record_effect *effect = &alert->record->effect;
	const struct mw_severity_facts facts = {
	        .own = alert->decision->own_severity,
	        .requested = alert->decision->requested,
	        .class = effect->class,
	        .outcome = mw_alert_prevented(alert) ? MW_PREVENTED : MW_OBSERVED,
	        .evasion = effect->facts & MW_FACT_UNANNOUNCED,
	};

	return mw_severity(&facts);
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
