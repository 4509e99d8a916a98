/* Records go from the monitor to its courier through memory, which is written over again and again;
 * couriers that come and go get each of them once. */
#include "spool_of.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "../../courier/intake.h"
#include "../../tools/courier_ring.h"

#define ROOM 65536
#define RECORDS 4000

struct pair {
	struct mw_courier_ring ring;
	struct mw_intake *intake;
	struct mw_spool_source source;
	int ends[2];
	uint64_t base; /* records that are acknowledged */
};

/* As one who may only write files of that size. */
static void open_small(struct mw_courier_ring *ring)
{
	struct rlimit was, limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	limit.rlim_cur = ROOM;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(mw_courier_ring_open(ring), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(ring->size, ROOM);
}

static void start(struct pair *p)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->ends), 0);
	assert_int_equal(mw_intake_open(p->ends[1], &p->intake), 0);
	assert_int_equal(mw_intake_follow(p->intake, p->ring.fd, p->ring.tail,
	                                  mw_courier_ring_turn(&p->ring)),
	                 0);
	p->source.first = p->base + 1;
}

static void stop(struct pair *p)
{
	mw_intake_close(p->intake);
	close(p->ends[0]);
	close(p->ends[1]);
}

static void open_pair(struct pair *p)
{
	*p = (struct pair){.source.id = "0197c5f0-0000-7000-8000-000000000001"};
	open_small(&p->ring);
	start(p);
}

static void close_pair(struct pair *p)
{
	stop(p);
	mw_courier_ring_close(&p->ring);
}

static bool keep(const struct spool_of *s, struct pair *p, int i)
{
	char program[32], *text, *padding;
	json_t *json;
	size_t len = (size_t)(rand() % 9 ? rand() % 900 : rand() % 30000);
	bool kept;

	snprintf(program, sizeof(program), "/bin/%d", i);
	json = spool_alert(s, "exec", "high", "ab", program);
	padding = calloc(1, len + 1);
	memset(padding, 'x', len);
	json_object_set_new(json, "padding", json_string(padding));
	text = json_dumps(json, JSON_COMPACT);
	len = strlen(text);
	text[len] = '\n';
	kept = mw_courier_ring_keep(&p->ring, text, len + 1);
	json_decref(json);
	free(padding);
	free(text);
	return kept;
}

/* What the courier has taken now, the monitor hears of later, or, of one that dies, never. */
static uint64_t take_all(struct spool_of *s, struct pair *p)
{
	int n;

	do
		n = mw_intake_take(p->intake, s->spool, &p->source);
	while (n > 0 || mw_intake_has(p->intake));
	assert_int_equal(n, 0);
	return mw_intake_taken(p->intake);
}

static void acknowledge(struct spool_of *s, struct pair *p)
{
	uint64_t all = p->source.first - 1 + take_all(s, p);

	mw_courier_ring_forget(&p->ring, (size_t)(all - p->base));
	p->base = all;
}

/* In the order of their numbers, each once. */
static void check(struct spool_of *s, int count)
{
	static struct mw_spool_entry entries[64];
	char program[32];
	int seen = 0, n;

	while ((n = mw_spool_next(s->spool, "one", 64, 1 << 20, entries)) > 0) {
		for (int i = 0; i < n; i++) {
			snprintf(program, sizeof(program), "/bin/%d", seen++);
			assert_string_equal(
			        json_string_value(json_object_get(
			                json_object_get(
			                        json_object_get(entries[i].record, "effect"),
			                        "detail"),
			                "path")),
			        program);
		}
		assert_int_equal(mw_spool_reached(s->spool, "one", entries[n - 1].sequence), 0);
		mw_spool_free(entries, (size_t)n);
	}
	assert_int_equal(seen, count);
}

static int setup(void **state)
{
	static const char *const names[] = {"one"};
	struct spool_of *s;

	if (spool_setup(state))
		return -1;
	s = *state;
	s->options.window_ns = 0;
	spool_reopen(s);
	return mw_spool_sinks(s->spool, names, 1);
}

static void takes_each_once_while_couriers_come_and_go(void **state)
{
	struct spool_of *s = *state;
	struct pair p;

	srand(7);
	open_pair(&p);
	for (int i = 0; i < RECORDS; i++) {
		while (!keep(s, &p, i))
			acknowledge(s, &p);
		if (rand() % 10 == 0)
			acknowledge(s, &p);
		if (rand() % 100 == 0) { /* it is killed before it could say so */
			take_all(s, &p);
			stop(&p);
			start(&p);
		}
	}
	acknowledge(s, &p);
	close_pair(&p);
	check(s, RECORDS);
}

static void takes_nothing_that_is_the_next_ones(void **state)
{
	struct spool_of *s = *state;
	struct pair p, late;

	open_pair(&p);
	for (int i = 0; i < 100; i++) {
		late = p;
		start(&p);
		assert_true(keep(s, &p, i));
		acknowledge(s, &p);
		assert_int_equal(mw_intake_take(late.intake, s->spool, &late.source), 0);
		assert_true(mw_intake_ended(late.intake));
		stop(&late);
	}
	close_pair(&p);
	check(s, 100);
}

static void gives_what_is_left_after_the_monitors_end(void **state)
{
	struct spool_of *s = *state;
	struct pair p;
	int count = 0;

	open_pair(&p);
	while (keep(s, &p, count))
		count++;
	assert_true(count > 10);
	assert_false(mw_intake_ended(p.intake));
	shutdown(p.ends[0], SHUT_RDWR);
	assert_int_equal(take_all(s, &p), count);
	assert_int_equal(mw_intake_take(p.intake, s->spool, &p.source), 0);
	assert_true(mw_intake_ended(p.intake));
	close_pair(&p);
	check(s, count);
}

static void bounds_how_many(void **state)
{
	struct mw_courier_ring ring;
	size_t count = 0;

	(void)state;
	assert_int_equal(mw_courier_ring_open(&ring), 0);
	while (mw_courier_ring_keep(&ring, "{}\n", 3))
		count++;
	assert_int_equal(count, 65536);
	mw_courier_ring_forget(&ring, 10);
	for (int i = 0; i < 10; i++)
		assert_true(mw_courier_ring_keep(&ring, "{}\n", 3));
	assert_false(mw_courier_ring_keep(&ring, "{}\n", 3));
	mw_courier_ring_close(&ring);
}

/* Neither a courier that was taken over nor a job that finds the descriptor changes what is told.
 */
static void lets_nobody_else_write(void **state)
{
	struct mw_courier_ring ring;
	char path[64];
	int fd;

	(void)state;
	assert_int_equal(mw_courier_ring_open(&ring), 0);
	assert_true(write(ring.fd, "x", 1) < 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ring.fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		assert_true(write(fd, "x", 1) < 0);
		assert_true(ftruncate(fd, 0) < 0);
		close(fd);
	}
	mw_courier_ring_close(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(takes_each_once_while_couriers_come_and_go, setup,
	                                        spool_teardown),
	        cmocka_unit_test_setup_teardown(takes_nothing_that_is_the_next_ones, setup,
	                                        spool_teardown),
	        cmocka_unit_test_setup_teardown(gives_what_is_left_after_the_monitors_end, setup,
	                                        spool_teardown),
	        cmocka_unit_test(bounds_how_many),
	        cmocka_unit_test(lets_nobody_else_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
