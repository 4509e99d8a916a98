#include "alerts_spool.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../courier/sink_config.h"
#include "daemon_config.h"
#include "fields.h"
#include "policy_file.h"
#include "when.h"

bool mw_alerts_where(struct mw_alerts_where *where, int id, const char *value)
{
	if (id == MW_WHERE_SPOOL)
		where->spool = value;
	else if (id == MW_WHERE_POLICY)
		where->policy = value;
	else if (id == MW_WHERE_DAEMON)
		where->is_daemon = true;
	else
		return false;
	return true;
}

static int policy_sinks(const char *policy, json_t *into, char *why, size_t why_size)
{
	struct mw_policy_build rules;
	int error = mw_policy_build_start(&rules);

	if (!error)
		error = mw_policy_read(&rules, policy, why, why_size);
	if (!error)
		error = mw_sinks_merge(into, rules.sinks);
	mw_policy_build_free(&rules);
	return error;
}

/* There is none where nobody has configured the daemon. */
static int daemon_sinks(json_t *into, char *why, size_t why_size)
{
	struct mw_daemon_config config;
	int error;

	if (access(MW_DAEMON_CONFIG, R_OK) != 0)
		return 0;
	error = mw_daemon_config_read(&config, NULL, why, why_size);
	if (!error)
		error = mw_sinks_merge(into, config.sinks);
	mw_daemon_config_free(&config);
	return error;
}

/* What `run` or the daemon is told to use, or by itself would. Returns 0 or the exit status. */
static int find_path(const struct mw_alerts_where *where, char path[static PATH_MAX])
{
	struct mw_sinks_config config = {.count = 0};
	struct mw_spool_options options;
	char why[1024] = "not enough memory";
	json_t *sinks = mw_sinks_json();
	int error = sinks ? 0 : -ENOMEM;

	if (!error)
		error = where->is_daemon ? daemon_sinks(sinks, why, sizeof(why))
		                         : policy_sinks(where->policy, sinks, why, sizeof(why));
	if (!error)
		error = mw_sinks_read(sinks, &config, why, sizeof(why));
	if (!error && config.spool.path) {
		snprintf(path, PATH_MAX, "%s", config.spool.path);
	} else if (!error && mw_spool_defaults(&options, where->is_daemon, path)) {
		error = -ENOENT;
		strcpy(why, "there is no HOME where the spool would be; name it with --spool");
	}
	mw_sinks_free(&config);
	json_decref(sinks);
	return error ? mw_say("%s", why) : 0;
}

int mw_alerts_open_spool(const struct mw_alerts_where *where, struct mw_spool **ret)
{
	struct mw_spool_options options;
	char path[PATH_MAX] = "", unused[PATH_MAX], absolute[PATH_MAX], why[1024];
	int status = 0;

	if (where->spool)
		snprintf(path, sizeof(path), "%s", where->spool);
	else
		status = find_path(where, path);
	if (status)
		return status;
	if (access(path, F_OK) != 0) {
		mw_say("%s: %s", path,
		       errno == ENOENT ? "no spool: nothing was kept here for a sink"
		                       : strerror(errno));
		return 1;
	}
	if (!realpath(path, absolute))
		return mw_say("%s: %s", path, strerror(errno));
	mw_spool_defaults(&options, true, unused);
	options.is_there = true;
	options.path = *path == '/' ? path : absolute;
	if (mw_spool_open(&options, ret, why, sizeof(why)))
		return mw_say("%s", why);
	return 0;
}

bool mw_alerts_prefix(const char *word, char ret[static MW_UID_TEXT])
{
	size_t len = strlen(word);

	if (!len || len >= MW_UID_TEXT || strspn(word, "0123456789abcdefABCDEF-") != len)
		return false;
	for (size_t i = 0; i <= len; i++)
		ret[i] = (char)tolower((unsigned char)word[i]);
	return true;
}

static void put(struct mw_text *out, const json_t *record, const char *path, size_t max)
{
	const char *text = mw_field_text(record, path);

	if (text)
		mw_text_shown(out, text, strlen(text), max);
}

void mw_alerts_title(struct mw_text *out, const json_t *record, size_t max)
{
	uint64_t count = 0;

	if (mw_field_text(record, "title")) {
		put(out, record, "title", max);
		if (mw_field_number(record, "count", &count) && count > 1)
			mw_text_add(out, " (%llu times)", (unsigned long long)count);
	} else if (mw_field_text(record, "reason")) {
		mw_field_number(record, "count", &count);
		mw_text_add(out, "lost, %llu times: ", (unsigned long long)count);
		put(out, record, "reason", max);
	} else {
		put(out, record, "schema", max);
	}
}

void mw_alerts_head(struct mw_text *out, const struct mw_spool_entry *entry)
{
	const char *text = mw_field_text(entry->record, "time");
	char time[MW_WHEN_TEXT];
	int64_t when;

	if (text && !mw_when_rfc3339(text, &when)) {
		mw_when_text(when, time);
		mw_text_add(out, "%.10s %.8sZ  ", time, time + 11);
	} else {
		mw_text_add(out, "%-20s  ", "-");
	}
	mw_text_add(out, "%-8s  ", mw_severity_name(entry->severity));
	if (mw_field_text(entry->record, "id"))
		put(out, entry->record, "id", MW_UID_TEXT);
	else
		mw_text_add(out, "%s", entry->uid);
	mw_text_add(out, "  ");
}
