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

json_t *mw_identity_container(const struct mw_cgroup *cgroup)
{
	const char *runtime = cgroup->runtime ? cgroup->runtime : "";
	json_t *pod = json_null();

	if (cgroup->container_trust == MW_CGROUP_NOTHING)
		return json_null();
	if (cgroup->pod[0])
		pod = json_pack("{s:n, s:n, s:o}", "namespace", "name", "uid",
		                mw_json_text(cgroup->pod));
	return json_pack("{s:o, s:o, s:n, s:n, s:o, s:s}", "id", mw_json_text(cgroup->container),
	                 "runtime", mw_json_text(runtime), "name", "image", "pod", pod, "trust",
	                 trusts[cgroup->container_trust]);
}

static void copy_text(char out[static MW_CGROUP_ID], const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, MW_CGROUP_ID, "%s", text ? text : "");
}

bool mw_identity_container_cgroup(const json_t *container, struct mw_cgroup *ret)
{
	const char *trust = json_string_value(json_object_get(container, "trust"));

	*ret = (struct mw_cgroup){.container_trust = MW_CGROUP_HOST};
	copy_text(ret->container, container, "id");
	copy_text(ret->pod, json_object_get(container, "pod"), "uid");
	ret->runtime = json_string_value(json_object_get(container, "runtime"));
	return trust && !strcmp(trust, trusts[MW_CGROUP_HOST]);
}

static bool add_text(json_t *object, const char *key, const char *text)
{
	if (!text || !text[0] || !json_is_null(json_object_get(object, key)))
		return false;
	return !json_object_set_new(object, key, mw_json_text(text));
}

bool mw_identity_name_container(json_t *container, const struct mw_container_state *state)
{
	json_t *pod = json_object_get(container, "pod");
	bool news = add_text(container, "runtime", state->runtime);

	news |= add_text(container, "name", state->name);
	news |= add_text(container, "image", state->image);
	if (json_is_null(pod) && state->pod[0]) {
		pod = json_pack("{s:n, s:n, s:n}", "namespace", "name", "uid");
		json_object_set_new(container, "pod", pod);
	}
	news |= add_text(pod, "namespace", state->namespace);
	news |= add_text(pod, "name", state->pod);
	return add_text(pod, "uid", state->uid) || news;
}
