/* When lines arrive in a file: `arrivals FILE` follows it from its end and prints each whole line
 * behind the time, in nanoseconds since 1970, at which it could be read. Until SIGTERM. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The time is that of the line's end, which comes first: it may arrive in parts. */
static void read_new(int fd)
{
	static char line[1 << 20];
	static size_t used;
	char part[65536];
	ssize_t len;

	while ((len = read(fd, part, sizeof(part))) > 0) {
		uint64_t time = now();

		for (ssize_t i = 0; i < len; i++) {
			if (used < sizeof(line))
				line[used++] = part[i];
			if (part[i] != '\n')
				continue;
			printf("%lu ", (unsigned long)time);
			fwrite(line, 1, used, stdout);
			used = 0;
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = end};
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int news = inotify_init1(IN_CLOEXEC);
	char dropped[4096];

	if (fd < 0 || news < 0 || inotify_add_watch(news, argv[1], IN_MODIFY) < 0) {
		perror("arrivals");
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	lseek(fd, 0, SEEK_END);
	puts("ready");
	fflush(stdout);
	while (!ended && read(news, dropped, sizeof(dropped)) > 0)
		read_new(fd);
	read_new(fd);
	return 0;
}
