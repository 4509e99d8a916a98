#include "daemon_evasion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"

#define SHIM "/libmodelwatch.so"

bool mw_losers_has(const struct mw_losers *losers, uid_t uid, int64_t now)
{
	if (now < losers->all)
		return true;
	for (size_t i = 0; i < MW_LOSERS_MAX; i++)
		if (losers->one[i].uid == uid && now < losers->one[i].until)
			return true;
	return false;
}

void mw_losers_add(struct mw_losers *losers, uid_t uid, int64_t now)
{
	for (size_t i = 0; i < MW_LOSERS_MAX; i++) {
		if (losers->one[i].uid != uid && now < losers->one[i].until)
			continue;
		losers->one[i].uid = uid;
		losers->one[i].until = now + MW_MERGE_KEPT_MS;
		return;
	}
	losers->all = now + MW_MERGE_KEPT_MS;
}

static bool maps_shim(pid_t pid)
{
	char path[64], *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	in = fopen(path, "re");
	while (in && !found && getline(&line, &room, in) > 0)
		found = strstr(line, SHIM) != NULL;
	free(line);
	if (in)
		fclose(in);
	return found;
}

bool mw_evasion_shim(const struct mw_merge_effect *effect, const struct mw_member *who)
{
	if (effect->inside)
		return true;
	return maps_shim(effect->class == MW_EXEC ? who->parent : who->pid);
}

bool mw_evasion_recorded(const struct mw_supervisor *supervisor, const char *policy,
                         const json_t *alert)
{
	const char *requested = mw_field_text(alert, "requested");
	const char *cause = mw_field_text(alert, "cause");

	return !strcmp(supervisor->policy, policy) && requested && cause &&
	       strcmp(cause, mw_cause_name(MW_BY_UNKNOWN)) &&
	       (supervisor->mode == MW_OBSERVE || mw_verdict_parse(requested) >= MW_ALERT);
}
