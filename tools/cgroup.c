#include "cgroup.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONTAINER_DIGITS 64
#define POD_LEN 36

static void copy(char out[static MW_CGROUP_ID], const char *s, size_t len)
{
	if (!len || len >= MW_CGROUP_ID)
		return;
	memcpy(out, s, len);
	out[len] = '\0';
}

static size_t word_len(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '-')
		n++;
	return n;
}

/* .../slurmstepd.scope/job_<id>/step_<id>/..., or .../slurm/uid_<n>/job_<id>/... with cgroup v1. */
static void find_slurm(const char *text, struct mw_cgroup *ret)
{
	const char *at = strstr(text, "slurm"), *job, *step;

	job = at ? strstr(at, "/job_") : NULL;
	if (!job)
		return;
	copy(ret->job, job + 5, word_len(job + 5));
	step = job + 5 + word_len(job + 5);
	if (!strncmp(step, "/step_", 6))
		copy(ret->step, step + 6, word_len(step + 6));
}

static bool is_digit(char c)
{
	return isdigit((unsigned char)c) || (c >= 'a' && c <= 'f');
}

/* docker-<id>.scope, cri-containerd-<id>.scope, crio-, libpod-, or a directory called <id>: every
 * runtime names it by 64 hexadecimal digits, and nothing else is named so. The last is the
 * innermost. */
static void find_container(const char *text, struct mw_cgroup *ret)
{
	for (size_t n; *text; text += n ? n : 1) {
		n = 0;
		while (is_digit(text[n]))
			n++;
		if (n == CONTAINER_DIGITS && !isalnum((unsigned char)text[n]))
			copy(ret->container, text, n);
	}
}

static bool is_uid(const char *s)
{
	for (int i = 0; i < POD_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' && s[i] != '_' : !is_digit(s[i]))
			return false;
	}
	return true;
}

/* kubepods/burstable/pod<uid>/..., kubepods-burstable-pod<uid>.slice with underscores for dashes.
 */
static void find_pod(const char *text, struct mw_cgroup *ret)
{
	const char *at = strstr(text, "kubepods");

	for (; at; at = strstr(at + 1, "pod")) {
		if (strncmp(at, "pod", 3) || !is_uid(at + 3))
			continue;
		copy(ret->pod, at + 3, POD_LEN);
		for (char *p = ret->pod; *p; p++)
			if (*p == '_')
				*p = '-';
		return;
	}
}

void mw_cgroup_parse(const char *text, struct mw_cgroup *ret)
{
	*ret = (struct mw_cgroup){0};
	find_slurm(text, ret);
	find_container(text, ret);
	find_pod(text, ret);
}

static void look_at_mount(const char *root, struct mw_cgroup *ret)
{
	const char *container = strstr(root, "/containers/"), *pod = strstr(root, "/pods/");

	if (container && !ret->container[0])
		find_container(container, ret);
	if (pod && !ret->pod[0] && is_uid(pod + 6))
		copy(ret->pod, pod + 6, POD_LEN);
}

void mw_cgroup_mounts(const char *text, struct mw_cgroup *ret)
{
	char root[512], point[64];

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (sscanf(text, "%*s %*s %*s %511s %63s", root, point) == 2 &&
		    (!strcmp(point, "/etc/hosts") || !strcmp(point, "/etc/hostname")))
			look_at_mount(root, ret);
	}
}
