/* Containers' names by the Container Runtime Interface, from runtimes that answer well, badly, or
 * not at all. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/container_states.h"
#include "../../tools/cri.h"
#include "cri_runtime.h"

static char path[64], other[64];
static struct mw_container_state told;
static int answers, tellings;

static void take(void *context, const char *id, const struct mw_container_state *state)
{
	assert_ptr_equal(context, &answers);
	assert_string_equal(id, CRI_HEX);
	told = state ? *state : (struct mw_container_state){0};
	answers++;
	tellings += state != NULL;
}

static int start(void **unused)
{
	(void)unused;
	snprintf(path, sizeof(path), "/tmp/mw-cri-%d", (int)getpid());
	snprintf(other, sizeof(other), "/tmp/mw-cri-other-%d", (int)getpid());
	answers = tellings = 0;
	return 0;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct mw_cri *open_cri(const char *first, const char *second)
{
	json_t *sockets = json_pack("[s, s*]", first, second);
	struct mw_cri *cri;

	assert_int_equal(mw_cri_new(sockets, take, &answers, &cri), 0);
	json_decref(sockets);
	return cri;
}

/* Until it is answered; no turn may take long. Returns how long it all took. */
static double finish(struct mw_cri *cri)
{
	struct pollfd fd = {.fd = mw_cri_fd(cri), .events = POLLIN};
	double begin = seconds(), turn;
	int before = answers;

	while (answers == before && seconds() - begin < 20) {
		turn = seconds();
		mw_cri_poll(cri);
		assert_true(seconds() - turn < 0.5);
		poll(&fd, 1, 100);
	}
	assert_int_equal(answers, before + 1);
	return seconds() - begin;
}

static double ask_at(enum cri_how how, uint64_t failed)
{
	pid_t runtime = cri_start(path, how);
	struct mw_cri *cri = open_cri(path, NULL);
	struct mw_cri_counts counts;
	double took;

	assert_true(mw_cri_ask(cri, CRI_HEX));
	took = finish(cri);
	mw_cri_counts(cri, &counts);
	assert_int_equal(counts.asked, 1);
	assert_int_equal(counts.failed, failed);
	mw_cri_free(cri);
	cri_stop(runtime, path);
	return took;
}

static void expect_all(void)
{
	assert_int_equal(tellings, 1);
	assert_string_equal(told.runtime, "containerd");
	assert_string_equal(told.name, "trainer");
	assert_string_equal(told.image, "reg.example/train:1");
	assert_string_equal(told.pod, "train-0");
	assert_string_equal(told.namespace, "ml");
	assert_string_equal(told.uid, CRI_UID);
}

static void runtime_tells(void **unused)
{
	static const enum cri_how hows[] = {CRI_TELLS, CRI_TELLS_PLAINLY, CRI_TELLS_MUCH};

	(void)unused;
	for (size_t i = 0; i < sizeof(hows) / sizeof(*hows); i++) {
		tellings = 0;
		ask_at(hows[i], 0);
		expect_all();
	}
}

/* What has been told stays, when nothing tells of the pod. */
static void runtime_has_no_pod(void **unused)
{
	(void)unused;
	ask_at(CRI_HAS_NO_POD, 0);
	assert_int_equal(tellings, 1);
	assert_string_equal(told.image, "reg.example/train:1");
	assert_string_equal(told.pod, "");
}

static void runtime_knows_nothing(void **unused)
{
	(void)unused;
	ask_at(CRI_KNOWS_NOT, 0);
	ask_at(CRI_CANNOT, 0);
	assert_int_equal(tellings, 0);
}

static void bad_answers_are_none(void **unused)
{
	static const enum cri_how hows[] = {CRI_FAILS,         CRI_ANSWERS_OTHER, CRI_SAYS_NONSENSE,
	                                    CRI_SAYS_TOO_MUCH, CRI_SAYS_PARTS,    CRI_COMPRESSES,
	                                    CRI_BREAKS_OFF,    CRI_HANGS_UP,      CRI_SENDS_NOISE};

	(void)unused;
	for (size_t i = 0; i < sizeof(hows) / sizeof(*hows); i++)
		assert_true(ask_at(hows[i], 1) < MW_CRI_DEADLINE_MS / 1000.0);
	assert_int_equal(tellings, 0);
}

/* All of them at once. */
static void silence_has_an_end(void **unused)
{
	static const enum cri_how hows[] = {CRI_IS_SILENT, CRI_IS_SLOW, CRI_PINGS};
	enum { COUNT = sizeof(hows) / sizeof(*hows) };
	struct mw_cri_counts counts;
	struct mw_cri *cris[COUNT];
	char paths[COUNT][80];
	pid_t runtimes[COUNT];
	double begin = seconds();

	(void)unused;
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s-%zu", path, i);
		runtimes[i] = cri_start(paths[i], hows[i]);
		cris[i] = open_cri(paths[i], NULL);
		assert_true(mw_cri_ask(cris[i], CRI_HEX));
	}
	while (answers < COUNT && seconds() - begin < 20) {
		for (size_t i = 0; i < COUNT; i++)
			mw_cri_poll(cris[i]);
		usleep(10000);
	}
	assert_int_equal(answers, COUNT);
	assert_int_equal(tellings, 0);
	assert_true(seconds() - begin < MW_CRI_DEADLINE_MS / 1000.0 + 2);
	for (size_t i = 0; i < COUNT; i++) {
		mw_cri_counts(cris[i], &counts);
		assert_int_equal(counts.failed, 1);
		mw_cri_free(cris[i]);
		cri_stop(runtimes[i], paths[i]);
	}
}

/* A runtime that fails does not keep the next one from being asked. */
static void next_one_is_asked(void **unused)
{
	static const enum cri_how hows[] = {CRI_KNOWS_NOT, CRI_SENDS_NOISE, CRI_ANSWERS_OTHER};

	(void)unused;
	for (size_t i = 0; i < sizeof(hows) / sizeof(*hows); i++) {
		pid_t first = cri_start(path, hows[i]), second = cri_start(other, CRI_TELLS);
		struct mw_cri *cri = open_cri(path, other);

		tellings = 0;
		assert_true(mw_cri_ask(cri, CRI_HEX));
		finish(cri);
		expect_all();
		mw_cri_free(cri);
		cri_stop(first, path);
		cri_stop(second, other);
	}
}

static void nobody_is_there(void **unused)
{
	struct mw_cri *cri = open_cri(path, NULL);
	json_t *none = json_array();
	struct mw_cri_counts counts;

	(void)unused;
	assert_true(mw_cri_ask(cri, CRI_HEX));
	mw_cri_poll(cri);
	assert_int_equal(answers, 1);
	assert_int_equal(tellings, 0);
	mw_cri_counts(cri, &counts);
	assert_int_equal(counts.failed, 0);
	mw_cri_free(cri);

	assert_int_equal(mw_cri_new(none, take, &answers, &cri), 0);
	assert_false(mw_cri_ask(cri, CRI_HEX));
	mw_cri_free(cri);
	json_decref(none);
}

/* Root does not listen to a socket that somebody else has put there. */
static void other_users_are_not_believed(void **unused)
{
	struct mw_cri_counts counts;
	struct mw_cri *cri;
	pid_t runtime;

	(void)unused;
	if (getuid())
		skip();
	assert_int_equal(seteuid(65534), 0);
	runtime = cri_start(path, CRI_TELLS);
	assert_int_equal(seteuid(0), 0);
	cri = open_cri(path, NULL);
	assert_true(mw_cri_ask(cri, CRI_HEX));
	finish(cri);
	assert_int_equal(tellings, 0);
	mw_cri_counts(cri, &counts);
	assert_int_equal(counts.failed, 1);
	mw_cri_free(cri);
	cri_stop(runtime, path);
}

/* So many can wait; the rest is refused, and nothing is lost of those that are not. */
static void queue_is_bounded(void **unused)
{
	pid_t runtime = cri_start(path, CRI_TELLS);
	struct mw_cri *cri = open_cri(path, NULL);

	(void)unused;
	for (int i = 0; i < MW_CRI_WAITING; i++)
		assert_true(mw_cri_ask(cri, CRI_HEX));
	assert_false(mw_cri_ask(cri, CRI_HEX));
	for (int i = 0; i < MW_CRI_WAITING; i++)
		finish(cri);
	assert_int_equal(tellings, MW_CRI_WAITING);
	mw_cri_free(cri);
	cri_stop(runtime, path);
}

static int news;

static void take_news(void *context, const char *id)
{
	assert_ptr_equal(context, &news);
	assert_string_equal(id, CRI_HEX);
	news++;
}

static struct mw_container_states *open_states(void)
{
	json_t *sockets = json_pack("[s]", path);
	struct mw_container_states *states;

	assert_int_equal(mw_container_states_new("/nonexistent", sockets, &states), 0);
	json_decref(sockets);
	return states;
}

/* Asked for, twice; then what has come is there. */
static const struct mw_container_state *learn(struct mw_container_states *states,
                                              const struct mw_cgroup *cgroup)
{
	struct pollfd fd = {.fd = mw_container_states_fd(states), .events = POLLIN};
	struct mw_container_counts counts;
	double begin = seconds();

	news = 0;
	assert_string_equal(mw_container_states_get(states, cgroup)->image, "");
	assert_string_equal(mw_container_states_get(states, cgroup)->image, "");
	do {
		mw_container_states_poll(states, take_news, &news);
		mw_container_states_counts(states, &counts);
		poll(&fd, 1, 20);
	} while (counts.found + counts.missing == 0 && seconds() - begin < 20);
	assert_int_equal(counts.found + counts.missing, 1);
	return mw_container_states_get(states, cgroup);
}

static void answer_comes_to_the_container(void **unused)
{
	struct mw_cgroup cgroup = {
	        .container = CRI_HEX, .pod = CRI_UID, .container_trust = MW_CGROUP_HOST};
	struct mw_container_states *states = open_states();
	pid_t runtime = cri_start(path, CRI_TELLS);

	(void)unused;
	told = *learn(states, &cgroup);
	assert_int_equal(news, 1);
	tellings = 1;
	expect_all();
	mw_container_states_free(states);

	/* It is not in the pod that the control group names. */
	states = open_states();
	strcpy(cgroup.pod, "another-pod");
	assert_string_equal(learn(states, &cgroup)->image, "");
	mw_container_states_free(states);
	cri_stop(runtime, path);
}

/* What Docker and Podman run by themselves is not in any CRI. */
static void others_are_not_asked_for(void **unused)
{
	struct mw_cgroup cgroup = {
	        .container = CRI_HEX, .runtime = "docker", .container_trust = MW_CGROUP_HOST};
	struct mw_container_states *states = open_states();
	struct mw_container_counts counts;

	(void)unused;
	assert_string_equal(mw_container_states_get(states, &cgroup)->image, "");
	mw_container_states_counts(states, &counts);
	assert_int_equal(counts.missing, 1);
	mw_container_states_free(states);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(runtime_tells, start),
	        cmocka_unit_test_setup(runtime_has_no_pod, start),
	        cmocka_unit_test_setup(runtime_knows_nothing, start),
	        cmocka_unit_test_setup(bad_answers_are_none, start),
	        cmocka_unit_test_setup(silence_has_an_end, start),
	        cmocka_unit_test_setup(next_one_is_asked, start),
	        cmocka_unit_test_setup(nobody_is_there, start),
	        cmocka_unit_test_setup(other_users_are_not_believed, start),
	        cmocka_unit_test_setup(queue_is_bounded, start),
	        cmocka_unit_test_setup(answer_comes_to_the_container, start),
	        cmocka_unit_test_setup(others_are_not_asked_for, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
