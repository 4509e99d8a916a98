/* System calls in a loop, for bench.py and daemon.py: `calls WHAT COUNT` prints the seconds on a
 * CPU that COUNT of them took, and the seconds in all.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int sender, receiver, program;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void open_with(int flags)
{
	int fd = open("bench-file", flags, 0600);

	if (fd < 0)
		exit(1);
	close(fd);
}

static void read_open(void)
{
	open_with(O_RDONLY);
}

static void write_open(void)
{
	open_with(O_WRONLY | O_CREAT);
}

static void send_one(void)
{
	char byte = 0;

	if (sendto(sender, &byte, 1, 0, (struct sockaddr *)&address, sizeof(address)) != 1 ||
	    read(receiver, &byte, 1) != 1)
		exit(1);
}

static void spawn_one(void)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};
	pid_t child;

	if (posix_spawnp(&child, "true", NULL, NULL, argv, environ) ||
	    waitpid(child, NULL, 0) != child)
		exit(1);
}

/* Without what libc does around it. */
static void fork_one(void)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};
	pid_t child = fork();

	if (!child) {
		execve("/bin/true", argv, environ);
		_exit(127);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		exit(1);
}

static void parent(void)
{
	syscall(SYS_getppid);
}

static void map_one(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, program, 0);

	if (at == MAP_FAILED || munmap(at, 4096) < 0)
		exit(1);
}

static void create_one(void)
{
	int fd = open("bench-created", O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0 || unlink("bench-created") < 0)
		exit(1);
}

static void open_sockets(void)
{
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sender = socket(AF_INET, SOCK_DGRAM, 0);
	receiver = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(receiver, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(receiver, (struct sockaddr *)&address, &len) < 0)
		exit(1);
}

static const struct {
	const char *name;
	void (*call)(void);
} calls[] = {{"read", read_open},  {"write", write_open}, {"send", send_one},
             {"spawn", spawn_one}, {"fork", fork_one},    {"getppid", parent},
             {"map", map_one},     {"create", create_one}};

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	double start, used;

	open_sockets();
	open_with(O_WRONLY | O_CREAT);
	program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; argc > 1 && i < sizeof(calls) / sizeof(*calls); i++) {
		if (strcmp(calls[i].name, argv[1]))
			continue;
		start = now(CLOCK_MONOTONIC);
		used = now(CLOCK_PROCESS_CPUTIME_ID);
		for (long n = 0; n < count; n++)
			calls[i].call();
		printf("%.9f %.9f\n", now(CLOCK_PROCESS_CPUTIME_ID) - used,
		       now(CLOCK_MONOTONIC) - start);
		return 0;
	}
	fprintf(stderr, "usage: calls read|write|send|spawn|fork|getppid|map|create COUNT\n");
	return 2;
}
