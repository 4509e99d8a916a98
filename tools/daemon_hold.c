#include "daemon_hold.h"

#include <string.h>

#include "tasks.h"

struct text {
	char bytes[MW_WIRE_TEXT + 1];
};

static const char *string(struct mw_str s, struct text *room)
{
	uint32_t len = s.len < MW_WIRE_TEXT ? s.len : MW_WIRE_TEXT;

	if (!s.s)
		return NULL;
	memcpy(room->bytes, s.s, len);
	room->bytes[len] = '\0';
	return room->bytes;
}

bool mw_daemon_hold(struct mw_merge *merge, pid_t pid, const struct mw_record *record,
                    json_t *alert, int64_t now)
{
	const struct mw_record_effect *from = &record->effect;
	struct text room[4];
	struct mw_task task = {.start = 0};
	struct mw_merge_effect effect = {
	        .pid = pid,
	        .uid = (uid_t)json_integer_value(
	                json_object_get(json_object_get(alert, "user"), "uid")),
	        .class = from->class,
	        .target = string(from->target, &room[0]),
	        .target2 = string(from->target2, &room[1]),
	        .file = string(from->file, &room[2]),
	        .file2 = string(from->file2, &room[3]),
	        .inside = record->load.entry.len && !record->load.scope,
	};

	if (!mw_task_read(pid, &task))
		effect.start = task.start;
	return mw_merge_kernel(merge, &effect, alert, now);
}
