/* How far each sink has come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool_parts.h"

#define LAST "IFNULL((SELECT seq FROM sqlite_sequence WHERE name = 'entries'), 0)"

/* A sink that is wanted; a new one begins after `from`. */
static void want(struct mw_spool *spool, const char *sink, int64_t from)
{
	mw_sql_do(spool,
	          "INSERT INTO cursors SELECT ?1, 1, ?2, 0,"
	          " (SELECT COUNT(*) FROM entries WHERE sequence > ?2), 0, 0 WHERE true"
	          " ON CONFLICT(sink) DO UPDATE SET active = 1",
	          "si", sink, from);
}

/* Of a new spool, all is new to every sink: what is there was written when it was made. */
static int64_t beginning(struct mw_spool *spool)
{
	if (!mw_sql_number(spool, 0, "SELECT COUNT(*) FROM cursors", "") &&
	    !mw_sql_number(spool, 0, "SELECT added FROM state", ""))
		return 0;
	return mw_sql_number(spool, 0, "SELECT " LAST, "");
}

int mw_spool_sinks(struct mw_spool *spool, const char *const *names, size_t count)
{
	int error = mw_sql_begin(spool);
	int64_t from;

	if (error)
		return error;
	from = beginning(spool);
	mw_sql_do(spool, "UPDATE cursors SET active = 0", "");
	for (size_t i = 0; i < count; i++)
		want(spool, names[i], from);
	return mw_sql_end(spool);
}

struct cursor {
	bool active;
	int64_t sequence, generation;
};

static bool find(struct mw_spool *spool, const char *sink, struct cursor *ret)
{
	sqlite3_stmt *row = mw_sql_start(
	        spool, "SELECT active, sequence, generation FROM cursors WHERE sink = ?", "s",
	        sink);

	if (!mw_sql_step(spool, row))
		return false;
	ret->active = sqlite3_column_int(row, 0);
	ret->sequence = sqlite3_column_int64(row, 1);
	ret->generation = sqlite3_column_int64(row, 2);
	mw_sql_stop(row);
	return true;
}

/* A process with another configuration may have set it aside; and who asks for a sink that the
 * spool does not know has known the one that was here before. */
static int find_wanted(struct mw_spool *spool, const char *sink, struct cursor *ret)
{
	int error;

	if (find(spool, sink, ret) && ret->active)
		return 0;
	error = mw_sql_read(spool);
	if (!error)
		error = mw_sql_begin(spool);
	if (error)
		return error;
	want(spool, sink, 0);
	find(spool, sink, ret);
	return mw_sql_end(spool);
}

/* The place where it is noted which replay `sink` was last asked for in. */
static int64_t *generation_of(struct mw_spool *spool, const char *sink)
{
	size_t i = 0;

	while (i < MW_SPOOL_SINKS - 1 && spool->sinks[i].name[0] &&
	       strcmp(spool->sinks[i].name, sink) != 0)
		i++;
	if (strcmp(spool->sinks[i].name, sink) != 0) {
		strncpy(spool->sinks[i].name, sink, sizeof(spool->sinks[i].name) - 1);
		spool->sinks[i].generation = -1;
	}
	return &spool->sinks[i].generation;
}

int mw_spool_next(struct mw_spool *spool, const char *sink, size_t max, size_t max_bytes,
                  struct mw_spool_entry *ret)
{
	struct cursor cursor = {.sequence = 0};
	int error = mw_sql_here(spool);

	if (!error)
		error = find_wanted(spool, sink, &cursor);
	if (error)
		return error;
	*generation_of(spool, sink) = cursor.generation;
	return mw_spool_collect(spool,
	                        mw_sql_start(spool,
	                                     "SELECT" MW_ENTRY_COLUMNS
	                                     "WHERE sequence > ? ORDER BY sequence LIMIT ?",
	                                     "ii", cursor.sequence, (int64_t)max),
	                        max, max_bytes, ret);
}

#define PASSED                                                                                     \
	"SELECT COUNT(*) FROM entries"                                                             \
	" WHERE entries.sequence > cursors.sequence AND entries.sequence <= ?3"

int mw_spool_reached(struct mw_spool *spool, const char *sink, uint64_t sequence)
{
	int64_t generation = *generation_of(spool, sink), now = mw_spool_now(spool);
	int error = mw_sql_begin(spool);

	if (error)
		return error;
	mw_sql_do(spool,
	          "UPDATE cursors SET success = ?2, sequence = ?3,"
	          " reached = reached + (" PASSED "), pending = pending - (" PASSED ")"
	          " WHERE sink = ?1 AND sequence < ?3 AND generation = IFNULL(NULLIF(?4, -1),"
	          " generation)",
	          "siii", sink, now, (int64_t)sequence, generation);
	return mw_sql_end(spool);
}

/* Of the record that tells of dead letters none is told: its receiver would refuse that one, too.
 */
static void bury(struct mw_spool *spool, const char *sink, int64_t sequence, const char *why)
{
	int64_t kind = mw_sql_number(spool, -1, "SELECT kind FROM entries WHERE sequence = ?", "i",
	                             sequence);
	int64_t severity = mw_sql_number(
	        spool, 0, "SELECT severity FROM entries WHERE sequence = ?", "i", sequence);

	if (kind < 0)
		return;
	mw_sql_do(spool, "INSERT OR REPLACE INTO dead VALUES(?, ?, ?, ?)", "isis", sequence, sink,
	          mw_spool_now(spool), why);
	if (kind != MW_SPOOL_REFUSAL)
		mw_spool_lost(spool, MW_LOST_REFUSED, sink, (enum mw_severity)severity, 1, 0);
}

int mw_spool_dead(struct mw_spool *spool, const char *sink, uint64_t sequence, const char *why)
{
	int error = mw_sql_begin(spool);

	if (error)
		return error;
	bury(spool, sink, (int64_t)sequence, why);
	return mw_sql_end(spool);
}

int64_t mw_spool_replay(struct mw_spool *spool, const char *sink, int64_t since)
{
	int64_t first, count, sinks;
	int error = mw_sql_begin(spool);

	if (error)
		return error;
	first = mw_sql_number(spool, -1, "SELECT MIN(sequence) FROM entries WHERE time >= ?", "i",
	                      since);
	count = first < 0 ? 0
	                  : mw_sql_number(spool, 0,
	                                  "SELECT COUNT(*) FROM entries WHERE sequence >= ?", "i",
	                                  first);
	sinks = mw_sql_number(spool, 0, "SELECT COUNT(*) FROM cursors WHERE sink = IFNULL(?, sink)",
	                      "s", sink);
	if (count)
		mw_sql_do(spool,
		          "UPDATE cursors SET generation = generation + 1,"
		          " sequence = MIN(sequence, ?2 - 1),"
		          " pending = (SELECT COUNT(*) FROM entries"
		          "  WHERE entries.sequence > MIN(cursors.sequence, ?2 - 1))"
		          " WHERE sink = IFNULL(?1, sink)",
		          "si", sink, first);
	if (count)
		mw_sql_do(spool,
		          "DELETE FROM dead WHERE sequence >= ?2 AND sink = IFNULL(?1, sink)", "si",
		          sink, first);
	error = mw_sql_end(spool);
	return error ? error : sink && !sinks ? -ENOENT : count;
}
