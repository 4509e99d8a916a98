/* The time of loads. A thread of its own looks at the clock while loads with a limit are open. One
 * whose time is over is judged; denied, its thread gets an exception. What does not end then, since
 * it is in C code that never comes back to the interpreter, ends with the process.
 *
 * The GIL comes before the lock where both are held; the watchdog itself never waits for the GIL.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ext.h"

#define TICK_MS 50
#define GRACE_MS 5000
#define IDLE_TICKS 20 /* without a load, until the watchdog waits to be woken */
#define STACK_SIZE (512u << 10)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t opened, judged;
	struct mw_load *first;
	uint64_t judging; /* id of the load that is being judged, or 0 */
	bool runs, minds_children;
	bool sleeps; /* until `opened` is signalled */
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What the thread of a load is interrupted with: no `except Exception` catches it. */
static PyObject *out_of_time;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct mw_load *find(uint64_t id)
{
	struct mw_load *load = watch.first;

	while (load && load->id != id)
		load = load->limit.next;
	return load;
}

/* Starts a thread that takes no signal of the job's. */
static int start(void *(*run)(void *), void *argument)
{
	struct mw_thread *thread = mw_shim->thread();
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t id;
	int error;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	thread->busy++;
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&id, &attributes, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	thread->busy--;
	pthread_attr_destroy(&attributes);
	return error;
}

/* Waits for the GIL in the watchdog's place: it may not come for long. */
static void *interrupt(void *argument)
{
	uint64_t id, thread = 0;
	struct mw_load *load;
	PyGILState_STATE state;

	memcpy(&id, argument, sizeof(id));
	free(argument);
	state = PyGILState_Ensure();
	pthread_mutex_lock(&watch.lock);
	load = find(id);
	if (load) {
		load->limit.interrupted = true;
		thread = load->limit.thread;
	}
	pthread_mutex_unlock(&watch.lock);
	if (thread)
		PyThreadState_SetAsyncExc((unsigned long)thread, out_of_time);
	PyGILState_Release(state);
	return NULL;
}

static void send_interrupt(uint64_t id)
{
	uint64_t *argument = Py_IsInitialized() ? malloc(sizeof(*argument)) : NULL;

	if (!argument)
		return;
	*argument = id;
	if (start(interrupt, argument))
		free(argument);
}

/* Judges in the place of the load's thread, which goes on meanwhile, by a copy of the load. */
static bool is_denied(const struct mw_load *original, const char *op)
{
	struct mw_thread *thread = mw_shim->thread();
	const struct mw_effect effect = {.class = MW_LIMIT,
	                                 .cause = MW_BY_UNKNOWN,
	                                 .sensor = MW_PYTHON,
	                                 .op = op,
	                                 .number = (int64_t)mw_shim->limits->time};
	struct mw_load load = *original;
	struct mw_answer answer;

	load.outer = NULL;
	load.denied = false;
	for (size_t i = 0; i < MW_WIRE_GLOBALS; i++) /* one may just have been written */
		load.seen[i][MW_GLOBAL_TEXT - 1] = '\0';
	thread->load = &load;
	thread->stands_in = true;
	mw_shim->judge(&effect, NULL, 0, 0, &answer);
	thread->load = NULL;
	return answer.verdict >= MW_DENY;
}

static _Noreturn void end_process(void)
{
	for (;;)
		syscall(SYS_kill, getpid(), SIGKILL);
}

/* Called with the lock, which is given up while the monitor is asked; the load stays open that
 * long. */
static void judge(struct mw_load *load)
{
	bool again = load->limit.judged, denied;

	watch.judging = load->id;
	pthread_mutex_unlock(&watch.lock);
	denied = is_denied(load, again ? "hang" : "time");
	if (again && denied)
		end_process();
	pthread_mutex_lock(&watch.lock);
	load->limit.judged = true;
	load->limit.refused = !again && denied;
	if (load->limit.refused)
		send_interrupt(load->id);
	watch.judging = 0;
	pthread_cond_broadcast(&watch.judged);
}

static uint64_t time_of(const struct mw_load *load)
{
	if (!load->limit.judged)
		return mw_shim->limits->time;
	return load->limit.refused ? mw_shim->limits->time + GRACE_MS : UINT64_MAX - TICK_MS;
}

/* A process that was stopped meanwhile has not used its time: no step counts for more than two. */
static void step(uint64_t ms)
{
	struct mw_load *late = NULL;

	for (struct mw_load *load = watch.first; load; load = load->limit.next) {
		load->limit.elapsed += ms < 2 * TICK_MS ? ms : 2 * TICK_MS;
		if (load->limit.elapsed >= time_of(load) + TICK_MS) /* its first was no whole one */
			late = load;
	}
	if (late)
		judge(late);
}

static void wait_a_tick(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&watch.opened, &watch.lock, &until);
}

/* Short loads that follow each other are not to wake anybody each time. */
static void *look(void *unused)
{
	uint64_t before = now_ms();
	uint32_t idle = 0;

	(void)unused;
	pthread_mutex_lock(&watch.lock);
	for (;;) {
		uint64_t now;

		idle = watch.first ? 0 : idle + 1;
		watch.sleeps = idle > IDLE_TICKS;
		if (watch.sleeps)
			pthread_cond_wait(&watch.opened, &watch.lock);
		else
			wait_a_tick();
		now = now_ms();
		step(now - before);
		before = now;
	}
	return NULL;
}

static void make_conditions(void)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&watch.opened, &attributes);
	pthread_cond_init(&watch.judged, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* The watchdog does not live in a child, and the loads of other threads are not open there. */
static void in_child(void)
{
	pthread_mutex_init(&watch.lock, NULL);
	make_conditions();
	watch.first = NULL;
	watch.judging = 0;
	watch.runs = watch.sleeps = false;
	for (struct mw_load *load = mw_shim->thread()->load; load; load = load->outer)
		load->limit.thread = 0;
}

static bool get_ready(void)
{
	if (!out_of_time)
		out_of_time = PyErr_NewException("modelwatch.OutOfTime", PyExc_BaseException, NULL);
	PyErr_Clear();
	if (!watch.minds_children) {
		make_conditions();
		watch.minds_children = !pthread_atfork(NULL, NULL, in_child);
	}
	if (!watch.runs)
		watch.runs = !start(look, NULL);
	return out_of_time && watch.minds_children && watch.runs;
}

void mw_watch(struct mw_load *load)
{
	if (!get_ready())
		return;
	mw_describe(load);
	mw_locate(load);
	mw_shim->load_id(load);
	load->limit.thread = (uint64_t)pthread_self();
	pthread_mutex_lock(&watch.lock);
	load->limit.next = watch.first;
	watch.first = load;
	if (watch.sleeps)
		pthread_cond_signal(&watch.opened);
	pthread_mutex_unlock(&watch.lock);
}

static void take_out(const struct mw_load *load)
{
	struct mw_load **at = &watch.first;

	while (*at && *at != load)
		at = &(*at)->limit.next;
	if (*at)
		*at = load->limit.next;
}

void mw_unwatch(struct mw_load *load)
{
	pthread_mutex_lock(&watch.lock);
	while (watch.judging && watch.judging == load->id)
		pthread_cond_wait(&watch.judged, &watch.lock);
	take_out(load);
	pthread_mutex_unlock(&watch.lock);
	if (load->limit.interrupted)
		PyThreadState_SetAsyncExc((unsigned long)load->limit.thread, NULL);
}
