#include "sink_read.h"

#include <stddef.h>
#include <unistd.h>

#include "../courier/sink_config.h"
#include "daemon_config.h"
#include "policy_file.h"
#include "say.h"

/* The daemon's, where there is one that we may read. */
static int read_config(const char *path, json_t *into, char *why, size_t why_size)
{
	struct mw_daemon_config config;
	int error;

	if (!path && access(MW_DAEMON_CONFIG, R_OK) != 0)
		return 0;
	error = mw_daemon_config_read(&config, path, why, why_size);
	if (!error)
		error = mw_sinks_merge(into, config.sinks);
	mw_daemon_config_free(&config);
	return error;
}

int mw_sink_read(const char *policy, const char *path, json_t **ret)
{
	struct mw_policy_build rules;
	char why[1024] = "not enough memory";
	int error = mw_policy_build_start(&rules);

	if (!error)
		error = mw_policy_read(&rules, policy, why, sizeof(why));
	if (!error)
		error = read_config(path, rules.sinks, why, sizeof(why));
	*ret = error ? NULL : json_incref(rules.sinks);
	mw_policy_build_free(&rules);
	return error ? mw_say("%s", why) : 0;
}
