/* Whoever puts a corrupt spool aside may be killed, or be refused, at every step: the next one
 * finds a spool that is whole, and beside it all that was in the other. */
#include "spool_of.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define RECORDS 100
#define DIED 7

static const char *const names[] = {"one"};

/* Steps until the process dies, or until one is refused; 0: never. */
static int until_death, until_refusal;

static int step(void)
{
	if (until_death && !--until_death)
		_exit(DIED);
	if (!until_refusal || --until_refusal)
		return 0;
	errno = EIO;
	return -1;
}

/* In the place of the C library's. */
int link(const char *from, const char *to)
{
	return step() ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int rename(const char *from, const char *to)
{
	return step() ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
	return step() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mknod(const char *path, mode_t mode, dev_t device)
{
	return step() ? -1 : (int)syscall(SYS_mknodat, AT_FDCWD, path, mode, device);
}

static void run(const char *path, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int64_t count_in(const char *path)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	int64_t count;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_prepare_v2(db, "SELECT COUNT(*) FROM entries", -1, &statement, NULL),
	        SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

static int in_a_child(int (*what)(struct spool_of *s), struct spool_of *s)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(what(s));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* All of it is in the log alone when it dies, and that a table is missing, too. */
static int fill_and_die(struct spool_of *s)
{
	char program[32];

	spool_reopen(s);
	if (mw_spool_sinks(s->spool, names, 1))
		return 1;
	for (int i = 0; i < RECORDS; i++) {
		snprintf(program, sizeof(program), "/bin/%d", i);
		if (spool_put(s, spool_alert(s, "exec", "high", "ab", program)))
			return 1;
	}
	run(s->path, "DROP TABLE told");
	return 0;
}

static int open_it(struct spool_of *s)
{
	char why[512];

	s->spool = NULL;
	return mw_spool_open(&s->options, &s->spool, why, sizeof(why)) ? 1 : 0;
}

/* One database with all of it is aside, and nothing of it is in the new one. */
static void check(struct spool_of *s)
{
	struct mw_spool_entry entries[4];
	char pattern[PATH_MAX + 16];
	glob_t found = {.gl_pathc = 0};

	spool_reopen(s);
	assert_int_equal(mw_spool_sinks(s->spool, names, 1), 0);
	assert_int_equal(spool_put(s, spool_alert(s, "exec", "low", "ab", "/bin/new")), 0);
	assert_int_equal(mw_spool_next(s->spool, "one", 4, 1 << 20, entries), 2);
	assert_string_equal(spool_text(&entries[0], "kind", NULL), "spool-corrupt");
	mw_spool_free(entries, 2);
	mw_spool_close(s->spool);
	s->spool = NULL;
	assert_int_equal(count_in(s->path), 2);
	snprintf(pattern, sizeof(pattern), "%s.corrupt-*[0-9]", s->path);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	assert_int_equal(count_in(found.gl_pathv[0]), RECORDS);
	globfree(&found);
}

/* Somebody has it open, as a sender has: so its log is not written back before it is put aside. */
static sqlite3 *holder;

static void hold(const char *path)
{
	assert_int_equal(sqlite3_open(path, &holder), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(holder, "BEGIN; SELECT COUNT(*) FROM entries", NULL, NULL, NULL),
	        SQLITE_OK);
}

static void let_go(void)
{
	sqlite3_close(holder);
	holder = NULL;
}

static void begin_again(struct spool_of *s)
{
	char command[256];

	let_go();
	mw_spool_close(s->spool);
	s->spool = NULL;
	snprintf(command, sizeof(command), "rm -rf '%s/modelwatch'", s->folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(in_a_child(fill_and_die, s), 0);
	hold(s->path);
}

static void dies_at_every_step(void **state)
{
	struct spool_of *s = *state;
	int at = 0, ended = DIED;

	for (; ended == DIED; at++) {
		begin_again(s);
		until_death = at + 1;
		ended = in_a_child(open_it, s);
		until_death = 0;
		check(s);
	}
	assert_int_equal(ended, 0);
	assert_true(at > 5); /* link, rename, three logs, mknod */
	let_go();
}

static void is_refused_every_step(void **state)
{
	struct spool_of *s = *state;
	int at = 0, failed = 1;

	for (; failed; at++) {
		begin_again(s);
		until_refusal = at + 1;
		failed = open_it(s);
		until_refusal = 0;
		check(s);
	}
	assert_true(at > 5);
	let_go();
}

/* One that is found corrupt twice within a moment keeps both. */
static void keeps_every_one(void **state)
{
	struct spool_of *s = *state;
	char pattern[PATH_MAX + 16];
	glob_t found = {.gl_pathc = 0};

	for (int i = 0; i < 3; i++) {
		mw_spool_close(s->spool);
		s->spool = NULL;
		assert_int_equal(in_a_child(fill_and_die, s), 0);
		spool_reopen(s);
	}
	snprintf(pattern, sizeof(pattern), "%s.corrupt-*[0-9]", s->path);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 3);
	globfree(&found);
}

/* The log of a spool that was removed without it is not the next one's. */
static void takes_no_log_of_another(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_entry entries[4];

	begin_again(s);
	assert_int_equal(unlink(s->path), 0);
	spool_reopen(s);
	assert_int_equal(mw_spool_sinks(s->spool, names, 1), 0);
	assert_int_equal(mw_spool_next(s->spool, "one", 4, 1 << 20, entries), 1);
	assert_string_equal(spool_text(&entries[0], "kind", NULL), "spool-gone");
	mw_spool_free(entries, 1);
	let_go();
}

/* What could not be made has not been removed. */
static void accuses_nobody_of_what_was_never_there(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;
	char command[256];

	mw_spool_close(s->spool);
	s->spool = NULL;
	snprintf(command, sizeof(command), "rm -rf '%s/modelwatch'", s->folder);
	assert_int_equal(system(command), 0);
	until_refusal = 4; /* of the database itself */
	assert_int_equal(open_it(s), 1);
	assert_int_equal(until_refusal, 0);
	spool_reopen(s);
	assert_int_equal(mw_spool_look(s->spool, &view), 0);
	assert_int_equal(view.records, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(dies_at_every_step),
	        TEST(is_refused_every_step),
	        TEST(keeps_every_one),
	        TEST(takes_no_log_of_another),
	        TEST(accuses_nobody_of_what_was_never_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
