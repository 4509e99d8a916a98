/* A program without the shim: static, and making its calls itself.
 *
 *     child PATH            makes the directory
 *     child thread PATH     the same by a thread of its own making, as a Go program would
 *     child daemon PATH     the same by a grandchild that nobody is the parent of any more */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK (64 << 10)

static int make(void *path)
{
	return (int)syscall(SYS_mkdir, path, 0700);
}

static int start_thread(char *path)
{
	char *stack = malloc(STACK);

	clone(make, stack + STACK,
	      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
	      path);
	sleep(1);
	return 0;
}

static int start_daemon(char *path)
{
	for (int i = 0; i < 2; i++) {
		if (syscall(SYS_fork))
			return 0;
		setsid();
	}
	usleep(300000); /* until the parents have gone */
	return make(path);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return make(argv[argc - 1]) != 0;
	return !strcmp(argv[1], "thread") ? start_thread(argv[2]) : start_daemon(argv[2]);
}
