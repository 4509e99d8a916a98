#include "daemon_setup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/words.h"
#include "../courier/sink_config.h"
#include "expand.h"
#include "policy_file.h"

__attribute__((format(printf, 4, 5))) static int wrong(int error, char *why, size_t why_size,
                                                       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_size, format, args);
	va_end(args);
	return error;
}

/* `file` as it is found from `here`. */
static int place(const char *file, const char *here, char ret[static PATH_MAX])
{
	int len = *file == '/' ? snprintf(ret, PATH_MAX, "%s", file)
	                       : snprintf(ret, PATH_MAX, "%s/%s", here, file);

	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_config(struct mw_daemon_setup *setup, const struct mw_daemon_options *options,
                       const char *here, char *why, size_t why_size)
{
	char path[PATH_MAX];

	if (!options->config)
		return mw_daemon_config_read(&setup->config, NULL, why, why_size);
	if (place(options->config, here, path))
		return wrong(-ENAMETOOLONG, why, why_size, "--config=%s: it is too long",
		             options->config);
	return mw_daemon_config_read(&setup->config, path, why, why_size);
}

static int find_alerts(struct mw_daemon_setup *setup, const struct mw_daemon_options *options,
                       const char *here, char *why, size_t why_size)
{
	const char *text = options->alerts ? options->alerts : setup->config.alerts;
	char path[PATH_MAX];
	int error;

	if (!text)
		return 0;
	error = mw_expand(text, path);
	if (!error)
		error = place(path, here, setup->alerts);
	if (error == -ENOENT)
		return wrong(error, why, why_size,
		             "alerts: %s: the environment variable is not set", text);
	if (error == -EINVAL)
		return wrong(error, why, why_size, "alerts: %s: after %% comes h, p, q{VAR} or %%",
		             text);
	return error ? wrong(error, why, why_size, "alerts: %s: it is too long", text) : 0;
}

/* A process of nobody in particular: rules for one user, job or container are for others than the
 * host's daemon can say when it starts. */
static json_t *subject(json_t *labels)
{
	return json_pack("{s:n, s:n, s:n, s:O}", "user", "job", "container", "labels", labels);
}

static int compile(struct mw_daemon_setup *setup, struct mw_policy_build *rules, char *why,
                   size_t why_size)
{
	json_t *who;
	int error;

	if (json_object_update(rules->labels, setup->config.labels) ||
	    json_object_update(setup->config.labels, rules->labels) ||
	    mw_sinks_merge(rules->sinks, setup->config.sinks) ||
	    mw_sinks_merge(setup->config.sinks, rules->sinks))
		return wrong(-ENOMEM, why, why_size, "not enough memory");
	who = subject(rules->labels);
	if (!who)
		return wrong(-ENOMEM, why, why_size, "not enough memory");
	error = mw_policy_compile(rules, who, setup->mode, &setup->policy, &setup->policy_size, why,
	                          why_size);
	json_decref(who);
	return error;
}

static int read_policy(struct mw_daemon_setup *setup, const struct mw_daemon_options *options,
                       const char *here, char *why, size_t why_size)
{
	struct mw_policy_build rules;
	char path[PATH_MAX];
	int error = 0;

	if (options->policy && place(options->policy, here, path))
		return wrong(-ENAMETOOLONG, why, why_size, "--policy=%s: it is too long",
		             options->policy);
	if (mw_policy_build_start_for_host(&rules))
		error = wrong(-ENOMEM, why, why_size, "not enough memory");
	if (!error)
		error = mw_policy_read_for_host(&rules, setup->config.policies,
		                                options->policy ? path : NULL, why, why_size);
	if (!error)
		error = compile(setup, &rules, why, why_size);
	mw_policy_build_free(&rules);
	for (size_t i = 0; !error && i < sizeof(setup->policy->digest); i++)
		snprintf(setup->digest + 2 * i, 3, "%02x", setup->policy->digest[i]);
	return error;
}

int mw_daemon_setup_read(struct mw_daemon_setup *setup, const struct mw_daemon_options *options,
                         const char *here, char *why, size_t why_size)
{
	int error;

	*setup = (struct mw_daemon_setup){.policy = NULL};
	error = read_config(setup, options, here, why, why_size);
	if (error)
		return error;
	if (options->mode)
		setup->config.mode = options->mode;
	setup->mode = setup->config.mode > MW_DENY ? MW_DENY : setup->config.mode;
	error = find_alerts(setup, options, here, why, why_size);
	return error ? error : read_policy(setup, options, here, why, why_size);
}

void mw_daemon_setup_free(struct mw_daemon_setup *setup)
{
	mw_daemon_config_free(&setup->config);
	free(setup->policy);
	*setup = (struct mw_daemon_setup){.policy = NULL};
}

/* What the engine and the sockets were opened with. */
static const char *fixed(const struct mw_daemon_config *a, const struct mw_daemon_config *b)
{
	if (strcmp(a->control_socket, b->control_socket) != 0)
		return "control";
	if (strcmp(a->report_socket, b->report_socket) != 0 ||
	    a->reports_per_minute != b->reports_per_minute)
		return "reports";
	if (!json_equal(a->interpreters, b->interpreters))
		return "interpreters";
	if (a->hold_new_interpreters != b->hold_new_interpreters)
		return "hold_new_interpreters";
	if (a->file_writes != b->file_writes)
		return "file_writes";
	if (a->outlives != b->outlives || !json_equal(a->cgroups, b->cgroups))
		return "refusing";
	if (a->cri_sockets != b->cri_sockets && !json_equal(a->cri_sockets, b->cri_sockets))
		return "cri";
	return a->ring_bytes != b->ring_bytes ? "ring" : NULL;
}

#define SWAP(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) kept = (a);                                                          \
		(a) = (b);                                                                         \
		(b) = kept;                                                                        \
	} while (0)

const char *mw_daemon_setup_change(struct mw_daemon_setup *setup, struct mw_daemon_setup *fresh)
{
	struct mw_daemon_config *old = &setup->config, *new = &fresh->config;

	SWAP(old->mode, new->mode);
	SWAP(old->storm, new->storm);
	SWAP(old->policies, new->policies);
	SWAP(old->alerts, new->alerts);
	SWAP(old->metrics_listen, new->metrics_listen);
	SWAP(old->metrics_textfile, new->metrics_textfile);
	SWAP(old->labels, new->labels);
	SWAP(old->sinks, new->sinks);
	SWAP(setup->policy, fresh->policy);
	SWAP(setup->policy_size, fresh->policy_size);
	SWAP(setup->mode, fresh->mode);
	memcpy(setup->digest, fresh->digest, sizeof(setup->digest));
	memcpy(setup->alerts, fresh->alerts, sizeof(setup->alerts));
	return fixed(old, new);
}
