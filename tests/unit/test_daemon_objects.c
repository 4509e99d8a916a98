/* The table of what was found on this host, fed by hand: which files are looked into, and how
 * often; attached once, detached after their time; processes, and what is known of them. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_objects.h"

#define SECOND UINT64_C(1000000000)
#define CODE 0x1000        /* where the code starts in the file, */
#define CODE_VADDR 0x3000  /* and as linked */
#define ADDRESS 0x7f000000 /* where it is mapped */
#define RUNTIME 0x5000
#define MARK 0x200

/* What the files of this test say of themselves, behind their headers. */
struct mark {
	char word[16]; /* makes it worth a look */
	uint8_t has_sites, has_runtime;
	uint16_t version;
	uint32_t serial;
};

struct world {
	struct mw_found *found;
	char directory[32];
	unsigned examined, attached, detached, told, gone;
	bool refuse;
	struct mw_found_process last;
	char last_path[256];
};

static int examine(void *context, const struct mw_elf *elf, struct mw_found_sites *ret)
{
	struct world *world = context;
	struct mark mark;
	int r;

	world->examined++;
	r = elf->read(elf->userdata, MARK, &mark, sizeof(mark));
	if (r < 0)
		return r;
	ret->version = mark.version;
	ret->runtime = mark.has_runtime ? RUNTIME : 0;
	if (!mark.has_sites)
		return 0;
	ret->sites = malloc(sizeof(mark.serial));
	assert_non_null(ret->sites);
	memcpy(ret->sites, &mark.serial, sizeof(mark.serial));
	ret->size = sizeof(mark.serial);
	return 0;
}

static int attach(void *context, struct mw_found_object *object)
{
	struct world *world = context;
	struct stat st;

	assert_int_equal(fstat(object->path_fd, &st), 0);
	assert_int_equal(st.st_ino, object->ino);
	snprintf(world->last_path, sizeof(world->last_path), "%s", object->path);
	world->attached++;
	return world->refuse ? -EPERM : 0;
}

static void detach(void *context, struct mw_found_object *object)
{
	struct world *world = context;

	assert_true(object->attached);
	world->detached++;
}

static void process(void *context, const struct mw_found_process *told)
{
	struct world *world = context;

	world->last = *told;
	world->told++;
}

static void gone(void *context, pid_t pid, uint64_t start)
{
	struct world *world = context;

	assert_true(pid > 0 && start);
	world->gone++;
}

static int setup(void **state)
{
	static struct world world;
	const struct mw_found_options options = {&world, examine, attach, detach, process, gone};

	world = (struct world){.directory = "/tmp/objects.XXXXXX"};
	assert_non_null(mkdtemp(world.directory));
	assert_int_equal(mw_found_new(&options, &world.found), 0);
	mw_found_tick(world.found, SECOND);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	struct mw_found_counts counts = mw_found_counts(world->found);
	char command[64];

	mw_found_free(world->found);
	assert_int_equal(world->attached - world->detached, counts.refused);
	snprintf(command, sizeof(command), "rm -r %s", world->directory);
	return system(command);
}

static const char *path_of(const struct world *world, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	return path;
}

static void write_file(const struct world *world, const char *name, struct mark mark)
{
	static uint8_t file[CODE + 0x100];
	Elf64_Ehdr header = {.e_ident = ELFMAG,
	                     .e_machine = EM_X86_64,
	                     .e_phoff = sizeof(header),
	                     .e_phentsize = sizeof(Elf64_Phdr),
	                     .e_phnum = 2};
	Elf64_Phdr segments[2] = {
	        {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = CODE},
	        {.p_type = PT_LOAD,
	         .p_flags = PF_R | PF_X,
	         .p_offset = CODE + 0x10, /* in the middle of a page, as lld has it */
	         .p_vaddr = CODE_VADDR + 0x10,
	         .p_filesz = 0xf0},
	};
	int fd = open(path_of(world, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

#if !defined(__x86_64__)
	header.e_machine = EM_AARCH64;
#endif
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	memset(file, 0, sizeof(file));
	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), segments, sizeof(segments));
	memcpy(file + MARK, &mark, sizeof(mark));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, sizeof(file)), sizeof(file));
	close(fd);
}

static void map_in(const struct world *world, const char *name, pid_t pid)
{
	struct mw_mapping mapping = {.pid = pid,
	                             .address = ADDRESS,
	                             .length = 0x1000,
	                             .offset = CODE,
	                             .generation = 5,
	                             .path = path_of(world, name)};
	struct stat st;

	assert_int_equal(stat(mapping.path, &st), 0);
	mapping.dev = st.st_dev;
	mapping.ino = st.st_ino;
	mw_found_mapped(world->found, &mapping);
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static const struct mark interpreter = {"find_class", 1, 1, 0x030c, 1};
static const struct mark unpickler = {"find_class", 1, 0, 0x0309, 2};
static const struct mark nothing = {"find_class", 0, 0, 0, 0};

/* Whoever it is mapped by; a file that is none is not even looked at again. */
static void test_once(void **state)
{
	struct world *world = *state;
	uint64_t examined;

	write_file(world, "python", interpreter);
	write_file(world, "other", nothing);
	write_file(world, "dull", (struct mark){.word = "dull", .has_sites = 1});
	for (int i = 0; i < 3; i++) {
		map_in(world, "python", getpid());
		map_in(world, "other", getpid());
		map_in(world, "dull", getpid());
		mw_found_tick(world->found, (uint64_t)(5 + i * 5) * SECOND);
	}
	assert_int_equal(world->examined, 2);
	assert_int_equal(world->attached, 1);
	examined = mw_found_counts(world->found).examined;
	assert_int_equal(examined, 3);
	assert_int_equal(mw_found_counts(world->found).objects, 1);
}

static void test_process(void **state)
{
	struct world *world = *state;

	write_file(world, "python", interpreter);
	map_in(world, "python", getpid());
	map_in(world, "python", getpid());
	assert_int_equal(world->told, 1);
	assert_int_equal(world->last.pid, getpid());
	assert_int_equal(world->last.bias, ADDRESS - CODE_VADDR);
	assert_int_equal(world->last.runtime, ADDRESS - CODE_VADDR + RUNTIME);
	assert_int_equal(world->last.version, 0x030c);
	mw_found_exec(world->found, getpid());
	assert_int_equal(world->gone, 1);
	assert_int_equal(mw_found_counts(world->found).processes, 0);
}

/* Another object of the process tells the version, or else the name does. */
static void test_version(void **state)
{
	struct world *world = *state;
	struct mark silent = interpreter;

	silent.version = 0;
	write_file(world, "embedded", silent);
	write_file(world, "_pickle.so", unpickler);
	write_file(world, "libpython3.13.so.1.0", silent);
	map_in(world, "embedded", getpid());
	assert_int_equal(world->last.version, 0);
	map_in(world, "_pickle.so", getpid());
	assert_int_equal(world->told, 2);
	assert_int_equal(world->last.version, 0x0309);
	mw_found_exec(world->found, getpid());
	map_in(world, "libpython3.13.so.1.0", getpid());
	assert_int_equal(world->last.version, 0x030d);
}

static void test_grace(void **state)
{
	struct world *world = *state;
	pid_t pid = start();

	write_file(world, "python", interpreter);
	map_in(world, "python", pid);
	mw_found_tick(world->found, 100 * SECOND);
	mw_found_tick(world->found, 200 * SECOND);
	assert_int_equal(world->detached, 0);
	stop(pid);
	mw_found_ended(world->found, pid, pid);
	assert_int_equal(world->gone, 1);
	mw_found_tick(world->found, 201 * SECOND);
	mw_found_tick(world->found, 260 * SECOND);
	assert_int_equal(world->detached, 0);
	mw_found_tick(world->found, 261 * SECOND);
	assert_int_equal(world->detached, 1);
	map_in(world, "python", getpid());
	assert_int_equal(world->attached, 2);
}

/* In use again within its time. */
static void test_grace_ends(void **state)
{
	struct world *world = *state;

	write_file(world, "python", interpreter);
	map_in(world, "python", getpid());
	mw_found_exec(world->found, getpid());
	mw_found_tick(world->found, 100 * SECOND);
	map_in(world, "python", getpid());
	mw_found_tick(world->found, 170 * SECOND);
	mw_found_exec(world->found, getpid());
	mw_found_tick(world->found, 171 * SECOND);
	mw_found_tick(world->found, 230 * SECOND);
	assert_int_equal(world->detached, 0);
}

static void test_fork(void **state)
{
	struct world *world = *state;
	pid_t pid = start();

	write_file(world, "python", interpreter);
	map_in(world, "python", getpid());
	mw_found_forked(world->found, pid, getpid());
	assert_int_equal(world->told, 1);
	mw_found_caught_up(world->found);
	mw_found_caught_up(world->found);
	assert_int_equal(world->told, 2);
	assert_int_equal(world->last.pid, pid);
	assert_int_equal(world->last.runtime, ADDRESS - CODE_VADDR + RUNTIME);
	/* One of its threads, then itself, while it still is there. */
	mw_found_ended(world->found, pid, pid + 1);
	mw_found_ended(world->found, pid, pid);
	assert_int_equal(world->gone, 0);
	stop(pid);
	mw_found_tick(world->found, 5 * SECOND);
	assert_int_equal(world->gone, 1);
	mw_found_forked(world->found, getpid(), getppid());
	assert_int_equal(world->gone, 2);
}

/* Nobody is told of a child that has become another program by the time all has been read. */
static void test_fork_and_exec(void **state)
{
	struct world *world = *state;
	pid_t first = start(), second = start();

	write_file(world, "python", interpreter);
	map_in(world, "python", getpid());
	mw_found_forked(world->found, first, getpid());
	mw_found_exec(world->found, first);
	mw_found_forked(world->found, second, getpid());
	assert_int_equal(world->gone, 1);
	mw_found_caught_up(world->found);
	assert_int_equal(world->told, 2);
	assert_int_equal(world->last.pid, second);
	stop(first);
	stop(second);
}

/* However many come at once. */
static void test_many_forks(void **state)
{
	struct world *world = *state;
	pid_t pid = start();

	write_file(world, "python", interpreter);
	map_in(world, "python", getpid());
	for (unsigned i = 0; i < 200; i++) {
		mw_found_forked(world->found, pid, getpid());
		mw_found_exec(world->found, pid);
	}
	mw_found_forked(world->found, pid, getpid());
	mw_found_caught_up(world->found);
	assert_int_equal(world->told, 2);
	assert_int_equal(world->last.pid, pid);
	stop(pid);
}

/* Written over in place, by somebody who may: what it is now counts. */
static void test_changed(void **state)
{
	struct world *world = *state;
	struct mark later = interpreter;

	write_file(world, "file", nothing);
	map_in(world, "file", getpid());
	assert_int_equal(world->attached, 0);
	mw_found_tick(world->found, 10 * SECOND);
	write_file(world, "file", interpreter);
	map_in(world, "file", getpid());
	assert_int_equal(world->attached, 1);
	later.serial = 9;
	write_file(world, "file", later);
	map_in(world, "file", getpid());
	assert_int_equal(world->attached, 2);
	assert_int_equal(world->detached, 1);
	/* Another link to it changes the inode, not the code. */
	assert_int_equal(chmod(path_of(world, "file"), 0755), 0);
	map_in(world, "file", getpid());
	assert_int_equal(world->attached, 2);
	mw_found_exec(world->found, getpid());
	mw_found_tick(world->found, 20 * SECOND);
	assert_int_equal(mw_found_counts(world->found).objects, 1);
}

/* Only for root's own files is a second's rest given. */
static void test_others_may_write(void **state)
{
	struct world *world = *state;

	write_file(world, "file", nothing);
	assert_int_equal(chmod(path_of(world, "file"), 0722), 0);
	map_in(world, "file", getpid());
	write_file(world, "file", interpreter);
	map_in(world, "file", getpid());
	assert_int_equal(world->attached, 1);
}

static void test_knows(void **state)
{
	struct world *world = *state;
	struct stat st;

	write_file(world, "file", nothing);
	assert_int_equal(stat(path_of(world, "file"), &st), 0);
	assert_false(mw_found_knows(world->found, st.st_dev, st.st_ino));
	map_in(world, "file", getpid());
	assert_true(mw_found_knows(world->found, st.st_dev, st.st_ino));
}

/* What cannot be attached to is counted, and its processes are known all the same. */
static void test_refused(void **state)
{
	struct world *world = *state;

	world->refuse = true;
	write_file(world, "python", interpreter);
	map_in(world, "python", getpid());
	map_in(world, "python", getpid());
	assert_int_equal(world->attached, 1);
	assert_int_equal(world->told, 1);
	assert_int_equal(mw_found_counts(world->found).refused, 1);
	assert_int_equal(mw_found_counts(world->found).attached, 0);
}

/* Gone before we came, or a file that is not the one that was mapped. */
static void test_unopened(void **state)
{
	struct world *world = *state;
	struct mw_mapping mapping = {.pid = getpid(), .address = ADDRESS, .length = 0x1000};

	write_file(world, "python", interpreter);
	mapping.path = path_of(world, "python");
	mapping.dev = makedev(254, 0);
	mapping.ino = 1;
	mw_found_mapped(world->found, &mapping);
	assert_int_equal(mw_found_counts(world->found).unopened, 1);
	assert_int_equal(world->examined, 0);
}

static void test_scan(void **state)
{
	struct world *world = *state;
	pid_t pid = start();

	write_file(world, "python", interpreter);
	write_file(world, "_pickle.so", unpickler);
	map_in(world, "python", getpid());
	map_in(world, "_pickle.so", getpid());
	map_in(world, "python", pid);
	stop(pid);
	mw_found_scanned(world->found, getpid(), false);
	map_in(world, "python", getpid());
	mw_found_scanned(world->found, getpid(), true);
	assert_int_equal(world->gone, 0);
	mw_found_scanned(world->found, 0, true);
	assert_int_equal(world->gone, 1); /* whom the scan did not meet */
	mw_found_scanned(world->found, getpid(), false);
	mw_found_scanned(world->found, getpid(), true);
	assert_int_equal(world->gone, 2); /* it runs something else now */
	assert_int_equal(mw_found_counts(world->found).processes, 0);
}

static void make_directory(const struct world *world, const char *name)
{
	assert_int_equal(mkdir(path_of(world, name), 0700), 0);
}

static void install(const struct world *world)
{
	make_directory(world, "bin");
	make_directory(world, "lib");
	make_directory(world, "lib/python3.12");
	make_directory(world, "lib/python3.12/lib-dynload");
	write_file(world, "bin/python3.12", interpreter);
	write_file(world, "lib/python3.12/lib-dynload/_pickle.x.so", unpickler);
	write_file(world, "lib/python3.12/lib-dynload/_json.x.so", unpickler);
}

/* The unpickler is loaded right after, and used at once. */
static void test_companions(void **state)
{
	struct world *world = *state;

	install(world);
	map_in(world, "bin/python3.12", getpid());
	assert_int_equal(world->attached, 2);
	assert_string_equal(world->last_path,
	                    path_of(world, "lib/python3.12/lib-dynload/_pickle.x.so"));
	mw_found_tick(world->found, 100 * SECOND);
	mw_found_tick(world->found, 900 * SECOND);
	assert_int_equal(world->detached, 0);
	map_in(world, "lib/python3.12/lib-dynload/_pickle.x.so", getpid());
	assert_int_equal(world->attached, 2);
}

static void each(void *context, const struct mw_found_process *told)
{
	(void)told;
	++*(unsigned *)context;
}

/* Stays without a process, until it is no longer there. */
static void test_prescan(void **state)
{
	struct world *world = *state;
	char pattern[64];
	const char *patterns[] = {pattern, NULL};
	unsigned before, count = 0;

	snprintf(pattern, sizeof(pattern), "%s/*/pyth[o]n3*", world->directory);
	mw_found_prescan(world->found, patterns);
	before = world->attached;
	install(world);
	assert_int_equal(symlink("python3.12", path_of(world, "bin/python3")), 0);
	mw_found_prescan(world->found, patterns);
	assert_int_equal(world->attached, before + 2);
	mw_found_tick(world->found, 100 * SECOND);
	mw_found_tick(world->found, 200 * SECOND);
	assert_int_equal(world->detached, 0); /* its companion stays with it */
	mw_found_each(world->found, each, &count);
	assert_int_equal(count, 0);
	assert_int_equal(unlink(path_of(world, "bin/python3.12")), 0);
	mw_found_prescan(world->found, patterns);
	mw_found_tick(world->found, 201 * SECOND);
	mw_found_tick(world->found, 300 * SECOND);
	assert_int_equal(world->detached, 1);
	mw_found_tick(world->found, 301 * SECOND);
	mw_found_tick(world->found, 400 * SECOND);
	assert_int_equal(world->detached, 2);
}

static void test_full(void **state)
{
	struct world *world = *state;
	struct mark mark = unpickler;
	char name[16];

	for (uint32_t i = 0; i < MW_FOUND_OBJECTS + 3; i++) {
		mark.serial = i;
		snprintf(name, sizeof(name), "%u", i);
		write_file(world, name, mark);
		map_in(world, name, getpid());
	}
	assert_int_equal(world->attached, MW_FOUND_OBJECTS);
	assert_int_equal(mw_found_counts(world->found).objects_full, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	        TEST(test_once),          TEST(test_process),
	        TEST(test_version),       TEST(test_grace),
	        TEST(test_grace_ends),    TEST(test_fork),
	        TEST(test_fork_and_exec), TEST(test_many_forks),
	        TEST(test_changed),       TEST(test_others_may_write),
	        TEST(test_knows),         TEST(test_refused),
	        TEST(test_unopened),      TEST(test_scan),
	        TEST(test_companions),    TEST(test_prescan),
	        TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
