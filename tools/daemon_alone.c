#include "daemon_alone.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "alert_parts.h"
#include "identity.h"
#include "identity_cache.h"
#include "tasks.h"

static void set_nobody(json_t *alert, pid_t pid, uid_t uid)
{
	json_object_set_new(alert, "process",
	                    json_pack("{s:i, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:[]}",
	                              "pid", (int)pid, "ns_pid", "tid", "start_time", "comm", "exe",
	                              "argv", "cwd", "unit", "user_unit", "ancestors"));
	json_object_set_new(alert, "user",
	                    json_pack("{s:I, s:n, s:[], s:n}", "uid", (json_int_t)uid, "name",
	                              "groups", "loginuid"));
	json_object_set_new(alert, "job", json_null());
	json_object_set_new(alert, "container", json_null());
}

int mw_alone_identify(json_t *alert, const struct mw_member *who, pid_t tid, uid_t uid)
{
	const struct mw_identity_hint hint = {
	        .pid = who->pid, .tid = tid, .uid = MW_IDENTITY_NO_UID};
	json_t *found = mw_identity_gather(NULL, &hint);
	const json_t *owner = json_object_get(json_object_get(found, "user"), "uid");
	int result = 0;

	json_object_set_new(alert, "host", mw_identity_host());
	/* Its pid may have been given to another process while we looked. */
	if (!who->start || !json_is_integer(owner) || !mw_task_runs(who->pid, who->start))
		set_nobody(alert, who->pid, uid);
	else if (uid && json_integer_value(owner) != uid)
		result = -EACCES;
	else
		json_object_update(alert, found);
	json_decref(found);
	return result;
}

void mw_alone_finish(json_t *alert, const char *id, const char *time, int update,
                     const char *theirs)
{
	json_object_set_new(alert, "schema", json_string("modelwatch.alert/1"));
	json_object_set_new(alert, "id", json_string(id));
	json_object_set_new(alert, "update", json_integer(update));
	json_object_set_new(alert, "time", json_string(time));
	json_object_set_new(alert, "version", json_string(MW_VERSION));
	json_object_set_new(alert, "count", json_integer(1));
	json_object_set_new(alert, "reporter", json_string("user"));
	json_object_set_new(alert, "reports", json_pack("[s]", theirs));
}

json_t *mw_alone_loss(uid_t uid, uint64_t lost, const char *reason)
{
	char id[40], time[40], text[200];

	mw_alert_stamp(id, time);
	snprintf(text, sizeof(text), "reports of user %u: %s", (unsigned int)uid, reason);
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:{}, s:n, s:o, s:s}", "schema",
	                 "modelwatch.loss/1", "id", id, "time", time, "lost", (json_int_t)lost,
	                 "reason", text, "kind", "reports", "count", (json_int_t)lost, "hooks",
	                 "since", "host", mw_identity_host(), "version", MW_VERSION);
}
