/* What it costs others that every executable mapping of the host is seen: a program started again
 * and again, and a file mapped to be executed, with the side-band open and without, in turns. The
 * reader is a thread of its own, as the daemon is a process of its own.
 *
 *     mappings [ROUNDS [MILLISECONDS BETWEEN READS]] */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/daemon_mappings.h"

#define STARTS 20
#define MAPS 1000

static volatile bool stop;
static uint64_t seen;

static void mapped(void *context, const struct mw_mapping *mapping)
{
	(void)context;
	(void)mapping;
	seen++;
}

static void one(void *context, pid_t pid)
{
	(void)context;
	(void)pid;
	seen++;
}

static void two(void *context, pid_t pid, pid_t other)
{
	(void)context;
	(void)pid;
	(void)other;
	seen++;
}

static void lost(void *context)
{
	(void)context;
}

static void scanned(void *context, pid_t pid, bool ends)
{
	(void)context;
	(void)pid;
	(void)ends;
}

static const struct mw_mappings_callbacks callbacks = {mapped, one, two, two, lost, lost, scanned};

static void *read_all(void *context)
{
	struct mw_mappings *mappings = context;
	struct pollfd fd = {mw_mappings_fd(mappings), POLLIN, 0};

	while (!stop)
		if (poll(&fd, 1, 100) > 0)
			mw_mappings_poll(mappings);
	return NULL;
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double microseconds(struct timeval time)
{
	return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

/* Time on a CPU, of us and of the program: others may be at work too. */
static double start_programs(void)
{
	char *argv[] = {"/bin/true", NULL};
	double from = now(CLOCK_THREAD_CPUTIME_ID), children = 0;
	struct rusage usage;

	for (int i = 0; i < STARTS; i++) {
		pid_t pid = fork();

		if (!pid) {
			execv(argv[0], argv);
			_exit(127);
		}
		wait4(pid, NULL, 0, &usage);
		children += microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
	}
	return (now(CLOCK_THREAD_CPUTIME_ID) - from + children * 1e3) / STARTS;
}

static double map_files(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	double from = now(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < MAPS; i++) {
		void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

		if (at == MAP_FAILED)
			abort();
		munmap(at, 4096);
	}
	from = (now(CLOCK_THREAD_CPUTIME_ID) - from) / MAPS;
	close(fd);
	return from;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Not the median: whoever else works on the machine makes it no faster. */
static double quartile(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return values[count / 4];
}

static int with(unsigned interval, double *starts, double *maps)
{
	struct mw_mappings *mappings;
	pthread_t thread;
	int r;

	r = mw_mappings_open(&callbacks, NULL, interval, &mappings);
	if (r < 0)
		return r;
	stop = false;
	pthread_create(&thread, NULL, read_all, mappings);
	*starts = start_programs();
	*maps = map_files();
	stop = true;
	pthread_join(thread, NULL);
	mw_mappings_close(mappings);
	return 0;
}

static void print(const char *what, double *without, double *with, size_t rounds)
{
	double a = quartile(without, rounds), b = quartile(with, rounds);

	printf("%s: %.2f us without, %.2f us with, ratio %.3f\n", what, a / 1e3, b / 1e3, b / a);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	unsigned interval = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
	double *starts = calloc(rounds * 2 + 1, sizeof(double));
	double *maps = calloc(rounds * 2 + 1, sizeof(double));
	int r = 0;

	for (size_t i = 0; i < rounds && r >= 0; i++) {
		starts[i] = start_programs();
		maps[i] = map_files();
		r = with(interval, &starts[rounds + i], &maps[rounds + i]);
	}
	print("start", starts, starts + rounds, rounds);
	print("map", maps, maps + rounds, rounds);
	free(starts);
	free(maps);
	return r < 0;
}
