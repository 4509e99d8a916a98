/* System calls in a loop, for whoever loads this as a library: cost.py. As a static program it ends
 * at once, which is what the loop of programs runs. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define PUBLIC __attribute__((visibility("default")))

PUBLIC long mw_loop(int which, int count, const char *path);

/* Each may be refused: then it costs what that costs. */
static void open_to_read(const char *path)
{
	close(open(path, O_RDONLY));
}

static void open_to_write(const char *path)
{
	close(open(path, O_WRONLY));
}

static void connect_to_nobody(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nobody"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)path;
	(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
}

static void map_code(const char *path)
{
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)path;
	if (at != MAP_FAILED)
		munmap(at, PAGE);
}

/* The kernel asks, and whoever is asked has nothing to look at. */
static void protect(const char *path)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));

	(void)path;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

/* It does not ask. */
static void ask_for_parent(const char *path)
{
	(void)path;
	syscall(SYS_getppid);
}

static void change_mode(const char *path)
{
	chmod(path, 0600);
}

static void run_program(const char *path)
{
	static char name[] = "/tests/loops";
	char *const argv[] = {name, NULL};
	pid_t child;

	(void)path;
	if (!posix_spawn(&child, name, NULL, NULL, argv, environ))
		waitpid(child, NULL, 0);
}

static void (*const calls[])(const char *path) = {
        ask_for_parent, protect,           open_to_read, open_to_write,
        change_mode,    connect_to_nobody, map_code,     run_program,
};

static long microseconds(const struct timeval *t)
{
	return t->tv_sec * 1000000 + t->tv_usec;
}

static long used(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
}

/* Returns the nanoseconds that `count` of them took this process and its children on a processor.
 */
PUBLIC long mw_loop(int which, int count, const char *path)
{
	long before = used(RUSAGE_SELF) + used(RUSAGE_CHILDREN);

	for (int i = 0; i < count; i++)
		calls[which](path);
	return (used(RUSAGE_SELF) + used(RUSAGE_CHILDREN) - before) * 1000;
}

int main(void)
{
	return 0;
}
