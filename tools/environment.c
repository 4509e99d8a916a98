#include "environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRELOAD "LD_PRELOAD="
#define SOCKET "MODELWATCH_SOCKET="
#define SEPARATORS ": " /* of LD_PRELOAD, see ld.so(8) */

static bool begins(const char *text, const char *word)
{
	return !strncmp(text, word, strlen(word));
}

static bool lists(const char *preload, const char *shim)
{
	size_t len = strlen(shim);

	for (const char *p = preload; *p; p += strcspn(p, SEPARATORS)) {
		p += strspn(p, SEPARATORS);
		if (begins(p, shim) && strcspn(p, SEPARATORS) == len)
			return true;
	}
	return false;
}

static char *preload_with(const char *shim)
{
	const char *before = getenv("LD_PRELOAD");
	char *text;

	if (!before)
		before = "";
	if (lists(before, shim))
		return asprintf(&text, PRELOAD "%s", before) < 0 ? NULL : text;
	if (asprintf(&text, PRELOAD "%s%s%s", shim, *before ? ":" : "", before) < 0)
		return NULL;
	return text;
}

int mw_environment(const char *shim, const char *socket, char ***ret)
{
	size_t count = 0, n = 2;
	char **all;

	if (strpbrk(shim, SEPARATORS))
		return -EINVAL;
	while (environ[count])
		count++;
	all = calloc(count + 3, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all[0] = preload_with(shim);
	if (!all[0] || asprintf(&all[1], SOCKET "%s", socket) < 0) {
		free(all[0]);
		free(all);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		if (!begins(environ[i], PRELOAD) && !begins(environ[i], SOCKET))
			all[n++] = environ[i];
	*ret = all;
	return 0;
}

void mw_environment_free(char **environment)
{
	if (!environment)
		return;
	free(environment[0]);
	free(environment[1]);
	free(environment);
}
