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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/daemon_mappings.h"

#define STARTS 100
#define MAPS 5000

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

static const struct mw_mappings_callbacks callbacks = {mapped, one, two, two, lost, scanned};

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

static double start_programs(void)
{
	char *argv[] = {"/bin/true", NULL};
	double from = now(CLOCK_MONOTONIC);

	for (int i = 0; i < STARTS; i++) {
		pid_t pid = fork();

		if (!pid) {
			execv(argv[0], argv);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
	}
	return (now(CLOCK_MONOTONIC) - from) / STARTS;
}

static double map_files(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	double from = now(CLOCK_MONOTONIC);

	for (int i = 0; i < MAPS; i++) {
		void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

		if (at == MAP_FAILED)
			abort();
		munmap(at, 4096);
	}
	from = (now(CLOCK_MONOTONIC) - from) / MAPS;
	close(fd);
	return from;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return values[count / 2];
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
	if (mw_mappings_lost(mappings))
		printf("lost %llu\n", (unsigned long long)mw_mappings_lost(mappings));
	mw_mappings_close(mappings);
	return 0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20;
	unsigned interval = argc > 2 ? (unsigned)atoi(argv[2]) : 10;
	double *starts = calloc((size_t)rounds * 2, sizeof(double));
	double *maps = calloc((size_t)rounds * 2, sizeof(double));
	double *ratios = calloc((size_t)rounds, sizeof(double));

	for (int i = 0; i < rounds; i++) {
		starts[i] = start_programs();
		maps[i] = map_files();
		if (with(interval, &starts[rounds + i], &maps[rounds + i]) < 0)
			return 1;
		ratios[i] = starts[rounds + i] / starts[i];
	}
	printf("start: %.1f us without, %.1f us with, ratio %.3f\n",
	       median(starts, (size_t)rounds) / 1e3, median(starts + rounds, (size_t)rounds) / 1e3,
	       median(ratios, (size_t)rounds));
	printf("map: %.0f ns without, %.0f ns with\n", median(maps, (size_t)rounds),
	       median(maps + rounds, (size_t)rounds));
	free(starts);
	free(maps);
	free(ratios);
	return 0;
}
