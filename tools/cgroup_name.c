/* How the runtimes call the directory of a container. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"

#define HEX_ID 64
#define BUILD_ID 25 /* of buildkit */

#define HEX "0123456789abcdef"
#define LOWER HEX "ghijklmnopqrstuvwxyz"

static bool is_all(const char *s, const char *set, size_t len)
{
	return strlen(s) == len && strspn(s, set) == len;
}

int mw_cgroup_is_hex_id(const char *s, size_t len)
{
	return len == HEX_ID && strspn(s, HEX) >= HEX_ID;
}

static bool is_hex_id(const char *s)
{
	return is_all(s, HEX, HEX_ID);
}

static int found(struct mw_cgroup_name *ret, const char *runtime, const char *id)
{
	size_t len = strlen(id);

	if (!len || len >= sizeof(ret->id))
		return 0;
	ret->runtime = runtime;
	memcpy(ret->id, id, len + 1);
	return 1;
}

/* PREFIX-ID.scope by systemd, PREFIX-ID by hand, and SLICE:PREFIX:ID when one was asked for and the
 * other got it. */
static const struct {
	const char *prefix, *runtime;
} prefixes[] = {
        {"docker", "docker"}, {"cri-containerd", "containerd"},
        {"crio", "cri-o"},    {"nerdctl", "containerd"},
        {"libpod", "podman"}, {"runc", NULL},
        {"crun", NULL},
};

static int by_prefix(const char *prefix, size_t len, const char *id, struct mw_cgroup_name *ret)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		if (strlen(prefixes[i].prefix) != len || strncmp(prefixes[i].prefix, prefix, len))
			continue;
		if (is_hex_id(id))
			return found(ret, prefixes[i].runtime, id);
		/* What Docker builds with. */
		return !i && is_all(id, LOWER, BUILD_ID) ? found(ret, "buildkit", id) : 0;
	}
	return 0;
}

static int from_scope(char *name, struct mw_cgroup_name *ret)
{
	size_t len = strlen(name);
	char *dash, *colon = strrchr(name, ':');

	if (colon && colon != name) {
		const char *prefix = colon;

		while (prefix > name && prefix[-1] != ':')
			prefix--;
		return by_prefix(prefix, (size_t)(colon - prefix), colon + 1, ret);
	}
	if (len > 6 && !strcmp(name + len - 6, ".scope"))
		name[len - 6] = '\0';
	dash = strrchr(name, '-');
	return dash ? by_prefix(name, (size_t)(dash - name), dash + 1, ret) : 0;
}

/* systemd's way of writing what a unit's name cannot have: \x2d. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] == 'x' && isxdigit((unsigned char)s[2]) &&
		    isxdigit((unsigned char)s[3])) {
			const char digits[] = {s[2], s[3], '\0'};
			char c = (char)strtoul(digits, NULL, 16);

			*out++ = c ? c : '?';
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static bool cut(char **name, const char *prefix, const char *suffix)
{
	size_t len = strlen(*name), start = strlen(prefix), end = strlen(suffix);

	if (len <= start + end || strncmp(*name, prefix, start) ||
	    strcmp(*name + len - end, suffix) != 0)
		return false;
	(*name)[len - end] = '\0';
	*name += start;
	return true;
}

/* machine-NAME.scope, as systemd-machined calls it, and the unit of a machine that is started at
 * boot. libvirt's are machine-lxc-NUMBER-NAME, and machine-qemu-... for what is no container. */
static int from_machine(char *name, struct mw_cgroup_name *ret)
{
	if (cut(&name, "systemd-nspawn@", ".service")) {
		unescape(name);
		return found(ret, "nspawn", name);
	}
	if (!cut(&name, "machine-", ".scope"))
		return 0;
	unescape(name);
	if (!strncmp(name, "qemu-", 5))
		return 0;
	if (strncmp(name, "lxc-", 4) != 0)
		return found(ret, "nspawn", name);
	name += 4;
	name += strspn(name, "0123456789");
	return *name == '-' ? found(ret, "lxc", name + 1) : 0;
}

static int from_lxc(const char *name, const char *parent, struct mw_cgroup_name *ret)
{
	if (!strncmp(name, "lxc.payload.", 12))
		return found(ret, "lxc", name + 12);
	if (!strcmp(parent, "lxc") || !strcmp(parent, "lxc.payload"))
		return found(ret, "lxc", name);
	return 0;
}

static bool is_garden(const char *name)
{
	return !strcmp(name, "garden") || !strncmp(name, "garden-", 7);
}

/* Cloud Foundry's, which sorts them by how much they take. */
static int from_garden(const char *name, const char *parent, const char *above,
                       struct mw_cgroup_name *ret)
{
	bool sorted = !strcmp(parent, "good") || !strcmp(parent, "bad");

	if (!is_garden(parent) && !(sorted && is_garden(above)))
		return 0;
	if (strlen(name) < 8 || strspn(name, LOWER "-") != strlen(name))
		return 0;
	return found(ret, "garden", name);
}

/* ecs/TASK/ID; the ID of Fargate is the task's and a number. */
static int from_ecs(const char *name, const char *above, struct mw_cgroup_name *ret)
{
	size_t digits = strspn(name, HEX);

	if (strcmp(above, "ecs") != 0)
		return 0;
	if (is_hex_id(name))
		return found(ret, "docker", name);
	if (digits == 32 && name[32] == '-' && name[33] &&
	    name[33 + strspn(name + 33, "0123456789")] == '\0')
		return found(ret, "containerd", name);
	return 0;
}

/* A directory called ID in one that says whose. */
static int from_parent(const char *name, const char *parent, struct mw_cgroup_name *ret)
{
	if (!strcmp(parent, "buildkit") && is_all(name, LOWER, BUILD_ID))
		return found(ret, "buildkit", name);
	/* podman's own directory, in which this is a pod. */
	if (!is_hex_id(name) || !strcmp(parent, "libpod_parent"))
		return 0;
	if (!strcmp(parent, "docker"))
		return found(ret, "docker", name);
	return found(ret, strcmp(parent, "k8s.io") ? NULL : "containerd", name);
}

int mw_cgroup_container(const char *name, const char *parent, const char *above,
                        struct mw_cgroup_name *ret)
{
	char text[MW_CGROUP_NAME];

	*ret = (struct mw_cgroup_name){0};
	snprintf(text, sizeof(text), "%s", name);
	if (from_scope(text, ret))
		return 1;
	snprintf(text, sizeof(text), "%s", name);
	if (!strcmp(parent, "machine.slice") && from_machine(text, ret))
		return 1;
	return from_lxc(name, parent, ret) || from_garden(name, parent, above, ret) ||
	       from_ecs(name, above, ret) || from_parent(name, parent, ret);
}
