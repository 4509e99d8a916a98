/* The spool for people who look into it. */
#include <string.h>

#include "spool_parts.h"

int mw_spool_browse(struct mw_spool *spool, const struct mw_spool_filter *filter, uint64_t after,
                    size_t max, size_t max_bytes, struct mw_spool_entry *ret)
{
	int error = mw_sql_here(spool);

	if (error)
		return error;
	return mw_spool_collect(
	        spool,
	        mw_sql_start(spool,
	                     "SELECT" MW_ENTRY_COLUMNS
	                     "WHERE sequence > ?1 AND time BETWEEN ?2 AND ?3 AND severity >= ?4"
	                     " AND (?5 IS NULL OR substr(id, 1, length(?5)) = ?5"
	                     "  OR substr(uid, 1, length(?5)) = ?5)"
	                     " ORDER BY sequence LIMIT ?6",
	                     "iiiisi", (int64_t)after, filter->since, filter->until,
	                     (int64_t)filter->severity, filter->id, (int64_t)max),
	        max, max_bytes, ret);
}

static void copy(char *to, size_t size, const char *from)
{
	strncpy(to, from, size - 1);
	to[size - 1] = '\0';
}

int mw_spool_letters(struct mw_spool *spool, size_t skip, size_t max, struct mw_spool_letter *ret)
{
	sqlite3_stmt *row;
	size_t count = 0;
	int error;

	row = mw_sql_start(spool,
	                   "SELECT entries.sequence, uid, severity, observed, rule, record,"
	                   " dead.sink, dead.time, dead.why FROM dead"
	                   " JOIN entries ON entries.sequence = dead.sequence"
	                   " ORDER BY dead.sequence, dead.sink LIMIT ? OFFSET ?",
	                   "ii", (int64_t)max, (int64_t)skip);
	while (count < max && mw_sql_step(spool, row)) {
		struct mw_spool_letter *letter = &ret[count++];

		mw_spool_fill(&letter->entry, row);
		copy(letter->sink, sizeof(letter->sink), mw_sql_text(row, 6));
		letter->time = sqlite3_column_int64(row, 7);
		copy(letter->why, sizeof(letter->why), mw_sql_text(row, 8));
	}
	if (row)
		mw_sql_stop(row);
	error = mw_sql_read(spool);
	for (size_t i = 0; error && i < count; i++)
		mw_spool_free(&ret[i].entry, 1);
	return error ? error : (int)count;
}
