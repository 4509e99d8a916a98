/* Alike alerts are one finding: the first of them goes out at once, the others with its updates. */
#include <errno.h>
#include <string.h>

#include "../tools/when.h"
#include "spool_parts.h"

#define UPDATES_MAX 1000 /* of one transaction */
#define EARLY_MAX 10     /* of one finding, in a window, by those who are the last to go */

struct group {
	char key[MW_SPOOL_KEY], id[MW_UID_TEXT];
	int64_t severity, count, told, first, last, due;
};

/* What was sent of a finding last. */
struct sent {
	struct mw_spool_facts facts;
	json_t *record;
};

#define GROUP "SELECT key, id, severity, count, told, first, last, due FROM groups "

static void copy(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

/* The group in the row that `statement` gives, which is the only one. */
static bool read_group(struct mw_spool *spool, sqlite3_stmt *statement, struct group *ret)
{
	if (!mw_sql_step(spool, statement))
		return false;
	copy(ret->key, sizeof(ret->key), mw_sql_text(statement, 0));
	copy(ret->id, sizeof(ret->id), mw_sql_text(statement, 1));
	ret->severity = sqlite3_column_int64(statement, 2);
	ret->count = sqlite3_column_int64(statement, 3);
	ret->told = sqlite3_column_int64(statement, 4);
	ret->first = sqlite3_column_int64(statement, 5);
	ret->last = sqlite3_column_int64(statement, 6);
	ret->due = sqlite3_column_int64(statement, 7);
	mw_sql_stop(statement);
	return true;
}

static bool find(struct mw_spool *spool, const char *key, struct group *ret)
{
	return read_group(spool, mw_sql_start(spool, GROUP "WHERE key = ?", "s", key), ret);
}

/* A clock that was set back leaves windows that would stay open for too long. */
static int64_t horizon(const struct mw_spool *spool, int64_t now)
{
	return now + 2 * spool->options.window_max_ns;
}

/* Returns false when nothing is left of it. `ret->record` is the caller's. */
static bool find_sent(struct mw_spool *spool, const char *id, struct sent *ret)
{
	sqlite3_stmt *statement = mw_sql_start(spool,
	                                       "SELECT number, severity, observed, rule, record "
	                                       "FROM entries WHERE id = ? AND kind = 0"
	                                       " ORDER BY sequence DESC LIMIT 1",
	                                       "s", id);

	memset(ret, 0, sizeof(*ret));
	if (!mw_sql_step(spool, statement))
		return false;
	ret->facts.kind = MW_SPOOL_ALERT;
	ret->facts.update = sqlite3_column_int64(statement, 0);
	ret->facts.severity = (enum mw_severity)sqlite3_column_int(statement, 1);
	ret->facts.observed = sqlite3_column_int(statement, 2);
	copy(ret->facts.rule, sizeof(ret->facts.rule), mw_sql_text(statement, 3));
	copy(ret->facts.id, sizeof(ret->facts.id), id);
	ret->record = json_loads(mw_sql_text(statement, 4), 0, NULL);
	mw_sql_stop(statement);
	return ret->record != NULL;
}

/* `record`, whose reference is taken, with what is known of its group. */
static json_t *dress(json_t *record, const struct mw_spool_facts *facts, int64_t count,
                     const char *key, int64_t first, int64_t last)
{
	char from[MW_WHEN_TEXT], to[MW_WHEN_TEXT];
	json_t *group;

	mw_when_text(first, from);
	mw_when_text(last, to);
	group = json_pack("{s:s, s:s, s:s}", "key", key, "first", from, "last", to);
	if (!record || !group || json_object_set_new(record, "id", json_string(facts->id)) ||
	    json_object_set_new(record, "update", json_integer(facts->update)) ||
	    json_object_set_new(record, "count", json_integer(count)) ||
	    json_object_set(record, "group", group)) {
		json_decref(record);
		record = NULL;
	}
	json_decref(group);
	return record;
}

static const char *key_in(const json_t *record)
{
	const char *key =
	        json_string_value(json_object_get(json_object_get(record, "group"), "key"));

	return key ? key : "";
}

/* An update of the group's finding with its whole count; or, when nothing is left of that, the loss
 * of what it would have told. */
static void write_update(struct mw_spool *spool, const struct group *group)
{
	struct sent sent;
	char key[MW_SPOOL_KEY];

	if (!find_sent(spool, group->id, &sent)) {
		mw_spool_lost(spool, MW_LOST_FULL, "", (enum mw_severity)group->severity, 0,
		              group->count - group->told);
		return;
	}
	copy(key, sizeof(key), key_in(sent.record));
	sent.facts.update++;
	mw_spool_insert(
	        spool, &sent.facts,
	        dress(sent.record, &sent.facts, group->count, key, group->first, group->last));
}

/* One more of a group that is open and no less severe. */
static bool join(struct mw_spool *spool, const struct mw_spool_facts *facts)
{
	int64_t now = mw_spool_now(spool);
	struct group group;

	if (!find(spool, facts->group, &group))
		return false;
	if (facts->severity > group.severity) {
		if (group.count > group.told) {
			write_update(spool, &group);
			mw_sql_do(spool, "UPDATE groups SET told = count WHERE key = ?", "s",
			          group.key);
		}
		return false;
	}
	if (group.count == group.told && (group.due <= now || group.due > horizon(spool, now)))
		return false;
	mw_sql_do(spool,
	          "UPDATE groups SET count = count + ?, first = MIN(first, ?), last = MAX(last, ?)"
	          " WHERE key = ?",
	          "iiis", facts->update ? INT64_C(0) : facts->count, facts->time, facts->time,
	          facts->group);
	spool->grouped++;
	return true;
}

static int64_t span_of(const struct mw_spool *spool, int64_t span)
{
	int64_t max = spool->options.window_max_ns;

	return span > max ? max : span;
}

static void open_group(struct mw_spool *spool, const struct mw_spool_facts *facts)
{
	int64_t span = span_of(spool, spool->options.window_ns);

	if (span <= 0)
		return;
	mw_sql_do(spool, "INSERT OR REPLACE INTO groups VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
	          "ssiiiiiii", facts->group, facts->id, (int64_t)facts->severity, facts->count,
	          facts->count, facts->time, facts->time, span, mw_spool_now(spool) + span);
}

static void begin_finding(struct mw_spool *spool, const struct mw_spool_facts *facts,
                          const json_t *record)
{
	if (!mw_spool_token(spool, facts)) {
		mw_spool_lost(spool, MW_LOST_RATE, facts->rule, facts->severity, 1, facts->count);
		spool->limited++;
		return;
	}
	open_group(spool, facts);
	mw_spool_insert(spool, facts,
	                dress(json_copy((json_t *)record), facts, facts->count, facts->key,
	                      facts->time, facts->time));
}

/* The group that the finding has opened, by what was sent of it last. */
static bool find_own(struct mw_spool *spool, const struct sent *sent, struct group *ret)
{
	struct mw_spool_facts facts;

	return !mw_spool_facts(sent->record, mw_spool_now(spool), &facts) &&
	       find(spool, facts.group, ret) && !strcmp(ret->id, sent->facts.id);
}

/* All of the group has been told with `facts`. When those have made something else of the finding,
 * it groups what is like it now, and what is like it was is a new finding. */
static void regroup(struct mw_spool *spool, const struct group *group,
                    const struct mw_spool_facts *facts)
{
	mw_sql_do(spool,
	          "UPDATE OR IGNORE groups SET key = ?, told = count, severity = MAX(severity, ?)"
	          " WHERE key = ?",
	          "sis", facts->group, (int64_t)facts->severity, group->key);
	if (strcmp(group->key, facts->group) != 0)
		mw_sql_do(spool, "DELETE FROM groups WHERE key = ?", "s", group->key);
}

/* What the monitor has found out later of a finding that was sent. It is numbered by us: updates
 * with a count may have gone out in between. */
static bool amend(struct mw_spool *spool, const struct mw_spool_facts *facts, const json_t *record)
{
	struct mw_spool_facts next = *facts;
	struct group group;
	struct sent sent;
	bool is_open;

	if (!find_sent(spool, facts->id, &sent))
		return false;
	is_open = find_own(spool, &sent, &group);
	if (!is_open) {
		group.count = json_integer_value(json_object_get(sent.record, "count"));
		group.first = group.last = facts->time;
	}
	if (next.update <= sent.facts.update)
		next.update = sent.facts.update + 1;
	mw_spool_insert(spool, &next,
	                dress(json_copy((json_t *)record), &next, group.count, facts->key,
	                      group.first, group.last));
	if (is_open)
		regroup(spool, &group, facts);
	json_decref(sent.record);
	return true;
}

void mw_spool_alert(struct mw_spool *spool, const struct mw_spool_facts *facts,
                    const json_t *record)
{
	if (facts->update && amend(spool, facts, record))
		return;
	if (!join(spool, facts))
		begin_finding(spool, facts, record);
}

void mw_spool_updates(struct mw_spool *spool)
{
	int64_t now = mw_spool_now(spool), max = spool->options.window_max_ns;
	struct group group;

	for (int i = 0; i < UPDATES_MAX; i++) {
		if (!read_group(spool,
		                mw_sql_start(spool,
		                             GROUP "WHERE count > told AND (due <= ? OR due > ?)"
		                                   " LIMIT 1",
		                             "ii", now, horizon(spool, now)),
		                &group))
			break;
		write_update(spool, &group);
		mw_sql_do(spool, "UPDATE groups SET told = count, early = 1 WHERE key = ?", "s",
		          group.key);
	}
	/* Where something was told of, they keep coming: the next window is longer. */
	mw_sql_do(spool,
	          "UPDATE groups SET span = MIN(2 * span, ?1), due = ?2 + MIN(2 * span, ?1),"
	          " early = 0 WHERE early > 0 AND count <= told AND (due <= ?2 OR due > ?3)",
	          "iii", max, now, horizon(spool, now));
	mw_sql_do(spool, "DELETE FROM groups WHERE count <= told AND (due <= ? OR due > ?)", "ii",
	          now, horizon(spool, now));
}

void mw_spool_early_updates(struct mw_spool *spool, bool is_last)
{
	int64_t most = is_last ? EARLY_MAX : 0;
	struct group group;

	for (int i = 0; i < UPDATES_MAX; i++) {
		if (!read_group(spool,
		                mw_sql_start(spool,
		                             GROUP "WHERE count > told AND"
		                                   " (count >= 2 * told OR early < ?) LIMIT 1",
		                             "i", most),
		                &group))
			return;
		write_update(spool, &group);
		mw_sql_do(spool, "UPDATE groups SET told = count, early = early + 1 WHERE key = ?",
		          "s", group.key);
	}
}

int64_t mw_spool_updates_due(struct mw_spool *spool, int64_t now)
{
	int64_t due = mw_sql_number(spool, INT64_MAX, "SELECT MIN(due) FROM groups", "");

	return due != INT64_MAX && due > horizon(spool, now) ? now : due;
}
