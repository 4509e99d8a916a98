/* Entries come in. */
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
