/* SQLite for the spool: statements by their text, one error a transaction. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "spool_parts.h"
#include "spool_place.h"

static int errno_of_io(sqlite3 *db)
{
	int error = sqlite3_system_errno(db);

	return error == ENOSPC || error == EDQUOT ? -ENOSPC : -EIO;
}

/* A transaction that SQLite has to give up because of this has been rolled back by it. */
static int errno_of(sqlite3 *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		return errno_of_io(db);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
		return -EBADMSG; /* our statements fit our tables, when these are what we made */
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -EMSGSIZE;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(db) ? -sqlite3_system_errno(db) : -EACCES;
	case SQLITE_ERROR:
		return -EBADMSG; /* a table that is not there */
	default:
		return -EIO;
	}
}

int mw_sql_error(struct mw_spool *spool, int code)
{
	int error = errno_of(spool->db, code);

	if (error == -EBADMSG)
		mw_guard_suspect(spool->guard);
	if (error && !spool->error)
		spool->error = error;
	return error;
}

/* Texts are constants, so their address tells them apart. */
static sqlite3_stmt *prepared(struct mw_spool *spool, const char *text)
{
	size_t i = 0;

	while (i < MW_SPOOL_STATEMENTS && spool->statements[i].text &&
	       spool->statements[i].text != text)
		i++;
	if (i == MW_SPOOL_STATEMENTS) {
		spool->error = -ENOMEM;
		return NULL;
	}
	if (!spool->statements[i].text) {
		if (mw_sql_error(spool,
		                 sqlite3_prepare_v3(spool->db, text, -1, SQLITE_PREPARE_PERSISTENT,
		                                    &spool->statements[i].statement, NULL)))
			return NULL;
		spool->statements[i].text = text;
	}
	return spool->statements[i].statement;
}

static void bind(struct mw_spool *spool, sqlite3_stmt *statement, const char *types, va_list values)
{
	for (int i = 0; types[i]; i++) {
		int code;

		if (types[i] == 'i')
			code = sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
		else if (types[i] == 'f')
			code = sqlite3_bind_double(statement, i + 1, va_arg(values, double));
		else
			code = sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1,
			                         SQLITE_TRANSIENT);
		mw_sql_error(spool, code);
	}
}

static sqlite3_stmt *start(struct mw_spool *spool, const char *text, const char *types,
                           va_list values)
{
	sqlite3_stmt *statement = spool->error ? NULL : prepared(spool, text);

	if (statement)
		bind(spool, statement, types, values);
	return statement;
}

sqlite3_stmt *mw_sql_start(struct mw_spool *spool, const char *text, const char *types, ...)
{
	sqlite3_stmt *statement;
	va_list values;

	va_start(values, types);
	statement = start(spool, text, types, values);
	va_end(values);
	return statement;
}

void mw_sql_stop(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

bool mw_sql_step(struct mw_spool *spool, sqlite3_stmt *statement)
{
	int code;

	if (!statement || spool->error) {
		if (statement)
			mw_sql_stop(statement);
		return false;
	}
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return true;
	mw_sql_error(spool, code);
	mw_sql_stop(statement);
	return false;
}

void mw_sql_do(struct mw_spool *spool, const char *text, const char *types, ...)
{
	sqlite3_stmt *statement;
	va_list values;

	va_start(values, types);
	statement = start(spool, text, types, values);
	va_end(values);
	while (mw_sql_step(spool, statement))
		continue;
}

int64_t mw_sql_number(struct mw_spool *spool, int64_t otherwise, const char *text,
                      const char *types, ...)
{
	sqlite3_stmt *statement;
	va_list values;

	va_start(values, types);
	statement = start(spool, text, types, values);
	va_end(values);
	if (!mw_sql_step(spool, statement))
		return otherwise;
	if (sqlite3_column_type(statement, 0) != SQLITE_NULL)
		otherwise = sqlite3_column_int64(statement, 0);
	mw_sql_stop(statement);
	return otherwise;
}

const char *mw_sql_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

int mw_sql_read(struct mw_spool *spool)
{
	int error = spool->error;

	spool->error = 0;
	return error;
}

int mw_sql_here(struct mw_spool *spool)
{
	int moved = 0;

	sqlite3_file_control(spool->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return moved ? -ESTALE : 0;
}

int mw_sql_begin(struct mw_spool *spool)
{
	int error = mw_sql_here(spool);

	if (error)
		return error;
	mw_sql_do(spool, "BEGIN IMMEDIATE", "");
	return mw_sql_read(spool);
}

int mw_sql_end(struct mw_spool *spool)
{
	int error;

	mw_sql_do(spool, "COMMIT", "");
	error = mw_sql_read(spool);
	if (error && !sqlite3_get_autocommit(spool->db)) {
		mw_sql_do(spool, "ROLLBACK", "");
		mw_sql_read(spool);
	}
	return error;
}
