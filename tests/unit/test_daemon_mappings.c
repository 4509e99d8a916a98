/* Programs of our own are started, and are found: by the side-band and by a scan; deleted, in other
 * mount namespaces, in containers of one image. Needs to be root. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_mappings.h"
#include "../../tools/daemon_objects.h"
#include "../../tools/maps.h"

#define RUNTIME 0x10
#define EVENTS 8192 /* others run interpreters, too */
#define MANY 20000  /* mappings: many times what a ring holds */

/* This program is the interpreter: it holds the words that make a file worth a look. */
static const char interpreter[] = "find_class";

struct attached {
	uint64_t ino;
	dev_t dev;
};

struct world {
	struct mw_found *found;
	struct mw_mappings *mappings;
	char directory[32], path[64];
	struct attached attached[EVENTS];
	struct mw_found_process told[EVENTS];
	pid_t gone[EVENTS];
	size_t attached_count, told_count, gone_count;
	uint64_t time;
};

static int examine(void *context, const struct mw_elf *elf, struct mw_found_sites *ret)
{
	(void)context;
	(void)elf;
	ret->sites = strdup(interpreter);
	ret->size = sizeof(interpreter);
	ret->runtime = RUNTIME;
	return 0;
}

static int attach(void *context, struct mw_found_object *object)
{
	struct world *world = context;

	if (world->attached_count < EVENTS)
		world->attached[world->attached_count++] =
		        (struct attached){object->ino, object->dev};
	return 0;
}

static void detach(void *context, struct mw_found_object *object)
{
	(void)context;
	(void)object;
}

static void process(void *context, const struct mw_found_process *told)
{
	struct world *world = context;

	if (world->told_count < EVENTS)
		world->told[world->told_count++] = *told;
}

static void gone(void *context, pid_t pid, uint64_t start)
{
	struct world *world = context;

	(void)start;
	if (world->gone_count < EVENTS)
		world->gone[world->gone_count++] = pid;
}

static unsigned losses;

static void lost(void *context)
{
	(void)context;
	losses++;
}

static const struct mw_mappings_callbacks callbacks = {
        mw_found_mapped,    mw_found_exec,   mw_found_forked, mw_found_ended, lost,
        mw_found_caught_up, mw_found_scanned};

static void copy_program(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	struct stat st;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		_exit(126);
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(out, in, &at, (size_t)(st.st_size - at)) <= 0)
			_exit(126);
	close(in);
	close(out);
}

static int setup(void **state)
{
	static struct world world;
	const struct mw_found_options options = {&world, examine, attach, detach, process, gone};

	world = (struct world){.directory = "/tmp/mappings.XXXXXX"};
	*state = &world;
	if (!mkdtemp(world.directory) || mw_found_new(&options, &world.found) < 0)
		return -1;
	snprintf(world.path, sizeof(world.path), "%s/program", world.directory);
	copy_program(world.path);
	if (mw_mappings_open(&callbacks, world.found, 10, &world.mappings) < 0)
		world.mappings = NULL;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	mw_mappings_close(world->mappings);
	mw_found_free(world->found);
	unlink(world->path);
	return rmdir(world->directory);
}

static void need_root(const struct world *world)
{
	if (geteuid() || !world->mappings)
		skip();
}

static pid_t start(const char *path, const char *how)
{
	char *argv[] = {(char *)path, (char *)how, NULL};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(path, argv);
	_exit(127);
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static const struct mw_found_process *told(const struct world *world, pid_t pid)
{
	for (size_t i = 0; i < world->told_count; i++)
		if (world->told[i].pid == pid)
			return &world->told[i];
	return NULL;
}

static size_t attached(const struct world *world, uint64_t ino)
{
	size_t count = 0;

	for (size_t i = 0; i < world->attached_count; i++)
		count += world->attached[i].ino == ino;
	return count;
}

static bool is_gone(const struct world *world, pid_t pid)
{
	for (size_t i = 0; i < world->gone_count; i++)
		if (world->gone[i] == pid)
			return true;
	return false;
}

/* For up to five seconds, until `done`. */
static bool wait_for(struct world *world, bool (*done)(const struct world *world, pid_t pid),
                     pid_t pid)
{
	struct pollfd fd = {mw_mappings_fd(world->mappings), POLLIN, 0};

	for (int i = 0; i < 500 && !done(world, pid); i++) {
		if (poll(&fd, 1, 10) > 0)
			mw_mappings_poll(world->mappings);
		mw_found_tick(world->found, ++world->time);
	}
	return done(world, pid);
}

static bool is_told(const struct world *world, pid_t pid)
{
	return told(world, pid) != NULL;
}

/* Of a program that is linked to run from 0 on. */
static uint64_t bias_of(pid_t pid, uint64_t ino)
{
	struct mw_maps maps = {0};
	uint64_t bias = 0;

	assert_int_equal(mw_maps_read(pid, &maps), 0);
	for (size_t i = 0; i < maps.count && !bias; i++)
		if (maps.maps[i].ino == ino)
			bias = maps.maps[i].start;
	mw_maps_free(&maps);
	return bias;
}

/* For up to ten seconds, until it runs the file. */
static void wait_until_runs(pid_t pid, const struct world *world)
{
	struct stat st;

	assert_int_equal(stat(world->path, &st), 0);
	for (int i = 0; i < 1000 && !bias_of(pid, st.st_ino); i++)
		usleep(10000);
}

static void test_started(void **state)
{
	struct world *world = *state;
	struct stat st;
	pid_t first, second;

	need_root(world);
	assert_int_equal(stat(world->path, &st), 0);
	first = start(world->path, "wait");
	second = start(world->path, "wait");
	assert_true(wait_for(world, is_told, first));
	assert_true(wait_for(world, is_told, second));
	assert_int_equal(attached(world, st.st_ino), 1);
	assert_int_equal(told(world, first)->bias, bias_of(first, st.st_ino));
	assert_int_equal(told(world, second)->runtime, bias_of(second, st.st_ino) + RUNTIME);
	assert_true(told(world, first)->start > 0);
	stop(first);
	assert_true(wait_for(world, is_gone, first));
	assert_false(is_gone(world, second));
	stop(second);
	assert_true(wait_for(world, is_gone, second));
}

/* Where nothing happens nobody is woken, and the next program is told of all the same. On a machine
 * that is never calm it is told of by the timer. */
static void test_calm(void **state)
{
	struct world *world = *state;
	struct pollfd fd = {mw_mappings_fd(world->mappings), POLLIN, 0};
	pid_t pid;

	need_root(world);
	for (int i = 0; i < 300 && poll(&fd, 1, 100); i++)
		mw_mappings_poll(world->mappings);
	pid = start(world->path, "wait");
	assert_true(wait_for(world, is_told, pid));
	stop(pid);
	assert_true(wait_for(world, is_gone, pid));
}

/* The child of `pid` that came and went. */
static const struct mw_found_process *child_of(const struct world *world, pid_t pid)
{
	const struct mw_found_process *child;

	for (size_t i = 0; i < world->gone_count; i++) {
		child = told(world, world->gone[i]);
		if (world->gone[i] != pid && child && child->object == told(world, pid)->object)
			return child;
	}
	return NULL;
}

static bool has_left_child(const struct world *world, pid_t pid)
{
	return child_of(world, pid) != NULL;
}

/* Its child runs the same at first, then something else. */
static void test_family(void **state)
{
	struct world *world = *state;
	pid_t pid;

	need_root(world);
	pid = start(world->path, "family");
	assert_true(wait_for(world, is_told, pid));
	assert_true(wait_for(world, has_left_child, pid));
	assert_int_equal(child_of(world, pid)->bias, told(world, pid)->bias);
	assert_false(is_gone(world, pid));
	stop(pid);
}

static void test_deleted(void **state)
{
	struct world *world = *state;
	struct stat st;
	pid_t pid;

	need_root(world);
	assert_int_equal(stat(world->path, &st), 0);
	pid = start(world->path, "wait");
	wait_until_runs(pid, world);
	unlink(world->path);
	assert_true(wait_for(world, is_told, pid));
	assert_int_equal(attached(world, st.st_ino), 1);
	stop(pid);
}

static void test_scanned(void **state)
{
	struct world *world = *state;
	pid_t pid;

	need_root(world);
	mw_mappings_close(world->mappings);
	pid = start(world->path, "wait");
	wait_until_runs(pid, world);
	assert_int_equal(mw_mappings_open(&callbacks, world->found, 10, &world->mappings), 0);
	assert_null(told(world, pid));
	assert_int_equal(mw_mappings_scan(world->mappings), 0);
	assert_non_null(told(world, pid));
	stop(pid);
	assert_true(wait_for(world, is_gone, pid));
}

/* A container: the file is nowhere in our own mount namespace. */
static pid_t start_apart(const struct world *world, bool deleted)
{
	char path[64];
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), "%s/apart", world->directory);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mkdir(path, 0700) < 0 || mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
		_exit(125);
	strcat(path, "/program");
	copy_program(path);
	execl(path, path, deleted ? "delete" : "wait", NULL);
	_exit(127);
}

static void find_apart(struct world *world, bool deleted)
{
	char path[64];
	pid_t pid;

	need_root(world);
	pid = start_apart(world, deleted);
	assert_true(wait_for(world, is_told, pid));
	assert_true(told(world, pid)->object->ino > 0);
	stop(pid);
	snprintf(path, sizeof(path), "%s/apart", world->directory);
	assert_int_equal(rmdir(path), 0);
}

static void test_namespace(void **state)
{
	find_apart(*state, false);
}

static void test_namespace_deleted(void **state)
{
	find_apart(*state, true);
}

/* Two containers of one image: a probe on the file that lies below is one on both. */
static void test_image(void **state)
{
	struct world *world = *state;
	const char *names[] = {"upper", "work", "merged"};
	char path[2][3][96], options[1024], program[128];
	pid_t pid[2];
	struct stat st;
	bool mounted = true;

	need_root(world);
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 3; k++) {
			snprintf(path[i][k], sizeof(path[i][k]), "%.31s%s%zu", world->directory,
			         names[k], i);
			mkdir(path[i][k], 0700);
		}
		snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		         world->directory, path[i][0], path[i][1]);
		mounted &= !mount("overlay", path[i][2], "overlay", 0, options);
	}
	assert_int_equal(stat(world->path, &st), 0);
	for (size_t i = 0; mounted && i < 2; i++) {
		snprintf(program, sizeof(program), "%s/program", path[i][2]);
		pid[i] = start(program, "wait");
		assert_true(wait_for(world, is_told, pid[i]));
	}
	if (mounted) {
		assert_int_equal(attached(world, st.st_ino), 1);
		assert_int_equal(mw_mappings_scan(world->mappings), 0);
		assert_int_equal(attached(world, st.st_ino), 1);
	}
	for (size_t i = 0; i < 2; i++) {
		if (mounted)
			stop(pid[i]);
		umount2(path[i][2], MNT_DETACH);
		snprintf(options, sizeof(options), "rm -rf %s %s %s", path[i][0], path[i][1],
		         path[i][2]);
		assert_int_equal(system(options), 0);
	}
	if (!mounted)
		skip();
}

static void run_on(const cpu_set_t *cpus)
{
	assert_int_equal(sched_setaffinity(0, sizeof(*cpus), cpus), 0);
}

/* More than a ring holds between two looks: it is said at once, and counted once the kernel says
 * how much it was, with the next record of that CPU. A scan makes up for it. */
static void test_lost(void **state)
{
	struct world *world = *state;
	cpu_set_t all, first;
	pid_t pid;

	need_root(world);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&first);
	for (size_t cpu = 0; !CPU_COUNT(&first); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &first);
	run_on(&first);
	pid = start(world->path, "many");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	pid = start(world->path, "wait");
	wait_until_runs(pid, world);
	losses = 0;
	mw_mappings_poll(world->mappings);
	assert_int_equal(losses, 1);
	assert_null(told(world, pid));
	assert_int_equal(mw_mappings_scan(world->mappings), 0);
	assert_non_null(told(world, pid));
	stop(pid);
	run_on(&all);
	mw_mappings_poll(world->mappings);
	assert_true(mw_mappings_lost(world->mappings) > 0);
	assert_int_equal(losses, 2);
}

/* What this program does when it is the one that is started. */
_Noreturn static void be_started(const char *self, const char *how)
{
	if (!strcmp(how, "delete"))
		unlink(self);
	if (!strcmp(how, "family") && !fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		usleep(100000);
		execl("/bin/sleep", "sleep", "100", NULL);
	}
	for (int i = 0; !strcmp(how, "many"); i++) {
		int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

		close(fd);
		munmap(at, 4096);
		if (i == MANY)
			_exit(0);
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	        TEST(test_started), TEST(test_family),    TEST(test_deleted),
	        TEST(test_scanned), TEST(test_namespace), TEST(test_namespace_deleted),
	        TEST(test_image),   TEST(test_lost),      TEST(test_calm),
	};

	if (argc > 1)
		be_started(argv[0], argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
