/* What was lost is counted at once, and told in a record of each kind, the first at once and the
 * next no sooner than a window later: a storm of losses is no storm of records. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../tools/text.h"
#include "../tools/uuid.h"
#include "../tools/when.h"
#include "spool_parts.h"

#define GAP_MIN INT64_C(60000000000) /* ns: telling of losses must not make some */
#define NAMES "32"                   /* of rules, in one record; what is beyond has none */

static const struct {
	const char *word, *reason;
} kinds[] = {
        [MW_LOST_FULL] = {"spool-full", "the spool was full, and what was least severe left it "
                                        "before every sink had it"},
        [MW_LOST_AGE] = {"spool-age", "records left the spool, older than it keeps them, before "
                                      "every sink had them"},
        [MW_LOST_RATE] = {"spool-rate", "there were more new findings than the configured rate, "
                                        "and they were only counted"},
        [MW_LOST_REFUSED] = {"sink-refused", "a receiver refused records for good; they are kept "
                                             "as dead letters"},
        [MW_LOST_CORRUPT] = {"spool-corrupt", "the spool was corrupt and has been put aside; what "
                                              "had not been sent is in that file"},
        [MW_LOST_GONE] = {"spool-gone", "somebody has removed the spool, and with it what had not "
                                        "been sent"},
        [MW_LOST_COURIER] = {"courier", "the courier did not keep up, or could not write its "
                                        "spool, and the monitor was killed"},
};

void mw_spool_lost(struct mw_spool *spool, enum mw_spool_loss kind, const char *what,
                   enum mw_severity severity, int64_t count, int64_t effects)
{
	char name[PATH_MAX];

	mw_utf8_clean(what, strlen(what), name, sizeof(name));
	mw_sql_do(spool,
	          "INSERT INTO losses SELECT ?1,"
	          " CASE WHEN (SELECT COUNT(*) FROM losses WHERE kind = ?1) < " NAMES
	          " OR EXISTS(SELECT 1 FROM losses WHERE kind = ?1 AND what = ?2)"
	          " THEN ?2 ELSE '' END, ?3, ?4, ?5, ?6 WHERE true"
	          " ON CONFLICT(kind, what) DO UPDATE SET severity = MAX(severity, "
	          "excluded.severity),"
	          " count = count + excluded.count, effects = effects + excluded.effects",
	          "isiiii", (int64_t)kind, name, (int64_t)severity, count, effects,
	          mw_spool_now(spool));
}

struct sum {
	json_t *names;
	int64_t count, effects, since;
	enum mw_severity severity;
};

/* Of a database that somebody has written to, no sum runs over. */
static int64_t bounded(int64_t n)
{
	const int64_t most = INT64_C(1) << 48;

	return n < 0 ? 0 : n > most ? most : n;
}

static void add_up(struct mw_spool *spool, int64_t kind, struct sum *sum)
{
	sqlite3_stmt *row = mw_sql_start(
	        spool, "SELECT what, count, effects, since, severity FROM losses WHERE kind = ?",
	        "i", kind);

	*sum = (struct sum){.names = json_object(), .since = INT64_MAX};
	while (mw_sql_step(spool, row)) {
		int64_t count = bounded(sqlite3_column_int64(row, 1));
		int64_t since = sqlite3_column_int64(row, 3);
		int severity = sqlite3_column_int(row, 4);

		sum->count += count;
		sum->effects += bounded(sqlite3_column_int64(row, 2));
		if (since < sum->since)
			sum->since = since;
		if (severity > (int)sum->severity && severity < MW_SEVERITY_COUNT)
			sum->severity = (enum mw_severity)severity;
		if (*mw_sql_text(row, 0))
			json_object_set_new(sum->names, mw_sql_text(row, 0), json_integer(count));
	}
}

static json_t *record_of(int64_t kind, const struct sum *sum, const char *id, int64_t now)
{
	char time[MW_WHEN_TEXT], since[MW_WHEN_TEXT], host[256] = "";

	mw_when_text(now, time);
	mw_when_text(sum->since, since);
	gethostname(host, sizeof(host) - 1);
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:O, s:s, s:s, s:{s:s}, s:s}",
	                 "schema", "modelwatch.loss/1", "id", id, "time", time, "lost",
	                 (json_int_t)sum->effects, "reason", kinds[kind].reason, "kind",
	                 kinds[kind].word, "count", (json_int_t)sum->count, "hooks", sum->names,
	                 "since", since, "severity", mw_severity_name(sum->severity), "host",
	                 "name", host, "version", MW_VERSION);
}

static int64_t gap(const struct mw_spool *spool)
{
	return spool->options.window_ns > GAP_MIN ? spool->options.window_ns : GAP_MIN;
}

static void tell_kind(struct mw_spool *spool, int64_t kind, int64_t now)
{
	struct mw_spool_facts facts = {
	        .kind = kind == MW_LOST_REFUSED ? MW_SPOOL_REFUSAL : MW_SPOOL_LOSS,
	        .severity = MW_HIGH,
	};
	struct sum sum;

	add_up(spool, kind, &sum);
	mw_uuid(now, facts.id);
	mw_spool_insert(spool, &facts, record_of(kind, &sum, facts.id, now));
	json_decref(sum.names);
	mw_sql_do(spool, "DELETE FROM losses WHERE kind = ?", "i", kind);
	mw_sql_do(spool, "INSERT OR REPLACE INTO told VALUES(?, ?)", "ii", kind, now + gap(spool));
}

/* When the kinds that have something to tell may do so; a clock that was set back holds up none. */
#define NEXT                                                                                       \
	"SELECT losses.kind, MIN(IFNULL(CASE WHEN next > ?1 THEN 0 ELSE next END, 0)) AS at"       \
	" FROM losses LEFT JOIN told ON told.kind = losses.kind GROUP BY losses.kind ORDER BY at"  \
	" LIMIT 1"

void mw_spool_tell(struct mw_spool *spool)
{
	int64_t now = mw_spool_now(spool), latest = now + 2 * gap(spool), kind, at;
	sqlite3_stmt *row;

	while (mw_sql_step(spool, row = mw_sql_start(spool, NEXT, "i", latest))) {
		kind = sqlite3_column_int64(row, 0);
		at = sqlite3_column_int64(row, 1);
		mw_sql_stop(row);
		if (at > now)
			return;
		if (kind >= 0 && kind <= MW_LOST_COURIER)
			tell_kind(spool, kind, now);
		else
			mw_sql_do(spool, "DELETE FROM losses WHERE kind = ?", "i", kind);
	}
}

void mw_spool_tell_all(struct mw_spool *spool)
{
	mw_sql_do(spool, "DELETE FROM told", "");
	mw_spool_tell(spool);
}

int64_t mw_spool_tell_due(struct mw_spool *spool, int64_t now)
{
	sqlite3_stmt *row = mw_sql_start(spool, NEXT, "i", now + 2 * gap(spool));
	int64_t at;

	if (!mw_sql_step(spool, row))
		return INT64_MAX;
	at = sqlite3_column_int64(row, 1);
	mw_sql_stop(row);
	return at;
}
