/* What leaves: what every sink has and was kept long enough, what is too old, and, where there is
 * too much, first what every sink has and then the least severe. What leaves before every sink has
 * it is a loss. */
#include <string.h>

#include "spool_parts.h"

#define LEAVE_MAX 20000 /* of one transaction */
#define EXPIRE_NS INT64_C(10000000000)
#define MINUTE INT64_C(60000000000)

/* The last entry that every sink has: -1 where there is no sink. */
static int64_t delivered(struct mw_spool *spool)
{
	return mw_sql_number(spool, -1, "SELECT MIN(sequence) FROM cursors WHERE active", "");
}

static void remove_entry(struct mw_spool *spool, int64_t sequence)
{
	mw_sql_do(spool, "DELETE FROM entries WHERE sequence = ?", "i", sequence);
}

/* With a record of a loss that leaves goes nothing that it told. */
static int64_t told_by(const char *record, const char *name)
{
	json_t *json = json_loads(record, 0, NULL);
	int64_t n = json_integer_value(json_object_get(json, name));

	json_decref(json);
	return n > 0 ? n : 0;
}

/* The entry in the row {sequence, severity, rule, kind, record} of `row`, which ends with it. */
static bool lose(struct mw_spool *spool, sqlite3_stmt *row, enum mw_spool_loss why)
{
	int64_t sequence, kind, count = 1, effects = 0;
	enum mw_severity severity;
	char rule[96];

	if (!mw_sql_step(spool, row))
		return false;
	sequence = sqlite3_column_int64(row, 0);
	severity = (enum mw_severity)sqlite3_column_int(row, 1);
	strncpy(rule, mw_sql_text(row, 2), sizeof(rule) - 1);
	rule[sizeof(rule) - 1] = '\0';
	kind = sqlite3_column_int64(row, 3);
	if (kind == MW_SPOOL_ALERT)
		effects = 1;
	if (kind == MW_SPOOL_LOSS || kind == MW_SPOOL_REFUSAL) {
		count += told_by(mw_sql_text(row, 4), "count");
		effects = told_by(mw_sql_text(row, 4), "lost");
	}
	mw_sql_stop(row);
	mw_spool_lost(spool, why, rule, severity, count, effects);
	mw_sql_do(spool, "UPDATE state SET evicted = evicted + 1", "");
	remove_entry(spool, sequence);
	return true;
}

static bool is_full(struct mw_spool *spool)
{
	return mw_sql_number(spool, 0, "SELECT bytes FROM state", "") >
	       (int64_t)spool->options.max_bytes;
}

static bool leave_one(struct mw_spool *spool, int64_t reach)
{
	int64_t sequence = mw_sql_number(
	        spool, -1,
	        "SELECT sequence FROM entries WHERE sequence <= ? ORDER BY sequence LIMIT 1", "i",
	        reach);

	if (sequence >= 0) {
		remove_entry(spool, sequence);
		return true;
	}
	return lose(spool,
	            mw_sql_start(spool,
	                         "SELECT sequence, severity, rule, kind, record FROM entries"
	                         " ORDER BY severity, sequence LIMIT 1",
	                         ""),
	            MW_LOST_FULL);
}

void mw_spool_shrink(struct mw_spool *spool)
{
	int64_t reach;

	if (!is_full(spool))
		return;
	reach = delivered(spool);
	for (int i = 0; i < LEAVE_MAX && is_full(spool); i++)
		if (!leave_one(spool, reach))
			return;
}

/* The finding of a group whose window is open is younger than two windows. */
static int64_t keep_until(const struct mw_spool *spool, int64_t now)
{
	int64_t keep = spool->options.keep_ns, window = 2 * spool->options.window_max_ns;

	return now - (keep > window ? keep : window);
}

/* What is no longer young, all of it that is to go at once. Returns false when some is left. */
static bool age(struct mw_spool *spool, int64_t now)
{
	int64_t reach = delivered(spool), limit = now - spool->options.max_age_ns;

	mw_sql_do(spool, "DELETE FROM entries WHERE time < ? AND sequence <= ?", "ii", limit,
	          reach);
	for (int i = 0; i < LEAVE_MAX; i++)
		if (!lose(spool,
		          mw_sql_start(spool,
		                       "SELECT sequence, severity, rule, kind, record FROM entries"
		                       " WHERE time < ? ORDER BY time LIMIT 1",
		                       "i", limit),
		          MW_LOST_AGE))
			return true;
	return false;
}

/* What SQLite has no more use for goes back to the filesystem, bit by bit. */
static void give_back(struct mw_spool *spool)
{
	if (mw_sql_number(spool, 0, "PRAGMA freelist_count", "") >
	    1000 + mw_sql_number(spool, 0, "PRAGMA page_count", "") / 4)
		mw_sql_do(spool, "PRAGMA incremental_vacuum(1000)", "");
}

void mw_spool_expire(struct mw_spool *spool)
{
	int64_t now = mw_spool_now(spool);
	bool all;

	mw_sql_do(spool,
	          "DELETE FROM entries WHERE time < ? AND sequence <= ?"
	          " AND sequence NOT IN (SELECT sequence FROM dead)",
	          "ii", keep_until(spool, now), delivered(spool));
	all = age(spool, now);
	mw_sql_do(spool, "DELETE FROM buckets WHERE time < ? OR time > ?", "ii", now - MINUTE,
	          now + MINUTE);
	mw_sql_do(spool, "DELETE FROM sources WHERE seen < ?", "i",
	          now - spool->options.max_age_ns);
	give_back(spool);
	spool->expire = all ? now + EXPIRE_NS : now;
}

int64_t mw_spool_expire_due(struct mw_spool *spool, int64_t now)
{
	return spool->expire > now + EXPIRE_NS ? now : spool->expire;
}
