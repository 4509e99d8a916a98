/* What the spool says of itself. */
#include <string.h>

#include "spool_parts.h"

static void look_at_state(struct mw_spool *spool, struct mw_spool_view *ret)
{
	sqlite3_stmt *row =
	        mw_sql_start(spool,
	                     "SELECT records, bytes, added, grouped, limited, evicted, refused,"
	                     " (SELECT COUNT(*) FROM groups),"
	                     " (SELECT time FROM entries ORDER BY sequence LIMIT 1) FROM state",
	                     "");
	uint64_t *const numbers[] = {&ret->records, &ret->bytes,   &ret->added,   &ret->grouped,
	                             &ret->limited, &ret->evicted, &ret->refused, &ret->groups};

	if (!mw_sql_step(spool, row))
		return;
	for (int i = 0; i < 8; i++)
		*numbers[i] = (uint64_t)sqlite3_column_int64(row, i);
	ret->oldest = sqlite3_column_int64(row, 8);
	mw_sql_stop(row);
}

static void look_at_sinks(struct mw_spool *spool, struct mw_spool_view *ret)
{
	sqlite3_stmt *row =
	        mw_sql_start(spool,
	                     "SELECT sink, pending, reached, success,"
	                     " (SELECT COUNT(*) FROM dead WHERE dead.sink = cursors.sink),"
	                     " (SELECT time FROM entries WHERE entries.sequence > cursors.sequence"
	                     "  ORDER BY entries.sequence LIMIT 1)"
	                     " FROM cursors WHERE active ORDER BY sink",
	                     "");

	while (ret->sink_count < MW_SPOOL_SINKS && mw_sql_step(spool, row)) {
		struct mw_spool_sink_view *sink = &ret->sinks[ret->sink_count++];

		strncpy(sink->name, mw_sql_text(row, 0), sizeof(sink->name) - 1);
		sink->pending = (uint64_t)sqlite3_column_int64(row, 1);
		sink->reached = (uint64_t)sqlite3_column_int64(row, 2);
		sink->last_success = sqlite3_column_int64(row, 3);
		sink->dead = (uint64_t)sqlite3_column_int64(row, 4);
		sink->oldest = sqlite3_column_int64(row, 5);
	}
	if (row)
		mw_sql_stop(row);
}

int mw_spool_look(struct mw_spool *spool, struct mw_spool_view *ret)
{
	int error = mw_sql_here(spool);

	memset(ret, 0, sizeof(*ret));
	if (error)
		return error;
	look_at_state(spool, ret);
	look_at_sinks(spool, ret);
	return mw_sql_read(spool);
}
