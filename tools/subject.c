#include "subject.h"

#include <unistd.h>

#include "identity.h"

json_t *mw_subject_self(json_t *labels)
{
	struct mw_cgroup cgroup;
	pid_t self = getpid();

	mw_identity_cgroup(self, &cgroup);
	return json_pack("{s:o, s:o, s:o, s:O}", "user", mw_identity_user(self), "job",
	                 mw_identity_job(self, &cgroup), "container",
	                 mw_identity_container(&cgroup), "labels", labels);
}
