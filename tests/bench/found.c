/* How long an interpreter that nobody has seen before runs until its probes are there: a copy of it
 * is started, the time from its exec to attach() is taken. What finding takes of memory, with that
 * many processes of it, and of a CPU when nothing happens.
 *
 *     found INTERPRETER LIBRARY|- [RUNS [MILLISECONDS BETWEEN READS [PROCESSES]]]
 *
 * LIBRARY: the libpython that has its code. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/daemon_mappings.h"
#include "../../tools/daemon_objects.h"

static uint64_t *started; /* shared with the child */
static uint64_t attached, known;
static uint64_t wanted;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int attach(void *context, struct mw_found_object *object)
{
	(void)context;
	if (object->ino == wanted)
		attached = now();
	/* As probes would: the number is given to no other file. */
	return fcntl(object->path_fd, F_DUPFD_CLOEXEC, 0) < 0 ? -errno : 0;
}

static void detach(void *context, struct mw_found_object *object)
{
	(void)context;
	(void)object;
}

static void process(void *context, const struct mw_found_process *process)
{
	(void)context;
	(void)process;
	known = now();
}

static void gone(void *context, pid_t pid, uint64_t start)
{
	(void)context;
	(void)pid;
	(void)start;
}

static void lost(void *context)
{
	(void)context;
	puts("lost");
}

static const struct mw_mappings_callbacks callbacks = {
        mw_found_mapped,    mw_found_exec,   mw_found_forked, mw_found_ended, lost,
        mw_found_caught_up, mw_found_scanned};

static uint64_t copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	struct stat st;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		exit(1);
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(out, in, &at, (size_t)(st.st_size - at)) <= 0)
			exit(1);
	fstat(out, &st);
	close(in);
	close(out);
	return st.st_ino;
}

static pid_t start(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[64];

	char *argv[] = {(char *)path, "-c", "import time; time.sleep(100)", NULL};
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	setenv("LD_LIBRARY_PATH", directory, 1);
	*started = now();
	execv(path, argv);
	_exit(127);
}

static double one(struct mw_mappings *mappings, char **argv, const char *path, const char *library)
{
	struct pollfd fd = {mw_mappings_fd(mappings), POLLIN, 0};
	uint64_t until;
	pid_t pid;

	unlink(path);
	unlink(library);
	wanted = copy(argv[1], path);
	if (*argv[2] == '/')
		wanted = copy(argv[2], library);
	attached = 0;
	pid = start(path);
	for (until = now() + 2000000000u; !attached && now() < until;)
		if (poll(&fd, 1, 100) > 0)
			mw_mappings_poll(mappings);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	unlink(library);
	return attached ? (double)(attached - *started) / 1e6 : -1;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void keep_polling(struct mw_mappings *mappings, double seconds)
{
	uint64_t until = now() + (uint64_t)(seconds * 1e9);
	struct pollfd fd = {mw_mappings_fd(mappings), POLLIN, 0};

	while (now() < until)
		if (poll(&fd, 1, 100) > 0)
			mw_mappings_poll(mappings);
}

static double cpu(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static long resident(void)
{
	char text[128] = "", *at = text;
	FILE *file = fopen("/proc/self/statm", "re");
	long pages;

	if (file && !fgets(text, sizeof(text), file))
		*text = 0;
	if (file)
		fclose(file);
	strtol(at, &at, 10);
	pages = strtol(at, NULL, 10);
	return pages * 4;
}

static void run_many(struct mw_mappings *mappings, const struct mw_found *found, const char *path,
                     size_t count)
{
	pid_t *pid = calloc(count + 1, sizeof(*pid));
	double used;

	for (size_t i = 0; i < count; i++) {
		pid[i] = start(path);
		keep_polling(mappings, 0.01);
	}
	keep_polling(mappings, 2);
	used = cpu();
	keep_polling(mappings, 5);
	used = cpu() - used;
	printf("processes %lu resident %ld KiB, %.2f%% of a CPU\n",
	       mw_found_counts(found).processes, resident(), used / 5e9 * 100);
	for (size_t i = 0; i < count; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	free(pid);
}

static void look_first(struct mw_mappings *mappings, struct mw_found *found)
{
	struct mw_found_counts counts;
	uint64_t from = now();

	mw_found_prescan(found, NULL);
	printf("prescan %.1f ms\n", (double)(now() - from) / 1e6);
	from = now();
	mw_mappings_scan(mappings);
	printf("scan %.1f ms\n", (double)(now() - from) / 1e6);
	counts = mw_found_counts(found);
	printf("objects %lu attached %lu processes %lu examined %lu resident %ld KiB\n",
	       counts.objects, counts.attached, counts.processes, counts.examined, resident());
}

static void measure(struct mw_mappings *mappings, const struct mw_found *found, char **argv,
                    const char *directory, size_t runs)
{
	double *gap = calloc(runs + 1, sizeof(double));
	char path[64], library[256] = "";

	snprintf(path, sizeof(path), "%s/interpreter", directory);
	if (*argv[2] == '/')
		snprintf(library, sizeof(library), "%s%s", directory, strrchr(argv[2], '/'));
	for (size_t i = 0; i < runs; i++)
		gap[i] = one(mappings, argv, path, library);
	qsort(gap, runs, sizeof(double), by_size);
	printf("gap of %zu: least %.1f ms, p50 %.1f ms, p99 %.1f ms\n", runs, gap[0], gap[runs / 2],
	       gap[runs * 99 / 100]);
	printf("objects %lu resident %ld KiB\n", mw_found_counts(found).objects, resident());
	unlink(library);
	rmdir(directory);
	free(gap);
}

int main(int argc, char **argv)
{
	const struct mw_found_options options = {NULL,   mw_found_examine, attach,
	                                         detach, process,          gone};
	unsigned interval = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 10;
	char directory[] = "/tmp/found.XXXXXX";
	struct mw_mappings *mappings;
	struct mw_found *found;

	if (argc < 3 || !mkdtemp(directory))
		return 2;
	started = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("resident %ld KiB\n", resident());
	if (mw_found_new(&options, &found) < 0 ||
	    mw_mappings_open(&callbacks, found, interval, &mappings) < 0)
		return 1;
	look_first(mappings, found);
	measure(mappings, found, argv, directory, argc > 3 ? strtoul(argv[3], NULL, 10) : 50);
	run_many(mappings, found, argv[1], argc > 5 ? strtoul(argv[5], NULL, 10) : 0);
	mw_mappings_close(mappings);
	mw_found_free(found);
	return 0;
}
