/* Who a rule is for. Tried once, when the image is made: a job does not change its user, its
 * scheduler's number or its container. */
#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "../core/glob.h"
#include "policy_build.h"

static bool any_matches(const struct mw_policy_build *build, uint32_t list, const char *text)
{
	return text && mw_glob_any(build->text.data + list, text);
}

static bool number_matches(const struct mw_policy_build *build, uint32_t list, const json_t *number)
{
	char text[24];

	if (!json_is_integer(number))
		return false;
	snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(number));
	return any_matches(build, list, text);
}

static bool user_matches(const struct mw_policy_build *build, uint32_t list, const json_t *user)
{
	return number_matches(build, list, json_object_get(user, "uid")) ||
	       any_matches(build, list, json_string_value(json_object_get(user, "name")));
}

static bool group_matches(const struct mw_policy_build *build, uint32_t list, const json_t *user)
{
	const json_t *groups = json_object_get(user, "groups");

	for (size_t i = 0; i < json_array_size(groups); i++) {
		const json_t *gid = json_array_get(groups, i);
		char buffer[4096];
		struct group entry, *found = NULL;

		if (number_matches(build, list, gid))
			return true;
		getgrgid_r((gid_t)json_integer_value(gid), &entry, buffer, sizeof(buffer), &found);
		if (found && any_matches(build, list, found->gr_name))
			return true;
	}
	return false;
}

static bool job_matches(const struct mw_policy_build *build, uint32_t list, const json_t *job)
{
	const char *kind = json_string_value(json_object_get(job, "kind"));
	const char *id = json_string_value(json_object_get(job, "id"));
	char text[256];

	if (!kind || !id)
		return false;
	snprintf(text, sizeof(text), "%s:%s", kind, id);
	return any_matches(build, list, text);
}

static bool labels_match(const struct mw_policy_build *build, uint32_t list, json_t *labels)
{
	const char *key;
	json_t *value;

	json_object_foreach(labels, key, value)
	{
		char text[512];

		snprintf(text, sizeof(text), "%s=%s", key,
		         json_is_string(value) ? json_string_value(value) : "");
		if (any_matches(build, list, text))
			return true;
	}
	return false;
}

static bool matches(const struct mw_policy_build *build, const struct mw_who_condition *condition,
                    const json_t *subject)
{
	const json_t *user = json_object_get(subject, "user");
	const json_t *container = json_object_get(subject, "container");
	const json_t *pod = json_object_get(container, "pod");
	uint32_t list = condition->values;

	switch (condition->who) {
	case MW_WHO_USER:
		return user_matches(build, list, user);
	case MW_WHO_GROUP:
		return group_matches(build, list, user);
	case MW_WHO_JOB:
		return job_matches(build, list, json_object_get(subject, "job"));
	case MW_WHO_IMAGE:
		return any_matches(build, list,
		                   json_string_value(json_object_get(container, "image")));
	case MW_WHO_NAMESPACE:
		return any_matches(build, list,
		                   json_string_value(json_object_get(pod, "namespace")));
	case MW_WHO_LABELS:
		return labels_match(build, list, json_object_get(subject, "labels"));
	}
	return false;
}

bool mw_policy_is_for(const struct mw_policy_build *build, const struct mw_policy_item *item,
                      const json_t *subject)
{
	const struct mw_who_condition *whos = (const void *)build->whos.data;

	for (uint32_t i = 0; i < item->who_count; i++)
		if (!matches(build, &whos[item->who + i], subject))
			return false;
	return true;
}
