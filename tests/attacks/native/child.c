/* A program without the shim: static, and making its calls itself.
 *
 *     child PATH            makes the directory
 *     child thread PATH     the same by a thread of its own making, as a Go program would */
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK (64 << 10)

static int make(void *path)
{
	return (int)syscall(SYS_mkdir, path, 0700);
}

int main(int argc, char **argv)
{
	char *stack = malloc(STACK);

	if (argc < 3)
		return make(argv[argc - 1]) != 0;
	clone(make, stack + STACK,
	      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
	      argv[2]);
	sleep(1);
	return 0;
}
