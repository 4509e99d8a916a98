/* Entries are written, and read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/uuid.h"
#include "spool_parts.h"

void mw_spool_insert(struct mw_spool *spool, const struct mw_spool_facts *facts, json_t *record)
{
	char *text = record ? json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	int64_t now = mw_spool_now(spool);
	char uid[MW_UUID_TEXT];

	if (!text && !spool->error)
		spool->error = -ENOMEM;
	mw_uuid(now, uid);
	mw_sql_do(
	        spool,
	        "INSERT INTO entries(uid, id, number, time, kind, severity, observed, rule, bytes,"
	        " record) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	        "ssiiiiisis", uid, facts->id, facts->update, now, (int64_t)facts->kind,
	        (int64_t)facts->severity, (int64_t)facts->observed, facts->rule,
	        (int64_t)(text ? strlen(text) : 0), text);
	free(text);
	json_decref(record);
}

/* What cannot be read is no record that any format knows. */
static json_t *record_in(sqlite3_stmt *row, int column)
{
	json_t *record = json_loads(mw_sql_text(row, column), 0, NULL);

	return record ? record : json_null();
}

void mw_spool_fill(struct mw_spool_entry *entry, sqlite3_stmt *row)
{
	int severity = sqlite3_column_int(row, 2);

	memset(entry, 0, sizeof(*entry));
	entry->sequence = (uint64_t)sqlite3_column_int64(row, 0);
	strncpy(entry->uid, mw_sql_text(row, 1), sizeof(entry->uid) - 1);
	entry->severity = severity < MW_INFO || severity > MW_CRITICAL ? MW_CRITICAL
	                                                               : (enum mw_severity)severity;
	entry->observed = sqlite3_column_int(row, 3);
	strncpy(entry->rule, mw_sql_text(row, 4), sizeof(entry->rule) - 1);
	entry->record = record_in(row, 5);
}

int mw_spool_collect(struct mw_spool *spool, sqlite3_stmt *rows, size_t max, size_t max_bytes,
                     struct mw_spool_entry *ret)
{
	size_t count = 0, bytes = 0, more;
	int error;

	while (count < max && mw_sql_step(spool, rows)) {
		more = (size_t)sqlite3_column_bytes(rows, 5);
		if (count && bytes + more > max_bytes)
			break;
		mw_spool_fill(&ret[count++], rows);
		bytes += more;
	}
	if (rows)
		mw_sql_stop(rows);
	error = mw_sql_read(spool);
	if (error)
		mw_spool_free(ret, count);
	return error ? error : (int)count;
}

void mw_spool_free(struct mw_spool_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_decref(entries[i].record);
}
