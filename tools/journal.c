#include "journal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int mw_journal_path(char *out, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	const char *base = "";
	int used;

	if (!state || *state != '/') {
		if (!home || *home != '/')
			return -ENOENT;
		state = home;
		base = "/.local/state";
	}
	used = snprintf(out, size, "%s%s/modelwatch/alerts.jsonl", state, base);
	return used < 0 || (size_t)used >= size ? -ENAMETOOLONG : 0;
}

void mw_journal_prepare(const char *path)
{
	char text[PATH_MAX], aside[PATH_MAX + 2];
	struct stat st;

	if (strlen(path) >= sizeof(text))
		return;
	strcpy(text, path);
	for (char *slash = strchr(text + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(text, 0700);
		*slash = '/';
	}
	snprintf(aside, sizeof(aside), "%s.1", path);
	if (!lstat(path, &st) && S_ISREG(st.st_mode) && st.st_size > MW_JOURNAL_MAX)
		rename(path, aside);
}
