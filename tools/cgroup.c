#include "cgroup.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define POD_UID 36
#define POD_HASH 32 /* of a static pod, which no server gave a UID */

static void copy(char out[static MW_CGROUP_ID], const char *s, size_t len)
{
	if (!len || len >= MW_CGROUP_ID)
		return;
	memcpy(out, s, len);
	out[len] = '\0';
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len >= n && !strcmp(s + len - n, end);
}

static bool is_digit(char c)
{
	return isdigit((unsigned char)c) || (c >= 'a' && c <= 'f');
}

static bool is_uid(const char *s)
{
	for (int i = 0; i < POD_UID; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' && s[i] != '_' : !is_digit(s[i]))
			return false;
	}
	return !isalnum((unsigned char)s[POD_UID]);
}

static bool is_hash(const char *s)
{
	for (int i = 0; i < POD_HASH; i++)
		if (!is_digit(s[i]))
			return false;
	return !isalnum((unsigned char)s[POD_HASH]);
}

static void copy_uid(char out[static MW_CGROUP_ID], const char *s)
{
	if (!is_uid(s) && !is_hash(s))
		return;
	copy(out, s, is_uid(s) ? POD_UID : POD_HASH);
	for (char *p = out; *p; p++)
		if (*p == '_')
			*p = '-';
}

enum slurm { NO_SLURM, IN_SLURM, IN_JOB };

/* One path, directory by directory from the root on. */
struct walk {
	struct mw_cgroup *ret;
	bool kube;   /* in the directory of all pods */
	bool owned;  /* in a unit's, which may have made what is inside */
	bool inside; /* of a container */
	enum slurm slurm;
	enum mw_cgroup_trust slurm_trust;
	char parent[MW_CGROUP_NAME], above[MW_CGROUP_NAME];
};

static enum mw_cgroup_trust trust_of(const struct walk *w)
{
	return w->owned || w->inside ? MW_CGROUP_DELEGATED : MW_CGROUP_HOST;
}

/* .../slurmstepd.scope/job_<id>/step_<id>/..., or /slurm/uid_<n>/job_<id>/... with version 1; the
 * first may have the node's name before it, the second behind. */
static void look_for_slurm(struct walk *w, const char *name)
{
	struct mw_cgroup *ret = w->ret;

	if (!ret->job[0] && (!strcmp(name, "slurm") || !strncmp(name, "slurm_", 6) ||
	                     ends_with(name, "slurmstepd.scope"))) {
		w->slurm = IN_SLURM;
		w->slurm_trust = trust_of(w);
	} else if (w->slurm == IN_SLURM && !strncmp(name, "job_", 4)) {
		copy(ret->job, name + 4, strlen(name + 4));
		ret->job_trust = ret->job[0] ? w->slurm_trust : MW_CGROUP_NOTHING;
		w->slurm = ret->job[0] ? IN_JOB : NO_SLURM;
	} else if (w->slurm == IN_JOB && !strncmp(name, "step_", 5)) {
		copy(ret->step, name + 5, strlen(name + 5));
		w->slurm = NO_SLURM;
	} else if (w->slurm != IN_SLURM || strncmp(name, "uid_", 4) != 0) {
		w->slurm = NO_SLURM;
	}
}

/* kubepods/burstable/pod<uid>, or kubepods-burstable-pod<uid>.slice with underscores for dashes. */
static void look_for_pod(struct walk *w, const char *name)
{
	const char *at = strncmp(name, "pod", 3) ? strstr(name, "-pod") : name;
	bool is_dir = at == name;

	for (const char *next = at; !is_dir && next; next = strstr(next + 1, "-pod"))
		at = next;
	w->kube = w->kube || strstr(name, "kubepods") || !strcmp(name, "..");
	if (!at || !w->kube || w->ret->pod[0] || (!is_dir && !strstr(name, "kubepods")))
		return;
	copy_uid(w->ret->pod, at + (is_dir ? 3 : 4));
	if (w->ret->pod[0])
		w->ret->container_trust = trust_of(w);
}

static bool look_for_container(struct walk *w, const char *name)
{
	struct mw_cgroup_name found;

	if (!mw_cgroup_container(name, w->parent, w->above, &found))
		return false;
	memcpy(w->ret->container, found.id, sizeof(found.id));
	w->ret->runtime = found.runtime;
	w->ret->container_trust = trust_of(w);
	w->inside = true;
	return true;
}

/* Those that run as root and make directories for others. */
static bool makes_containers(const char *unit)
{
	static const char *const units[] = {"containerd.service",  "docker.service",
	                                    "crio.service",        "kubelet.service",
	                                    "k3s.service",         "k3s-agent.service",
	                                    "rke2-server.service", "rke2-agent.service",
	                                    "podman.service",      "buildkit.service",
	                                    "slurmd.service",      "ecs.service",
	                                    "lxc.service",         "snap.lxd.daemon.service",
	                                    "incus.service"};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(unit, units[i]))
			return true;
	return ends_with(unit, "slurmstepd.scope");
}

/* As systemd reads a path: the unit is the first that is no slice. What is inside is of its own
 * making, but for the manager of a user, whose units are the user's word. */
static void look_for_unit(struct walk *w, const char *name)
{
	struct mw_cgroup *ret = w->ret;

	if (!ends_with(name, ".service") && !ends_with(name, ".scope"))
		return;
	if (!ret->unit[0])
		memcpy(ret->unit, name, strlen(name) + 1);
	else if (!ret->user_unit[0] && !strncmp(ret->unit, "user@", 5))
		memcpy(ret->user_unit, name, strlen(name) + 1);
	w->owned = w->owned || !makes_containers(name);
}

static void step_into(struct walk *w, const char *name)
{
	look_for_slurm(w, name);
	if (!w->inside) {
		look_for_pod(w, name);
		if (!look_for_container(w, name))
			look_for_unit(w, name);
	}
	memcpy(w->above, w->parent, sizeof(w->above));
	memcpy(w->parent, name, strlen(name) + 1);
}

static void read_path(const char *path, size_t len, struct mw_cgroup *ret)
{
	struct walk w = {.ret = ret};
	char name[MW_CGROUP_NAME];
	const char *end = path + len;

	*ret = (struct mw_cgroup){0};
	for (size_t n; path < end; path += n + 1) {
		const char *slash = memchr(path, '/', (size_t)(end - path));

		n = (size_t)((slash ? slash : end) - path);
		if (!n || n >= sizeof(name))
			continue;
		memcpy(name, path, n);
		name[n] = '\0';
		step_into(&w, name);
	}
}

/* What two hierarchies say. One line's container is never mixed with another's pod. */
static void merge(const struct mw_cgroup *one, struct mw_cgroup *ret)
{
	bool better = one->container_trust > ret->container_trust;

	if (one->job_trust > ret->job_trust) {
		memcpy(ret->job, one->job, sizeof(ret->job));
		memcpy(ret->step, one->step, sizeof(ret->step));
		ret->job_trust = one->job_trust;
	} else if (one->job_trust == ret->job_trust && !ret->step[0] &&
	           !strcmp(one->job, ret->job)) {
		memcpy(ret->step, one->step, sizeof(ret->step));
	}
	if (one->container_trust == ret->container_trust && one->container[0])
		better = !ret->container[0] && (!ret->pod[0] || !strcmp(ret->pod, one->pod));
	if (better) {
		memcpy(ret->container, one->container, sizeof(ret->container));
		memcpy(ret->pod, one->pod, sizeof(ret->pod));
		ret->runtime = one->runtime;
		ret->container_trust = one->container_trust;
	}
	if (!ret->unit[0]) {
		memcpy(ret->unit, one->unit, sizeof(ret->unit));
		memcpy(ret->user_unit, one->user_unit, sizeof(ret->user_unit));
	}
}

/* Which lines are read first: version 2, then systemd's. */
static int rank_of(const char *line, size_t len)
{
	if (len >= 3 && !memcmp(line, "0::", 3))
		return 0;
	return memmem(line, len, ":name=systemd:", 14) ? 1 : 2;
}

/* The path of a line begins behind the second colon; it may have more of them. */
static const char *path_of(const char *line, const char *end)
{
	for (int i = 0; i < 2 && line; i++) {
		line = memchr(line, ':', (size_t)(end - line));
		if (line)
			line++;
	}
	return line;
}

void mw_cgroup_parse(const char *text, struct mw_cgroup *ret)
{
	struct mw_cgroup one;

	*ret = (struct mw_cgroup){0};
	for (int rank = 0; rank < 3; rank++) {
		for (const char *line = text, *end; *line; line = end + (*end != '\0')) {
			const char *path;

			end = line + strcspn(line, "\n");
			path = path_of(line, end);
			if (!path || rank_of(line, (size_t)(end - line)) != rank)
				continue;
			read_path(path, (size_t)(end - path), &one);
			merge(&one, ret);
		}
	}
}

static void find_hex_id(const char *text, char out[static MW_CGROUP_ID])
{
	for (size_t n; *text; text += n ? n : 1) {
		n = 0;
		while (is_digit(text[n]))
			n++;
		if (mw_cgroup_is_hex_id(text, n) && !isalnum((unsigned char)text[n]))
			copy(out, text, n);
	}
}

static void look_at_mount(const char *root, struct mw_cgroup *ret)
{
	const char *container = strstr(root, "/containers/"), *pod = strstr(root, "/pods/");

	if (container && !ret->container[0]) {
		find_hex_id(container, ret->container);
		if (ret->container[0] && strstr(root, "/docker/containers/"))
			ret->runtime = "docker";
	}
	if (pod && !ret->pod[0])
		copy_uid(ret->pod, pod + 6);
	if (ret->container[0] || ret->pod[0])
		ret->container_trust = MW_CGROUP_MOUNTS;
}

void mw_cgroup_mounts(const char *text, struct mw_cgroup *ret)
{
	char root[512], point[64];

	if (ret->container_trust > MW_CGROUP_MOUNTS)
		return;
	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (sscanf(text, "%*s %*s %*s %511s %63s", root, point) == 2 &&
		    (!strcmp(point, "/etc/hosts") || !strcmp(point, "/etc/hostname")))
			look_at_mount(root, ret);
	}
}
