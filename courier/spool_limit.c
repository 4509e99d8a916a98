/* How many new findings go out: a bucket of tokens for each rule and each artifact. Each severity
 * has buckets of its own, so that noise does not use up what something worse needs. */
#include <stdio.h>

#include "spool_parts.h"

#define MINUTE 60e9 /* ns */

struct bucket {
	char name[128];
	double level; /* now */
};

/* A bucket that nobody has drawn from is full: a minute's worth; so is one of a time that is yet to
 * come, after the clock was set back. */
static bool has_token(struct mw_spool *spool, struct bucket *bucket, uint32_t per_minute,
                      int64_t now)
{
	sqlite3_stmt *statement;
	double elapsed;

	if (!per_minute)
		return true;
	bucket->level = per_minute;
	statement = mw_sql_start(spool, "SELECT tokens, time FROM buckets WHERE name = ?", "s",
	                         bucket->name);
	if (mw_sql_step(spool, statement)) {
		elapsed = (double)(now - sqlite3_column_int64(statement, 1));
		if (elapsed < 0)
			elapsed = elapsed < -MINUTE ? MINUTE : 0;
		bucket->level = sqlite3_column_double(statement, 0) + elapsed / MINUTE * per_minute;
		mw_sql_stop(statement);
	}
	if (bucket->level > per_minute)
		bucket->level = per_minute;
	return bucket->level >= 1;
}

static void draw(struct mw_spool *spool, const struct bucket *bucket, uint32_t per_minute,
                 int64_t now)
{
	if (per_minute)
		mw_sql_do(spool, "INSERT OR REPLACE INTO buckets VALUES(?, ?, ?)", "sfi",
		          bucket->name, bucket->level - 1, now);
}

bool mw_spool_token(struct mw_spool *spool, const struct mw_spool_facts *facts)
{
	const struct mw_spool_options *options = &spool->options;
	int64_t now = mw_spool_now(spool);
	struct bucket rule, artifact;

	snprintf(rule.name, sizeof(rule.name), "rule %d %s", (int)facts->severity, facts->rule);
	snprintf(artifact.name, sizeof(artifact.name), "artifact %d %s", (int)facts->severity,
	         facts->artifact);
	if (!has_token(spool, &rule, options->per_rule_minute, now) ||
	    !has_token(spool, &artifact, options->per_artifact_minute, now))
		return false;
	draw(spool, &rule, options->per_rule_minute, now);
	draw(spool, &artifact, options->per_artifact_minute, now);
	return true;
}
