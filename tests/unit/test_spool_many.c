/* Many processes share a spool and are killed while they use it: what was acknowledged is there,
 * once. */
#include "spool_of.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 6
#define EACH 300 /* records of a worker */
#define BATCH 7
#define KILLS 60

static const char *const names[] = {"one"};

/* What the monitors remember: how many of their records are acknowledged. */
static struct memory {
	volatile uint64_t taken[WORKERS];
	volatile uint64_t received, twice, begun;
	volatile uint8_t seen[WORKERS][EACH];
} * memory;

static struct mw_spool *open_it(const struct spool_of *s)
{
	struct mw_spool_options options = s->options;
	struct mw_spool *spool;
	char why[512];

	options.clock = NULL;
	if (mw_spool_open(&options, &spool, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		_exit(1);
	}
	return spool;
}

static json_t *record_of(const struct spool_of *s, int worker, uint64_t number)
{
	char program[32];
	json_t *json;

	snprintf(program, sizeof(program), "/bin/%d-%d", worker, (int)number);
	json = spool_alert(s, "exec", "high", "ab", program);
	json_object_set_new(json, "worker", json_integer(worker));
	json_object_set_new(json, "number", json_integer((json_int_t)number));
	return json;
}

/* Sends what is not acknowledged, as a courier does that is started anew. */
static void work(const struct spool_of *s, int worker)
{
	struct mw_spool *spool = open_it(s);
	struct mw_spool_source source = {.first = 0};
	json_t *records[BATCH];
	int error;

	snprintf(source.id, sizeof(source.id), "worker-%d", worker);
	while (memory->taken[worker] < EACH) {
		size_t count = 0;

		source.first = memory->taken[worker] + 1;
		for (; count < BATCH && source.first + count <= EACH; count++)
			records[count] = record_of(s, worker, source.first + count);
		error = mw_spool_add(spool, &source, records, count);
		if (error)
			_exit(2);
		memory->taken[worker] += count;
		while (count)
			json_decref(records[--count]);
		mw_spool_tick(spool);
	}
	mw_spool_close(spool);
	_exit(0);
}

static void receive(const struct mw_spool_entry *entry)
{
	json_int_t worker = spool_number(entry, "worker"), number = spool_number(entry, "number");

	if (memory->seen[worker][number - 1]++)
		memory->twice++;
	else
		memory->received++;
}

/* The sender: what it was killed before acknowledging comes again. */
static void ship(const struct spool_of *s)
{
	struct mw_spool *spool = open_it(s);
	struct mw_spool_entry entries[32];
	int n;

	while (memory->received < WORKERS * EACH) {
		n = mw_spool_next(spool, "one", 32, 1 << 20, entries);
		if (n < 0)
			_exit(3);
		for (int i = 0; i < n; i++)
			receive(&entries[i]);
		if (n && mw_spool_reached(spool, "one", entries[n - 1].sequence))
			_exit(4);
		mw_spool_free(entries, (size_t)n);
		if (!n)
			usleep(1000);
	}
	mw_spool_close(spool);
	_exit(0);
}

static pid_t start(const struct spool_of *s, int i)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (i < WORKERS)
		work(s, i);
	ship(s);
	_exit(9);
}

/* Returns whether it has ended well. */
static bool await(pid_t pid, bool may_be_killed)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && may_be_killed)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("status %x", status);
	return true;
}

static void loses_nothing_when_killed(void **state)
{
	struct spool_of *s = *state;
	pid_t pids[WORKERS + 1];
	struct mw_spool_view view;
	unsigned int seed = 7;

	assert_int_equal(mw_spool_sinks(s->spool, names, 1), 0);
	mw_spool_close(s->spool);
	s->spool = NULL;
	for (int i = 0; i <= WORKERS; i++)
		pids[i] = start(s, i);
	for (int kill_count = 0; kill_count < KILLS; kill_count++) {
		int i = rand_r(&seed) % (WORKERS + 1);

		usleep(1000 + rand_r(&seed) % 20000);
		kill(pids[i], SIGKILL);
		if (await(pids[i], true))
			pids[i] = -1;
		pids[i] = start(s, i);
	}
	for (int i = 0; i <= WORKERS; i++)
		await(pids[i], false);
	assert_int_equal(memory->received, WORKERS * EACH);
	s->options.clock = NULL;
	spool_reopen(s);
	assert_int_equal(mw_spool_look(s->spool, &view), 0);
	assert_int_equal(view.records, WORKERS * EACH);
	assert_int_equal(view.added, WORKERS * EACH);
	assert_int_equal(view.sinks[0].pending, 0);
	assert_int_equal(view.sinks[0].reached, WORKERS * EACH);
	printf("# %d came twice\n", (int)memory->twice);
}

/* They all make it at once. */
static void is_made_once(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;
	pid_t pids[20];

	snprintf(s->path, sizeof(s->path), "%s/new/spool", s->folder);
	for (int i = 0; i < 20; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			struct mw_spool *spool = open_it(s);
			json_t *record = record_of(s, i, 1);

			_exit(mw_spool_add(spool, NULL, &record, 1) ? 1 : 0);
		}
	}
	for (int i = 0; i < 20; i++)
		await(pids[i], false);
	spool_reopen(s);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.records, 20);
}

/* A thousand processes with the same finding: one record, and the count. */
static void counts_over_processes(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_entry entries[16];
	pid_t pids[50];
	int n;

	assert_int_equal(mw_spool_sinks(s->spool, names, 1), 0);
	for (int i = 0; i < 50; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			struct mw_spool *spool = open_it(s);
			json_t *record = spool_alert(s, "exec", "high", "ab", "/bin/sh");

			for (int times = 0; times < 20; times++) {
				if (mw_spool_add(spool, NULL, &record, 1))
					_exit(1);
				if (!times)
					__sync_fetch_and_add(&memory->begun, 1);
			}
			while (memory->begun < 50)
				usleep(1000);
			if (mw_spool_finish(spool))
				_exit(2);
			mw_spool_close(spool);
			_exit(0);
		}
	}
	for (int i = 0; i < 50; i++)
		await(pids[i], false);
	n = mw_spool_next(s->spool, "one", 16, 1 << 20, entries);
	/* One at once, one when the count had doubled and doubled again, and one by the last. */
	assert_true(n >= 2 && n <= 12);
	assert_int_equal(spool_number(&entries[n - 1], "count"), 1000);
	mw_spool_free(entries, (size_t)n);
}

static int setup(void **state)
{
	memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	return memory == MAP_FAILED ? -1 : spool_setup(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, spool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(loses_nothing_when_killed),
	        TEST(is_made_once),
	        TEST(counts_over_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
