/* A spool in a folder of its own, whose hours are the test's, and alerts for it. */
#ifndef MW_TESTS_SPOOL_OF_H
#define MW_TESTS_SPOOL_OF_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../courier/spool.h"
#include "../../tools/uuid.h"
#include "../../tools/when.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define START (INT64_C(1790000000) * SECOND)

struct spool_of {
	char folder[64], path[PATH_MAX];
	int64_t now;
	struct mw_spool_options options;
	struct mw_spool *spool;
};

static inline int64_t spool_clock(void *context)
{
	return *(int64_t *)context;
}

static inline void spool_reopen(struct spool_of *s)
{
	char why[512] = "";

	mw_spool_close(s->spool);
	s->spool = NULL;
	if (mw_spool_open(&s->options, &s->spool, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline int spool_setup(void **state)
{
	struct spool_of *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	strcpy(s->folder, "/tmp/mw-spool-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	setenv("XDG_STATE_HOME", s->folder, 1);
	assert_int_equal(mw_spool_defaults(&s->options, false, s->path), 0);
	s->now = START;
	s->options.clock = spool_clock;
	s->options.clock_context = &s->now;
	s->options.per_rule_minute = s->options.per_artifact_minute = 0;
	spool_reopen(s);
	*state = s;
	return 0;
}

static inline int spool_teardown(void **state)
{
	struct spool_of *s = *state;
	char command[128];
	int status;

	mw_spool_close(s->spool);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->folder);
	status = system(command);
	free(s);
	return status;
}

/* An alert of `rule` about `program`, by the stream `stream`. */
static inline json_t *spool_alert(const struct spool_of *s, const char *rule, const char *severity,
                                  const char *stream, const char *program)
{
	char id[MW_UUID_TEXT], time[MW_WHEN_TEXT];
	json_t *json;

	mw_uuid(s->now, id);
	mw_when_text(s->now, time);
	json = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i,"
	                 " s:{s:s, s:{s:s, s:s, s:[s]}}, s:{s:s, s:{s:s, s:n, s:s}},"
	                 " s:{s:i}, s:{s:i}, s:n}",
	                 "schema", "modelwatch.alert/1", "id", id, "update", 0, "time", time,
	                 "rule", rule, "title", "a file tried something", "severity", severity,
	                 "requested", "deny", "outcome", "prevented", "evasion", 0, "count", 1,
	                 "effect", "class", "exec", "detail", "op", "os.system", "path", program,
	                 "argv", "x", "load", "call", "posix.system", "artifact", "path",
	                 "/models/a.pt", "member", "stream_sha256", stream, "process", "pid",
	                 (int)getpid(), "user", "uid", 1000, "reporter");
	assert_non_null(json);
	return json;
}

/* Adds one record, whose reference it takes. */
static inline int spool_put(struct spool_of *s, json_t *record)
{
	int error = mw_spool_add(s->spool, NULL, &record, 1);

	json_decref(record);
	return error;
}

/* The text at a path of two names at most. */
static inline const char *spool_text(const struct mw_spool_entry *entry, const char *a,
                                     const char *b)
{
	json_t *at = json_object_get(entry->record, a);

	return json_string_value(b ? json_object_get(at, b) : at);
}

static inline int64_t spool_number(const struct mw_spool_entry *entry, const char *name)
{
	return json_integer_value(json_object_get(entry->record, name));
}

#endif
