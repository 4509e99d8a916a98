#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
