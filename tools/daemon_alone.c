#include "daemon_alone.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "alert_parts.h"
#include "cgroup.h"
#include "identity.h"
#include "tasks.h"

static void set_nobody(json_t *alert, pid_t pid, uid_t uid)
{
	json_object_set_new(alert, "process",
	                    json_pack("{s:i, s:n, s:n, s:n, s:n, s:n, s:[]}", "pid", (int)pid,
	                              "tid", "start_time", "exe", "argv", "cwd", "ancestors"));
	json_object_set_new(alert, "user",
	                    json_pack("{s:I, s:n, s:[], s:n}", "uid", (json_int_t)uid, "name",
	                              "groups", "loginuid"));
	json_object_set_new(alert, "job", json_null());
	json_object_set_new(alert, "container", json_null());
}

int mw_alone_identify(json_t *alert, const struct mw_member *who, pid_t tid, uid_t uid)
{
	json_t *process, *user, *job, *container;
	const json_t *owner;
	struct mw_cgroup cgroup;
	int result = 0;

	mw_identity_cgroup(who->pid, &cgroup);
	user = mw_identity_user(who->pid);
	process = mw_identity_process(who->pid, tid);
	job = mw_identity_job(who->pid, &cgroup);
	container = mw_identity_container(&cgroup);
	owner = json_object_get(user, "uid");
	json_object_set_new(alert, "host", mw_identity_host());
	/* Its pid may have been given to another process while we looked. */
	if (!who->start || !mw_task_runs(who->pid, who->start)) {
		set_nobody(alert, who->pid, uid);
	} else if (uid && json_is_integer(owner) && json_integer_value(owner) != uid) {
		result = -EACCES;
	} else {
		json_object_set(alert, "process", process);
		json_object_set(alert, "user", user);
		json_object_set(alert, "job", job);
		json_object_set(alert, "container", container);
	}
	json_decref(process);
	json_decref(user);
	json_decref(job);
	json_decref(container);
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
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "schema", "modelwatch.loss/1", "id", id,
	                 "time", time, "lost", (json_int_t)lost, "reason", text, "version",
	                 MW_VERSION);
}
