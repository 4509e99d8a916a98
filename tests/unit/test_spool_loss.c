/* What is too much leaves in order, and a record tells of it; a disk that is full and a database
 * that is corrupt cost no more than they must. */
#include "spool_of.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MANY 256

static struct mw_spool_entry entries[MANY];

static const char *const names[] = {"one"};

static int setup(void **state)
{
	struct spool_of *s;

	if (spool_setup(state))
		return -1;
	s = *state;
	return mw_spool_sinks(s->spool, names, 1);
}

static int next(struct spool_of *s)
{
	return mw_spool_next(s->spool, "one", MANY, 64 << 20, entries);
}

/* An alert of about a kilobyte. */
static json_t *large(struct spool_of *s, const char *severity, int i)
{
	char text[700], program[32];
	json_t *json;

	snprintf(program, sizeof(program), "/bin/%d", i);
	json = spool_alert(s, "exec", severity, "ab", program);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_object_set_new(json, "padding", json_string(text));
	return json;
}

static uint64_t bytes(struct spool_of *s)
{
	struct mw_spool_view view;

	assert_int_equal(mw_spool_look(s->spool, &view), 0);
	return view.bytes;
}

static void lets_the_least_severe_leave_first(void **state)
{
	static const char *const severities[] = {"low", "critical", "info", "high", "medium"};
	struct spool_of *s = *state;
	struct mw_spool_view view;
	uint64_t last = 0;
	int n, counts[5] = {0}, losses = 0, lost = 0;

	s->options.max_bytes = 64 << 10;
	spool_reopen(s);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(spool_put(s, large(s, severities[i % 5], i)), 0);
		assert_true(bytes(s) <= 64 << 10);
	}
	mw_spool_tick(s->spool);
	n = next(s);
	for (int i = 0; i < n; i++) {
		assert_true(entries[i].sequence > last); /* with gaps */
		last = entries[i].sequence;
		if (spool_text(&entries[i], "kind", NULL)) {
			losses++;
			lost += (int)spool_number(&entries[i], "lost");
		} else {
			counts[entries[i].severity]++;
		}
	}
	mw_spool_free(entries, (size_t)n);
	assert_int_equal(counts[MW_CRITICAL], 20);
	assert_int_equal(counts[MW_HIGH], 20);
	assert_int_equal(counts[MW_INFO], 0);
	assert_int_equal(counts[MW_LOW], 0);
	assert_int_equal(losses, 1);
	mw_spool_look(s->spool, &view);
	assert_int_equal(lost + n - 1, 100);
	assert_int_equal(view.evicted, lost);
	assert_int_equal(view.records, n);
	assert_int_equal(view.sinks[0].pending, n);
}

/* What every sink has goes before what one still waits for, and is no loss. */
static void lets_the_delivered_leave_before_all_others(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;
	int n;

	for (int i = 0; i < 20; i++)
		spool_put(s, large(s, "critical", i));
	n = next(s);
	mw_spool_free(entries, (size_t)n);
	mw_spool_reached(s->spool, "one", 10);
	s->options.max_bytes = bytes(s) * 3 / 4;
	spool_reopen(s);
	spool_put(s, large(s, "info", 99));
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.evicted, 0);
	n = next(s);
	assert_int_equal(n, 11);
	mw_spool_free(entries, (size_t)n);
}

static void lets_the_old_leave(void **state)
{
	struct spool_of *s = *state;
	int n;

	for (int i = 0; i < 5; i++)
		spool_put(s, large(s, "critical", i));
	s->now += 31 * 24 * HOUR;
	spool_put(s, large(s, "low", 99));
	mw_spool_tick(s->spool);
	n = next(s);
	assert_int_equal(n, 2);
	assert_string_equal(spool_text(&entries[1], "kind", NULL), "spool-age");
	assert_int_equal(spool_number(&entries[1], "lost"), 5);
	assert_string_equal(spool_text(&entries[1], "severity", NULL), "critical");
	mw_spool_free(entries, (size_t)n);
}

/* Losses are told once in a window, however many there are; and a record of a loss that has to
 * leave is told by the next. */
static void loses_no_count_of_losses(void **state)
{
	struct spool_of *s = *state;
	int64_t lost = 0;
	int n;

	s->options.max_bytes = 20 << 10;
	spool_reopen(s);
	for (int i = 0; i < 300; i++) {
		spool_put(s, large(s, "critical", i));
		s->now += SECOND;
		mw_spool_tick(s->spool);
	}
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	n = next(s);
	for (int i = 0; i < n; i++) {
		bool is_loss = spool_text(&entries[i], "kind", NULL);

		lost += is_loss ? spool_number(&entries[i], "lost") : 1;
	}
	mw_spool_free(entries, (size_t)n);
	assert_true(n < 25);
	assert_true(lost >= 298 && lost <= 300); /* the last may wait for its window */
}

static void corrupt(const char *path, off_t at, size_t len)
{
	char junk[4096];
	int fd = open(path, O_WRONLY);

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	for (; len; len -= len < sizeof(junk) ? len : sizeof(junk)) {
		size_t some = len < sizeof(junk) ? len : sizeof(junk);

		assert_int_equal(pwrite(fd, junk, some, at), (ssize_t)some);
		at += (off_t)some;
	}
	close(fd);
}

static size_t aside(struct spool_of *s, char first[static PATH_MAX])
{
	char pattern[PATH_MAX + 16];
	glob_t found = {.gl_pathc = 0};
	size_t count = 0;

	snprintf(pattern, sizeof(pattern), "%s.corrupt-*[0-9]", s->path);
	if (!glob(pattern, 0, NULL, &found)) {
		count = found.gl_pathc;
		snprintf(first, PATH_MAX, "%s", found.gl_pathv[0]);
	}
	globfree(&found);
	return count;
}

static void puts_a_corrupt_one_aside(struct spool_of *s, off_t at, size_t len)
{
	char file[PATH_MAX];
	struct stat st;
	int n;

	for (int i = 0; i < 100; i++)
		spool_put(s, large(s, "critical", i));
	mw_spool_close(s->spool); /* and its log is written back */
	s->spool = NULL;
	assert_int_equal(stat(s->path, &st), 0);
	corrupt(s->path, at, len ? len : (size_t)st.st_size);
	spool_reopen(s);
	assert_int_equal(mw_spool_sinks(s->spool, names, 1), 0);
	spool_put(s, large(s, "low", 1));
	n = next(s);
	assert_int_equal(n, 2);
	assert_int_equal(entries[0].sequence, 1);
	assert_string_equal(spool_text(&entries[0], "kind", NULL), "spool-corrupt");
	assert_int_equal(aside(s, file), 1);
	assert_non_null(json_object_get(json_object_get(entries[0].record, "hooks"), file));
	mw_spool_free(entries, (size_t)n);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void puts_a_damaged_page_aside(void **state)
{
	puts_a_corrupt_one_aside(*state, 40 << 10, 4096);
}

static void puts_a_damaged_header_aside(void **state)
{
	puts_a_corrupt_one_aside(*state, 0, 100);
}

static void puts_junk_aside(void **state)
{
	puts_a_corrupt_one_aside(*state, 0, 0);
}

/* Nothing of it is the spool's, but SQLite finds it whole. */
static void puts_a_spool_without_tables_aside(void **state)
{
	struct spool_of *s = *state;
	char command[PATH_MAX + 200], file[PATH_MAX];

	mw_spool_close(s->spool);
	s->spool = NULL;
	snprintf(command, sizeof(command),
	         "python3 -c \"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
	         " c.execute('DROP TABLE told'); c.commit()\" %s",
	         s->path);
	assert_int_equal(system(command), 0);
	spool_reopen(s);
	assert_int_equal(aside(s, file), 1);
	assert_int_equal(spool_put(s, large(s, "low", 1)), 0);
}

static void leaves_the_database_of_others_alone(void **state)
{
	struct spool_of *s = *state;
	char command[PATH_MAX + 200], why[512] = "", file[PATH_MAX];
	struct mw_spool *spool;

	snprintf(s->path, sizeof(s->path), "%s/other.db", s->folder);
	snprintf(command, sizeof(command),
	         "python3 -c \"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
	         " c.execute('CREATE TABLE mine(x)'); c.commit()\" %s",
	         s->path);
	assert_int_equal(system(command), 0);
	chmod(s->path, 0600);
	snprintf(command, sizeof(command), "cp %s %s/copy", s->path, s->folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(mw_spool_open(&s->options, &spool, why, sizeof(why)), -EMEDIUMTYPE);
	assert_non_null(strstr(why, "no spool of modelwatch"));
	assert_int_equal(aside(s, file), 0);
	snprintf(command, sizeof(command), "cmp %s %s/copy", s->path, s->folder);
	assert_int_equal(system(command), 0);
}

/* Somebody wants the alerts to be forgotten. */
static void says_that_it_was_removed(void **state)
{
	struct spool_of *s = *state;
	char command[256];
	int n;

	spool_put(s, large(s, "critical", 1));
	snprintf(command, sizeof(command),
	         "cd %s/modelwatch && rm spool.db spool.db-wal spool.db-shm", s->folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(spool_put(s, large(s, "critical", 2)), -ESTALE);
	spool_reopen(s);
	assert_int_equal(mw_spool_sinks(s->spool, names, 1), 0);
	spool_put(s, large(s, "critical", 2));
	n = next(s);
	assert_int_equal(n, 2);
	assert_string_equal(spool_text(&entries[0], "kind", NULL), "spool-gone");
	mw_spool_free(entries, (size_t)n);
	spool_reopen(s);
	assert_int_equal(next(s), 2); /* once */
	mw_spool_free(entries, 2);
}

/* Who only looks into it makes nothing, and moves nothing out of the way. */
static void leaves_what_is_there_as_it_is(void **state)
{
	struct spool_of *s = *state;
	char why[512], file[PATH_MAX];
	struct mw_spool *spool;
	struct stat st;

	mw_spool_close(s->spool);
	s->spool = NULL;
	s->options.is_there = true;
	spool_reopen(s);
	mw_spool_close(s->spool);
	s->spool = NULL;
	corrupt(s->path, 0, 100);
	assert_int_equal(mw_spool_open(&s->options, &spool, why, sizeof(why)), -EBADMSG);
	assert_int_equal(aside(s, file), 0);
	snprintf(s->path, sizeof(s->path), "%s/none/spool", s->folder);
	assert_int_equal(mw_spool_open(&s->options, &spool, why, sizeof(why)), -ENOENT);
	snprintf(s->path, sizeof(s->path), "%s/text", s->folder);
	close(open(s->path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(mw_spool_open(&s->options, &spool, why, sizeof(why)), -EMEDIUMTYPE);
	snprintf(file, sizeof(file), "%s/text.guard", s->folder);
	assert_int_equal(stat(file, &st), -1);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_size, 0);
}

/* Damage that comes while it is in use shows when a page is read; whoever opens it anew gets a new
 * one, and whoever still has the old one is told. */
static void notices_damage_while_in_use(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool *before;
	struct stat st;
	int error = 0, n;

	for (int i = 0; i < 200; i++)
		spool_put(s, large(s, "critical", i));
	spool_reopen(s);
	before = s->spool; /* which has read all of it, when it was opened */
	s->spool = NULL;
	spool_reopen(s);
	assert_int_equal(stat(s->path, &st), 0);
	corrupt(s->path, 8192, (size_t)st.st_size - 8192);
	for (int i = 0; i < 50 && !error; i++)
		error = spool_put(s, large(s, "critical", 1000 + i));
	assert_int_equal(error, -EBADMSG);
	spool_reopen(s);
	assert_int_equal(mw_spool_sinks(s->spool, names, 1), 0);
	assert_int_equal(spool_put(s, large(s, "low", 1)), 0);
	n = next(s);
	assert_int_equal(n, 2);
	mw_spool_free(entries, (size_t)n);
	assert_int_equal(mw_spool_tick(before), -ESTALE);
	assert_int_equal(mw_spool_next(before, "one", 1, 1, entries), -ESTALE);
	assert_int_equal(mw_spool_add(before, NULL, NULL, 0), -ESTALE);
	mw_spool_close(before);
}

/* A filesystem of 2 MiB, in a namespace of the child's own. */
static void in_a_small_filesystem(struct spool_of *s)
{
	char place[PATH_MAX], filler[PATH_MAX + 16], why[512];
	static char junk[512 << 10];
	struct mw_spool_view view;
	int fd, error = 0, added = 0, n;

	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", s->folder, "tmpfs", 0, geteuid() ? "size=2m" : "size=2m,mode=700"))
		_exit(77);
	snprintf(filler, sizeof(filler), "%s/filler", s->folder);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	if (write(fd, junk, sizeof(junk)) < 0)
		_exit(77);
	snprintf(place, sizeof(place), "%s/spool/db", s->folder);
	s->options.path = place;
	s->spool = NULL;
	if (mw_spool_open(&s->options, &s->spool, why, sizeof(why)) ||
	    mw_spool_sinks(s->spool, names, 1))
		_exit(1);
	for (; !error && added < 5000; added++)
		error = spool_put(s, large(s, "critical", added));
	if (error != -ENOSPC)
		_exit(2);
	if (mw_spool_look(s->spool, &view) || view.records != (uint64_t)added - 1)
		_exit(3);
	/* Also when it is opened on a full disk, and when it is made there. */
	while (write(fd, junk, 512) > 0)
		continue;
	mw_spool_close(s->spool);
	s->spool = NULL;
	if (!mw_spool_open(&s->options, &s->spool, why, sizeof(why))) {
		if (spool_put(s, large(s, "critical", added)) != -ENOSPC)
			_exit(4);
		mw_spool_close(s->spool);
	}
	snprintf(place, sizeof(place), "%s/spool/new", s->folder);
	if (!mw_spool_open(&s->options, &s->spool, why, sizeof(why)))
		_exit(5);
	/* There is room again, and nothing has been lost. */
	if (ftruncate(fd, 0))
		_exit(6);
	snprintf(place, sizeof(place), "%s/spool/db", s->folder);
	if (mw_spool_open(&s->options, &s->spool, why, sizeof(why)) ||
	    spool_put(s, large(s, "critical", added)))
		_exit(7);
	n = mw_spool_next(s->spool, "one", MANY, 64 << 20, entries);
	if (n < 2 || mw_spool_look(s->spool, &view) || view.records != (uint64_t)added)
		_exit(8);
	_exit(0);
}

static void takes_nothing_on_a_full_disk(void **state)
{
	int status;
	pid_t child = fork();

	if (!child)
		in_a_small_filesystem(*state);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, spool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(lets_the_least_severe_leave_first),
	        TEST(lets_the_delivered_leave_before_all_others),
	        TEST(lets_the_old_leave),
	        TEST(loses_no_count_of_losses),
	        TEST(puts_a_damaged_page_aside),
	        TEST(puts_a_damaged_header_aside),
	        TEST(puts_junk_aside),
	        TEST(puts_a_spool_without_tables_aside),
	        TEST(leaves_the_database_of_others_alone),
	        TEST(says_that_it_was_removed),
	        TEST(leaves_what_is_there_as_it_is),
	        TEST(notices_damage_while_in_use),
	        TEST(takes_nothing_on_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
