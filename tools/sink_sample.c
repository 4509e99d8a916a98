#include "sink_sample.h"

#include <unistd.h>

#include "alert_parts.h"
#include "identity.h"

static json_t *load(void)
{
	json_t *artifact =
	        json_pack("{s:n, s:n, s:n, s:n, s:s, s:n, s:n}", "path", "member", "size", "sha256",
	                  "digest_state", "unavailable", "stream_sha256", "model");

	return json_pack("{s:n, s:n, s:n, s:o, s:n, s:n, s:n, s:n, s:n, s:b, s:b}", "id", "entry",
	                 "origin", "artifact", artifact, "call", "args", "opcode", "offset",
	                 "offset_range", "nested", 0, "after_load", 0);
}

static void set_who(json_t *out)
{
	struct mw_cgroup cgroup;

	mw_identity_cgroup(getpid(), &cgroup);
	json_object_set_new(out, "process", mw_identity_process(getpid(), getpid(), &cgroup));
	json_object_set_new(out, "user", mw_identity_user(getpid()));
	json_object_set_new(out, "job", mw_identity_job(getpid(), &cgroup));
	json_object_set_new(out, "container", mw_identity_container(&cgroup));
	json_object_set_new(out, "host", mw_identity_host());
}

json_t *mw_sink_sample(enum mw_severity severity)
{
	char id[40], time[40];
	json_t *out;

	mw_alert_stamp(id, time);
	out = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:{s:s, s:{s:s, s:s, s:n, s:[]}}}",
	                "schema", "modelwatch.alert/1", "id", id, "update", 0, "time", time, "rule",
	                "sink-test", "title",
	                "A test of modelwatch: nothing has happened, nothing needs to be done",
	                "severity", mw_severity_name(severity), "effect", "class", "code", "detail",
	                "op", "test", "target", "modelwatch sink test", "number", "facts");
	if (!out)
		return NULL;
	json_object_update_new(
	        out,
	        json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s], s:b, s:s, s:o, s:[], s:[]}", "verdict",
	                  "observe", "requested", "alert", "mode", "observe", "outcome", "observed",
	                  "sensor", "python", "seen_by", "python", "evasion", 0, "cause", "unknown",
	                  "load", load(), "python_stack", "native_stack"));
	set_who(out);
	json_object_update_new(
	        out, json_pack("{s:{s:n, s:s, s:s, s:n}, s:s, s:{s:s}, s:i, s:n, s:[]}", "policy",
	                       "digest", "rule", "sink-test", "severity",
	                       mw_severity_name(severity), "expired", "version", MW_VERSION,
	                       "labels", "modelwatch", "test", "count", 1, "reporter", "reports"));
	return out;
}
