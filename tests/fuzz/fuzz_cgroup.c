/* Any text as /proc/<pid>/cgroup and as mountinfo: every name is a string of the text, and what is
 * inside of a container changes nothing of what was found around it. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/cgroup.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_string(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static void check(const struct mw_cgroup *c, const char *text)
{
	bool has_container = c->container[0] || c->pod[0];

	if (!is_string(c->job, sizeof(c->job)) || !is_string(c->step, sizeof(c->step)) ||
	    !is_string(c->container, sizeof(c->container)) || !is_string(c->pod, sizeof(c->pod)) ||
	    !is_string(c->unit, sizeof(c->unit)) || !is_string(c->user_unit, sizeof(c->user_unit)))
		abort();
	if (has_container != (c->container_trust != MW_CGROUP_NOTHING) ||
	    (c->job[0] != '\0') != (c->job_trust != MW_CGROUP_NOTHING))
		abort();
	if (!strstr(text, c->unit) || !strstr(text, c->user_unit) || !strstr(text, c->job) ||
	    !strstr(text, c->step))
		abort();
	if ((c->step[0] && !c->job[0]) || (c->user_unit[0] && !c->unit[0]) ||
	    (c->runtime && !c->container[0]))
		abort();
}

/* As the last directories of a container's. */
static void inside(const char *text)
{
	static const char outer[] =
	        "0::/system.slice/"
	        "docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope";
	char path[TEXT_MAX + sizeof(outer) + 1];
	struct mw_cgroup bare, with;

	mw_cgroup_parse(outer, &bare);
	snprintf(path, sizeof(path), "%s/%.*s", outer, (int)strcspn(text, "\n"), text);
	mw_cgroup_parse(path, &with);
	if (strcmp(bare.container, with.container) != 0 || with.pod[0] || with.unit[0] ||
	    with.user_unit[0] || with.container_trust != MW_CGROUP_HOST ||
	    with.job_trust == MW_CGROUP_HOST)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_cgroup cgroup;
	char *text;

	if (size > TEXT_MAX)
		return 0;
	/* Of its own, so that reading past it is seen. */
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	mw_cgroup_parse(text, &cgroup);
	check(&cgroup, text);
	inside(text);
	mw_cgroup_mounts(text, &cgroup);
	check(&cgroup, text);
	free(text);
	return 0;
}
