/* What becomes of a job when its monitor is killed, with real ones: this program starts a monitor,
 * which starts a keeper and a worker behind the filter, and is killed in the middle of the worker's
 * calls. */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../core/floor.h"
#include "../../tools/floor_filter.h"
#include "../../tools/floor_gate.h"
#include "../../tools/floor_keeper.h"
#include "../../tools/floor_start.h"

#define CALLS 1000 /* that the worker makes after the kill */
#define KILL_AFTER 300
#define PATIENCE_MS 20000

/* What happened, in memory that all share. */
struct seen {
	_Atomic int done;             /* calls that returned */
	_Atomic int started, refused; /* of those: went on to the kernel, failed with EPERM */
	_Atomic long longest_us;      /* the longest call */
	_Atomic int talk;             /* errno of the worker's call to the monitor */
	_Atomic int in_hand;          /* the monitor has received one and keeps it */
	_Atomic int killed;           /* the monitor was */
};

static struct seen *seen;

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void call_once(void)
{
	long start = now_us(), took;
	int error = unlink("/nonexistent/by/test") ? errno : 0;

	took = now_us() - start;
	if (took > seen->longest_us)
		seen->longest_us = took;
	seen->started += error == ENOENT;
	seen->refused += error == EPERM;
	seen->done++;
}

static _Noreturn void work(const struct sock_fprog *filter, int socket)
{
	if (mw_floor_enter(filter, socket))
		_exit(1);
	for (int left = CALLS; left > 0; left -= seen->killed)
		call_once();
	seen->talk = prctl(MW_FLOOR_CALL, 0, 0, 0, 0) < 0 ? errno : 0;
	_exit(0);
}

/* Receives one and never answers it. */
static void take_in_hand(int listener, struct mw_keeper_page *page)
{
	seen->in_hand = !ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &page->slot[7].notif);
	for (;;)
		pause();
}

static _Noreturn void monitor(bool closed, bool hold, int errors)
{
	struct mw_keeper_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
	                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct mw_floor_options options = {0};
	struct mw_keeper keeper = {0};
	struct sock_fprog filter;
	struct mw_gate *gate;
	int ends[2], listener;
	pid_t worker;

	dup2(errors, STDERR_FILENO);
	if (page == MAP_FAILED || mw_floor_filter(&options, &filter) ||
	    mw_keeper_start(page, closed, &keeper) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		_exit(1);
	worker = fork();
	if (!worker)
		work(&filter, ends[1]);
	close(ends[1]);
	listener = mw_floor_listener(worker, ends[0]);
	if (listener < 0 || mw_keeper_give(&keeper, listener) ||
	    (!hold && mw_gate_start(listener, page, &gate)) || mw_floor_go(ends[0]))
		_exit(1);
	if (hold)
		take_in_hand(listener, page);
	for (;;)
		pause();
}

static void wait_for(_Atomic int *count, int value)
{
	long end = now_us() + PATIENCE_MS * 1000L;
	const struct timespec moment = {.tv_nsec = 100000};

	while (*count < value && now_us() < end)
		nanosleep(&moment, NULL);
	assert_true(*count >= value);
}

/* Until none is left of those that the monitor left behind, which we inherit: the worker, and the
 * keeper that has to find out by itself that it has no more to do. */
static void wait_for_all(void)
{
	long end = now_us() + PATIENCE_MS * 1000L;
	const struct timespec moment = {.tv_nsec = 1000000};
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 && now_us() < end)
		nanosleep(&moment, NULL);
	assert_int_equal(pid, -1);
	assert_int_equal(errno, ECHILD);
}

static void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	seen->killed = 1;
	wait_for_all();
}

static pid_t start(bool closed, bool hold, int *ret_errors)
{
	int errors[2];
	pid_t pid;

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(pipe(errors), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(errors[0]);
		monitor(closed, hold, errors[1]);
	}
	close(errors[1]);
	*ret_errors = errors[0];
	return pid;
}

static void said(int errors, const char *text)
{
	char out[512];
	ssize_t n, len = 0;

	while ((n = read(errors, out + len, sizeof(out) - 1 - (size_t)len)) > 0)
		len += n;
	out[len] = '\0';
	close(errors);
	assert_string_equal(out, text);
}

static bool usable(void)
{
	bool no_new_privs;
	int error = mw_floor_try(&no_new_privs);

	if (error)
		print_message("no floor here: %s\n", mw_floor_why(error));
	return !error;
}

static void die_amid(bool closed, const char *text)
{
	int errors;
	pid_t pid;

	if (!usable())
		skip();
	pid = start(closed, false, &errors);
	wait_for(&seen->done, KILL_AFTER);
	finish(pid);
	said(errors, text);
	assert_true(seen->done >= KILL_AFTER + CALLS);
	assert_int_equal(seen->started + seen->refused, seen->done);
	assert_int_equal(seen->talk, ESRCH);
	print_message("the longest of %d calls took %ld us\n", seen->done, (long)seen->longest_us);
}

static void the_job_goes_on(void **state)
{
	(void)state;
	die_amid(false,
	         "modelwatch: the monitor has died; the job goes on without it, unwatched\n");
	assert_int_equal(seen->refused, 0);
}

static void the_job_is_refused_when_the_policy_says_so(void **state)
{
	(void)state;
	die_amid(true, "modelwatch: the monitor has died; what the floor guards is refused\n");
	assert_true(seen->started >= KILL_AFTER);
	assert_true(seen->refused > 0);
}

static void what_was_in_hand_is_answered(void **state)
{
	long end = now_us() + PATIENCE_MS * 1000L;
	int errors;
	pid_t pid;

	(void)state;
	if (!usable())
		skip();
	pid = start(false, true, &errors);
	while (!seen->in_hand && now_us() < end)
		sched_yield();
	assert_int_equal(seen->in_hand, 1);
	assert_int_equal(seen->done, 0);
	finish(pid);
	close(errors);
	assert_int_equal(seen->started, seen->done);
}

/* A monitor that is only stopped is not dead. */
static void a_stopped_monitor_is_waited_for(void **state)
{
	int errors, status, before;
	pid_t pid;

	(void)state;
	if (!usable())
		skip();
	pid = start(true, false, &errors);
	wait_for(&seen->done, 10);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	usleep(50000);
	before = seen->done;
	usleep(300000);
	assert_int_equal(seen->done, before);
	kill(pid, SIGCONT);
	wait_for(&seen->done, before + 100);
	assert_int_equal(seen->refused, 0);
	finish(pid);
	close(errors);
}

static void a_farewell_is_no_death(void **state)
{
	static struct mw_keeper_page page;
	struct mw_keeper keeper;
	pid_t pid;

	(void)state;
	assert_int_equal(mw_keeper_start(&page, false, &keeper), 0);
	pid = keeper.pid;
	assert_int_equal(getpgid(pid), pid);
	mw_keeper_dismiss(&keeper);
	assert_int_equal(keeper.pid, 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int setup(void **state)
{
	(void)state;
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return seen == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_job_goes_on),
	        cmocka_unit_test(the_job_is_refused_when_the_policy_says_so),
	        cmocka_unit_test(what_was_in_hand_is_answered),
	        cmocka_unit_test(a_stopped_monitor_is_waited_for),
	        cmocka_unit_test(a_farewell_is_no_death),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
