/* The job and the container. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container_state.h"
#include "identity.h"
#include "jsontext.h"

#define CGROUP_BYTES 16384
#define ENVIRON_BYTES (256 << 10)
#define MOUNTS_BYTES (64 << 10)

void mw_identity_cgroup(pid_t pid, struct mw_cgroup *ret)
{
	char *text = malloc(MOUNTS_BYTES);

	*ret = (struct mw_cgroup){0};
	if (!text)
		return;
	mw_proc_read(pid, "cgroup", text, CGROUP_BYTES);
	mw_cgroup_parse(text, ret);
	if (ret->container_trust == MW_CGROUP_NOTHING) {
		mw_proc_read(pid, "mountinfo", text, MOUNTS_BYTES);
		mw_cgroup_mounts(text, ret);
	}
	free(text);
}

static const char *const trusts[] = {[MW_CGROUP_NOTHING] = "env",
                                     [MW_CGROUP_MOUNTS] = "mounts",
                                     [MW_CGROUP_DELEGATED] = "delegated",
                                     [MW_CGROUP_HOST] = "cgroup"};

/* The values of a few variables that batch systems and launchers set. */
static const char *const variables[] = {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID",
                                        "PBS_JOBID",    "LSB_JOBID",     "TORCHELASTIC_RUN_ID",
                                        "RANK"};
enum { SLURM_JOB, SLURM_STEP, SLURM_RANK, PBS_JOB, LSF_JOB, TORCH_RUN, RANK, VARIABLES };

static void read_variables(pid_t pid, char values[static VARIABLES][MW_CGROUP_ID])
{
	char *text = malloc(ENVIRON_BYTES);
	size_t len = text ? mw_proc_read(pid, "environ", text, ENVIRON_BYTES) : 0;

	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		for (size_t i = 0; i < VARIABLES; i++) {
			size_t n = strlen(variables[i]);

			if (!strncmp(text + at, variables[i], n) && text[at + n] == '=')
				snprintf(values[i], MW_CGROUP_ID, "%s", text + at + n + 1);
		}
	}
	free(text);
}

static json_t *rank_of(const char *text)
{
	char *end;
	long rank = strtol(text, &end, 10);

	return *text && !*end && rank >= 0 ? json_integer(rank) : json_null();
}

/* Which system says that it is in a job of its, and what it calls the job. */
struct job {
	const char *kind, *id, *step;
};

static bool job_of(const struct mw_cgroup *cgroup, char values[static VARIABLES][MW_CGROUP_ID],
                   struct job *ret)
{
	const struct job all[] = {{"slurm", cgroup->job, cgroup->step},
	                          {"slurm", values[SLURM_JOB], values[SLURM_STEP]},
	                          {"pbs", values[PBS_JOB], ""},
	                          {"lsf", values[LSF_JOB], ""},
	                          {"torchelastic", values[TORCH_RUN], ""}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		*ret = all[i];
		if (ret->id[0])
			return true;
	}
	return false;
}

json_t *mw_identity_job(pid_t pid, const struct mw_cgroup *cgroup)
{
	char values[VARIABLES][MW_CGROUP_ID] = {{0}};
	const char *rank;
	struct job job;

	if (pid > 0)
		read_variables(pid, values);
	if (!job_of(cgroup, values, &job))
		return json_null();
	rank = values[values[SLURM_RANK][0] ? SLURM_RANK : RANK];
	return json_pack("{s:s, s:o, s:o, s:o, s:s}", "kind", job.kind, "id", mw_json_text(job.id),
	                 "step", mw_json_text(job.step), "rank", rank_of(rank), "trust",
	                 trusts[cgroup->job_trust]);
}

static json_t *pod_of(const char *uid, const struct mw_container_state *state)
{
	if (!uid[0] && !state->pod[0])
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "namespace", mw_json_text(state->namespace), "name",
	                 mw_json_text(state->pod), "uid", mw_json_text(uid[0] ? uid : state->uid));
}

json_t *mw_identity_container(const struct mw_cgroup *cgroup,
                              const struct mw_container_state *state)
{
	static const struct mw_container_state nothing;
	const char *runtime = cgroup->runtime;

	if (cgroup->container_trust == MW_CGROUP_NOTHING)
		return json_null();
	state = state ? state : &nothing;
	runtime = runtime ? runtime : state->runtime;
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "id", mw_json_text(cgroup->container),
	                 "runtime", mw_json_text(runtime ? runtime : ""), "name",
	                 mw_json_text(state->name), "image", mw_json_text(state->image), "pod",
	                 pod_of(cgroup->pod, state), "trust", trusts[cgroup->container_trust]);
}
