/* A judge whose alerts are read back: under a policy that alerts about everything, or under the one
 * that comes with the program. */
#ifndef TESTS_UNIT_DAEMON_JUDGE_OF_H
#define TESTS_UNIT_DAEMON_JUDGE_OF_H

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "../../tools/daemon_check.h"
#include "../../tools/daemon_judge.h"
#include "../../tools/fields.h"
#include "daemon_event.h"
#include "policy_of.h"

static struct mw_daemon_judge *judge;
static struct mw_alerts *alerts;
static struct mw_policy *everything, *built_in;
static char scratch[64], alerts_file[96];
static json_t *last; /* the alert of the last event, or NULL */
static long alerts_end;
static uint64_t loads;
static const uint8_t *stack_part, *stream_part;

static inline uint64_t next_load(void)
{
	return ++loads;
}

static inline void make_file(const char *name, char ret[static 128])
{
	FILE *file;

	snprintf(ret, 128, "%s/%s", scratch, name);
	file = fopen(ret, "w");
	assert_non_null(file);
	fclose(file);
}

/* In a directory of packages. */
static inline const char *installed_file(void)
{
	static char path[128];
	char directory[128];

	if (!path[0]) {
		snprintf(directory, sizeof(directory), "%s/site-packages", scratch);
		assert_int_equal(mkdir(directory, 0755), 0);
		make_file("site-packages/pkg.py", path);
	}
	return path;
}

static inline const char *user_file(void)
{
	static char path[128];

	if (!path[0])
		make_file("own.py", path);
	return path;
}

static inline const char *script_beside_user_file(void)
{
	static char path[128];

	if (!path[0])
		make_file("train.py", path);
	return path;
}

static inline const char *model_beside_user_file(void)
{
	static char path[128];

	if (!path[0])
		make_file("model.pkl", path);
	return path;
}

static inline int judge_setup(void **state)
{
	static const char text[] = "version: 1\nrules: [{name: all, verdict: deny}]\n";
	struct mw_alert_options options = {.quiet = true, .mode = MW_DENY};
	struct mw_daemon_judge_options judge_options = {.most = MW_ALERT};
	struct mw_policy_build build;
	json_t *subject = json_object();
	char error[300];
	size_t size;

	(void)state;
	strcpy(scratch, "/tmp/test_daemon.XXXXXX");
	if (!mkdtemp(scratch))
		return -1;
	snprintf(alerts_file, sizeof(alerts_file), "%s/alerts", scratch);
	options.alerts_path = alerts_file;
	everything = policy_of(text, sizeof(text) - 1, MW_BUILT_IN, MW_DENY, &size, error);
	if (!everything || mw_policy_build_start(&build) ||
	    mw_policy_read_built_in(&build, error, sizeof(error)) ||
	    mw_policy_secrets_end(&build) ||
	    mw_policy_compile(&build, subject, MW_DENY, &built_in, &size, error, sizeof(error)))
		return -1;
	mw_policy_build_free(&build);
	json_decref(subject);
	judge_options.policy = everything;
	if (mw_alerts_open(&options, &alerts))
		return -1;
	judge_options.alerts = alerts;
	return mw_daemon_judge_open(&judge_options, &judge);
}

static inline int judge_teardown(void **state)
{
	char command[128];

	(void)state;
	json_decref(last);
	mw_daemon_judge_close(judge);
	mw_alerts_close(alerts);
	free(everything);
	free(built_in);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return system(command);
}

/* The alert that the event in `e` makes, or NULL. */
static inline json_t *judged(void)
{
	const struct mw_daemon_event it = {&e, stack_part, stream_part};
	char line[65536];
	FILE *file;

	assert_int_equal(mw_k_check(&e, sizeof(e)), 0);
	json_decref(last);
	last = NULL;
	mw_daemon_judge_event(judge, &it);
	file = fopen(alerts_file, "r");
	assert_non_null(file);
	fseek(file, alerts_end, SEEK_SET);
	while (fgets(line, sizeof(line), file)) {
		json_t *json = json_loads(line, 0, NULL);

		if (!json_integer_value(json_object_get(json, "update"))) {
			json_decref(last);
			last = json_incref(json);
		}
		json_decref(json);
	}
	alerts_end = ftell(file);
	fclose(file);
	return last;
}

static inline const char *text_at(const char *field)
{
	return json_string_value(mw_field(last, field));
}

#define assert_text(field, expected)                                                               \
	do {                                                                                       \
		assert_non_null(text_at(field));                                                   \
		assert_string_equal(text_at(field), expected);                                     \
	} while (0)

#define assert_cause(expected)                                                                     \
	do {                                                                                       \
		assert_non_null(judged());                                                         \
		assert_text("cause", expected);                                                    \
	} while (0)

#define assert_no_effect() assert_null(judged())

static inline bool has_fact(const char *name)
{
	const json_t *facts = mw_field(last, "effect.detail.facts");

	for (size_t i = 0; i < json_array_size(facts); i++)
		if (!strcmp(json_string_value(json_array_get(facts, i)), name))
			return true;
	return false;
}

#define assert_fact(name, expected) assert_int_equal(has_fact(name), expected)

#define assert_flag_importing(expected)                                                            \
	assert_int_equal(strstr(text_at("title"), "importing for ") != NULL, expected)

#endif
