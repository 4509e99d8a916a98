/* A spool is opened and closed. */
#include "spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../tools/journal.h"
#include "../tools/when.h"
#include "spool_parts.h"
#include "spool_place.h"

#define BUSY_TRIES 3000 /* half a minute */
#define HOUR (INT64_C(3600) * 1000000000)

int64_t mw_spool_now(const struct mw_spool *spool)
{
	const struct mw_spool_options *options = &spool->options;

	return options->clock ? options->clock(options->clock_context) : mw_when_now();
}

/* The user's lies beside the journal. */
static int default_path(bool is_daemon, char path[static PATH_MAX])
{
	static const char name[] = "/spool.db";
	char *slash;

	if (is_daemon) {
		strcpy(path, "/var/lib/modelwatch/spool.db");
		return 0;
	}
	if (mw_journal_path(path, PATH_MAX - sizeof(name)))
		return -ENOENT;
	slash = strrchr(path, '/');
	strcpy(slash, name);
	return 0;
}

int mw_spool_defaults(struct mw_spool_options *options, bool is_daemon, char path[static PATH_MAX])
{
	*options = (struct mw_spool_options){
	        .path = path,
	        .max_bytes = UINT64_C(1) << 30,
	        .max_age_ns = 30 * 24 * HOUR,
	        .keep_ns = 72 * HOUR,
	        .window_ns = HOUR / 60,
	        .window_max_ns = HOUR,
	        .per_rule_minute = 600,
	        .per_artifact_minute = 120,
	};
	return default_path(is_daemon, path);
}

/* SQLite's own way to wait for its turn sleeps for ever longer, up to 100 ms, while others who have
 * just come are served. */
static int wait_for_turn(void *context, int tries)
{
	unsigned int ms = 1 + (unsigned int)tries / 8, random = 0;
	struct timespec time;

	(void)context;
	if (tries > BUSY_TRIES)
		return 0;
	if (ms > 20)
		ms = 20;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (unsigned int)tries;
	time = (struct timespec){.tv_nsec = 1 + random % (ms * 1000000)};
	nanosleep(&time, NULL);
	return 1;
}

static int connect_to(struct mw_spool *spool)
{
	int code = sqlite3_open_v2(spool->path, &spool->db,
	                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
	                                   SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW |
	                                   SQLITE_OPEN_EXRESCODE,
	                           NULL);

	if (!spool->db)
		return -ENOMEM;
	mw_sql_error(spool, code);
	sqlite3_busy_handler(spool->db, wait_for_turn, NULL);
	sqlite3_db_config(spool->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return mw_sql_read(spool);
}

static void disconnect(struct mw_spool *spool)
{
	for (size_t i = 0; i < MW_SPOOL_STATEMENTS; i++)
		sqlite3_finalize(spool->statements[i].statement);
	memset(spool->statements, 0, sizeof(spool->statements));
	sqlite3_close(spool->db);
	spool->db = NULL;
}

/* What cannot be read any more makes room for what can. */
static int replace(struct mw_spool *spool)
{
	char aside[PATH_MAX];
	const struct mw_spool_before before = {MW_LOST_CORRUPT, aside};
	int error;

	disconnect(spool);
	/* Whoever goes on for us, when we are killed, knows what was wrong with it. */
	mw_guard_suspect(spool->guard);
	error = mw_place_aside(spool->path, mw_spool_now(spool), aside);
	if (!error)
		error = connect_to(spool);
	return error ? error : mw_spool_schema(spool, &before);
}

/* Where a spool has been and there is none, somebody has removed it; or he who put it aside was
 * killed, and its name is not known. */
static int open_entered(struct mw_spool *spool, const struct mw_guard_view *view)
{
	char aside[PATH_MAX + 16];
	struct mw_spool_before before = {MW_LOST_GONE, view->is_new ? NULL : spool->path};
	int error = connect_to(spool);

	snprintf(aside, sizeof(aside), "%s.corrupt-*", spool->path);
	if (view->suspect)
		before = (struct mw_spool_before){MW_LOST_CORRUPT, aside};
	if (!error && (view->first || view->suspect))
		error = mw_spool_check(spool, view->suspect);
	if (!error)
		error = mw_spool_schema(spool, &before);
	return error == -EBADMSG && !spool->options.is_there ? replace(spool) : error;
}

static void explain(int error, const struct mw_spool *spool, char *why, size_t why_size)
{
	const char *what = strerror(-error);

	if (error == -EMEDIUMTYPE)
		what = "this is no spool of modelwatch";
	if (error == -EPROTONOSUPPORT)
		what = "another version of modelwatch has made this spool";
	if (error == -EBADMSG)
		what = "this is corrupt, or no spool; who puts something in puts it aside";
	if (error == -EBUSY)
		what = "somebody holds the spool locked";
	snprintf(why, why_size, "%.300s: %s", spool->path, what);
}

static int open_guarded(struct mw_spool *spool, char *why, size_t why_size)
{
	bool is_there = spool->options.is_there;
	struct mw_guard_view view;
	int error = mw_place_folder(spool->options.path, is_there, spool->path, why, why_size);

	if (error)
		return error;
	spool->guard = mw_guard_enter(spool->path, is_there, &view);
	if (spool->guard < 0) {
		explain(spool->guard, spool, why, why_size);
		return spool->guard;
	}
	error = mw_place_file(spool->path, is_there, why, why_size);
	if (error)
		return error;
	error = open_entered(spool, &view);
	if (error)
		explain(error, spool, why, why_size);
	else
		mw_guard_leave(spool->guard);
	return error;
}

static void bound(int64_t *ns)
{
	const int64_t most = 20 * 365 * 24 * HOUR;

	if (*ns < 0)
		*ns = 0;
	if (*ns > most)
		*ns = most;
}

/* No sum of a time and some of them runs over. */
static void bound_options(struct mw_spool_options *options)
{
	bound(&options->max_age_ns);
	bound(&options->keep_ns);
	bound(&options->window_ns);
	bound(&options->window_max_ns);
	if (options->window_max_ns < options->window_ns)
		options->window_max_ns = options->window_ns;
	if (options->max_bytes > INT64_MAX)
		options->max_bytes = INT64_MAX;
}

int mw_spool_open(const struct mw_spool_options *options, struct mw_spool **ret, char *why,
                  size_t why_size)
{
	struct mw_spool *spool = calloc(1, sizeof(*spool));
	int error;

	if (!spool) {
		snprintf(why, why_size, "not enough memory");
		return -ENOMEM;
	}
	spool->options = *options;
	bound_options(&spool->options);
	spool->guard = -1;
	error = open_guarded(spool, why, why_size);
	if (error) {
		mw_spool_close(spool);
		return error;
	}
	*ret = spool;
	return 0;
}

void mw_spool_close(struct mw_spool *spool)
{
	if (!spool)
		return;
	disconnect(spool);
	if (spool->guard >= 0)
		close(spool->guard);
	free(spool);
}
