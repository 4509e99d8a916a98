/* The tables of the spool, and whether they are whole. */
#include <errno.h>
#include <string.h>

#include "spool_parts.h"

#define APPLICATION 0x4d575350 /* "MWSP" */
#define VERSION 1

/* Counters are kept by triggers: they cannot be forgotten, and cost no scan when they are asked
 * for. */
static const char schema[] =
        "CREATE TABLE entries("
        " sequence INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, id TEXT NOT NULL,"
        " number INTEGER NOT NULL," /* of the update */
        " time INTEGER NOT NULL,"   /* when it came in */
        " kind INTEGER NOT NULL, severity INTEGER NOT NULL, observed INTEGER NOT NULL,"
        " rule TEXT NOT NULL, bytes INTEGER NOT NULL, record TEXT NOT NULL);"
        "CREATE INDEX entries_id ON entries(id);"
        "CREATE INDEX entries_time ON entries(time);"
        "CREATE INDEX entries_severity ON entries(severity);"
        "CREATE TABLE groups(" /* alike alerts whose window is open */
        " key TEXT PRIMARY KEY, id TEXT NOT NULL, severity INTEGER NOT NULL,"
        " count INTEGER NOT NULL, told INTEGER NOT NULL,"
        " first INTEGER NOT NULL, last INTEGER NOT NULL,"
        " span INTEGER NOT NULL, due INTEGER NOT NULL,"
        " early INTEGER NOT NULL) WITHOUT ROWID;" /* updates before the window has passed */
        "CREATE INDEX groups_due ON groups(due);"
        "CREATE TABLE buckets(name TEXT PRIMARY KEY, tokens REAL NOT NULL, time INTEGER NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE TABLE losses(" /* that no record tells of yet */
        " kind INTEGER NOT NULL, what TEXT NOT NULL, severity INTEGER NOT NULL,"
        " count INTEGER NOT NULL, effects INTEGER NOT NULL, since INTEGER NOT NULL,"
        " PRIMARY KEY(kind, what)) WITHOUT ROWID;"
        "CREATE TABLE told(kind INTEGER PRIMARY KEY, next INTEGER NOT NULL);"
        "CREATE TABLE cursors("
        " sink TEXT PRIMARY KEY, active INTEGER NOT NULL, sequence INTEGER NOT NULL,"
        " generation INTEGER NOT NULL," /* of the replay */
        " pending INTEGER NOT NULL, reached INTEGER NOT NULL, success INTEGER NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE TABLE dead("
        " sequence INTEGER NOT NULL, sink TEXT NOT NULL, time INTEGER NOT NULL, why TEXT NOT NULL,"
        " PRIMARY KEY(sequence, sink)) WITHOUT ROWID;"
        "CREATE INDEX dead_sink ON dead(sink);"
        "CREATE TABLE sources(id TEXT PRIMARY KEY, next INTEGER NOT NULL, seen INTEGER NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE TABLE state("
        " records INTEGER NOT NULL, bytes INTEGER NOT NULL, added INTEGER NOT NULL,"
        " grouped INTEGER NOT NULL, limited INTEGER NOT NULL, evicted INTEGER NOT NULL,"
        " refused INTEGER NOT NULL);"
        "INSERT INTO state VALUES(0, 0, 0, 0, 0, 0, 0);"
        "CREATE TRIGGER entry_comes AFTER INSERT ON entries BEGIN"
        " UPDATE state SET records = records + 1, bytes = bytes + new.bytes;"
        " UPDATE cursors SET pending = pending + 1; END;"
        "CREATE TRIGGER entry_goes AFTER DELETE ON entries BEGIN"
        " UPDATE state SET records = records - 1, bytes = bytes - old.bytes;"
        " UPDATE cursors SET pending = pending - 1 WHERE sequence < old.sequence;"
        " DELETE FROM dead WHERE sequence = old.sequence; END;";

static void run(struct mw_spool *spool, const char *text)
{
	if (!spool->error)
		mw_sql_error(spool, sqlite3_exec(spool->db, text, NULL, NULL, NULL));
}

/* What every column is asked for: a database that lacks one is not what we made. */
static const char *const probes[] = {
        ("SELECT sequence, uid, id, number, time, kind, severity, observed, rule, bytes, record"
         " FROM entries"),
        "SELECT key, id, severity, count, told, first, last, span, due, early FROM groups",
        "SELECT name, tokens, time FROM buckets",
        "SELECT kind, what, severity, count, effects, since FROM losses",
        "SELECT kind, next FROM told",
        "SELECT sink, active, sequence, generation, pending, reached, success FROM cursors",
        "SELECT sequence, sink, time, why FROM dead",
        "SELECT id, next, seen FROM sources",
        "SELECT records, bytes, added, grouped, limited, evicted, refused FROM state",
};

static int probe(struct mw_spool *spool)
{
	sqlite3_stmt *statement;

	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes) && !spool->error; i++) {
		mw_sql_error(spool, sqlite3_prepare_v2(spool->db, probes[i], -1, &statement, NULL));
		sqlite3_finalize(statement);
	}
	if (mw_sql_number(spool, 0, "SELECT COUNT(*) FROM state", "") != 1)
		return -EBADMSG;
	return 1;
}

/* Of the file; before the tables are there, both are 0. */
static int is_ours(struct mw_spool *spool)
{
	int64_t application = mw_sql_number(spool, 0, "PRAGMA application_id", "");
	int64_t version = mw_sql_number(spool, 0, "PRAGMA user_version", "");
	int64_t tables = mw_sql_number(spool, 0, "SELECT COUNT(*) FROM sqlite_schema", "");

	if (spool->error)
		return 0;
	if (!application && !tables)
		return 0;
	if (application != APPLICATION)
		return -EMEDIUMTYPE;
	return version == VERSION ? probe(spool) : -EPROTONOSUPPORT;
}

static void make(struct mw_spool *spool, const struct mw_spool_before *before)
{
	run(spool, schema);
	if (before->file) {
		mw_spool_lost(spool, before->loss, before->file, MW_CRITICAL, 1, 0);
		mw_spool_tell(spool);
	}
	/* Last: what is half made is not taken for ours. */
	run(spool, "PRAGMA user_version = 1");
	run(spool, "PRAGMA application_id = 0x4d575350");
}

int mw_spool_schema(struct mw_spool *spool, const struct mw_spool_before *before)
{
	int error, ours = is_ours(spool);

	error = mw_sql_read(spool);
	if (error || ours < 0)
		return error ? error : ours;
	/* Before the first table, or never. */
	run(spool, "PRAGMA auto_vacuum = INCREMENTAL");
	run(spool, "PRAGMA journal_mode = WAL");
	run(spool, "PRAGMA synchronous = FULL");
	run(spool, "PRAGMA journal_size_limit = 4194304");
	run(spool, "PRAGMA cell_size_check = ON");
	run(spool, "PRAGMA trusted_schema = OFF");
	error = mw_sql_read(spool);
	if (error)
		return error;
	error = mw_sql_begin(spool);
	if (error)
		return error;
	ours = is_ours(spool);
	if (!ours)
		make(spool, before);
	error = mw_sql_end(spool);
	return error ? error : ours < 0 ? ours : 0;
}

int mw_spool_check(struct mw_spool *spool, bool thorough)
{
	sqlite3_stmt *check = mw_sql_start(
	        spool, thorough ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", "");
	bool good = true;
	int error;

	while (mw_sql_step(spool, check))
		good = good && !strcmp(mw_sql_text(check, 0), "ok");
	error = mw_sql_read(spool);
	return error || good ? error : -EBADMSG;
}
