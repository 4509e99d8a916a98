#include "secret.h"

#include <string.h>

#include "glob.h"

/* Characters of a pattern that may stand for others. */
static bool is_special(char c)
{
	return c == '*' || c == '?' || c == '\\' || c == ' ' || c == '[' || c == ']';
}

/* The part behind the last wildcard: it tells almost every pattern of the list apart. */
static bool may_end(const char *pattern, size_t len, const char *path, size_t size)
{
	while (len && size && pattern[len - 1] == path[size - 1] && !is_special(pattern[len - 1])) {
		len--;
		size--;
	}
	return !len || is_special(pattern[len - 1]);
}

/* The part before the first wildcard, compared without the matcher's bookkeeping. */
static bool may_begin(const char *pattern, const char *path)
{
	while (*pattern && *pattern == *path && !is_special(*pattern)) {
		pattern++;
		path++;
	}
	return is_special(*pattern) || (!*pattern && !*path);
}

/* Exceptions come first in the list, so that the first that matches decides. */
bool mw_is_secret(const struct mw_policy *policy, const char *path)
{
	size_t size = strlen(path), len;

	if (!policy->secrets || !size)
		return false;
	for (const char *p = (const char *)policy + policy->secrets; *p; p += len + 1) {
		bool except = *p == MW_EXCEPTION;
		const char *pattern = p + except;

		len = strlen(p);
		if (may_end(pattern, len - except, path, size) && may_begin(pattern, path) &&
		    mw_glob(pattern, path))
			return !except;
	}
	return false;
}
