#include "daemon_secrets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../core/secret.h"

static bool has_wildcard(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr("*?[\\", s[i]))
			return true;
	return false;
}

/* The name of one part of a pattern: itself, or what it ends in. */
static bool name_of(const char *part, size_t len, char ret[static MW_K_NAME])
{
	memset(ret, 0, MW_K_NAME);
	if (!len)
		return false;
	if (!has_wildcard(part, len)) {
		memcpy(ret, part, len < MW_K_NAME ? len : MW_K_NAME - 1);
		return true;
	}
	if (len <= MW_K_TAIL_BYTES || has_wildcard(part + len - MW_K_TAIL_BYTES, MW_K_TAIL_BYTES))
		return false;
	ret[0] = MW_K_TAIL;
	memcpy(ret + 1, part + len - MW_K_TAIL_BYTES, MW_K_TAIL_BYTES);
	return true;
}

/* The last part of the pattern that has one: the further in, the fewer files share it. */
static bool last_name(const char *pattern, char ret[static MW_K_NAME])
{
	const char *end = pattern + strlen(pattern);

	while (end > pattern) {
		const char *start = end;

		while (start > pattern && start[-1] != '/')
			start--;
		if (name_of(start, (size_t)(end - start), ret))
			return true;
		end = start > pattern ? start - 1 : pattern;
	}
	return false;
}

static size_t put(char names[static MW_SECRET_NAMES][MW_K_NAME], size_t count,
                  const char name[static MW_K_NAME])
{
	for (size_t i = 0; i < count; i++)
		if (!memcmp(names[i], name, MW_K_NAME))
			return count;
	if (count == MW_SECRET_NAMES)
		return count;
	memcpy(names[count], name, MW_K_NAME);
	return count + 1;
}

size_t mw_daemon_secret_names(const struct mw_policy *policy,
                              char ret[static MW_SECRET_NAMES][MW_K_NAME], size_t *ret_without)
{
	const char *pattern = policy->secrets ? mw_policy_text_at(policy, policy->secrets) : "";
	char name[MW_K_NAME];
	size_t count = 0;

	*ret_without = 0;
	for (; *pattern; pattern += strlen(pattern) + 1) {
		if (*pattern == MW_EXCEPTION)
			continue;
		if (last_name(pattern, name))
			count = put(ret, count, name);
		else
			++*ret_without;
	}
	return count;
}

int mw_daemon_secrets(struct mw_programs *programs, const struct mw_policy *policy)
{
	char(*names)[MW_K_NAME] = calloc(MW_SECRET_NAMES, sizeof(*names));
	const char *list[MW_SECRET_NAMES];
	size_t count, without;
	int error;

	if (!names)
		return -ENOMEM;
	count = mw_daemon_secret_names(policy, names, &without);
	for (size_t i = 0; i < count; i++)
		list[i] = names[i];
	error = mw_programs_secrets(programs, list, count);
	free(names);
	return error;
}
