/* Threads and processes that nobody announces. */
#include "rawcall.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK (64 << 10)
#define PATH 1024

static int in_child(void *argument)
{
	return (int)enter(argument);
}

/* What clone(2) of libc cannot: a child on a stack of its own, by an instruction of our own. */
static long born(long flags, void *top, int (*run)(void *), void *argument)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long result;

	((void **)top)[-1] = argument;
	((void **)top)[-2] = (void *)run;
	__asm__ volatile("syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "pop %%rax\n\t"
	                 "pop %%rdi\n\t"
	                 "call *%%rax\n\t"
	                 "mov %%eax, %%edi\n\t"
	                 "mov %[exit], %%eax\n\t"
	                 "syscall\n"
	                 "1:"
	                 : "=a"(result)
	                 : "a"(SYS_clone), "D"(flags), "S"((void **)top - 2), "d"(0), "r"(r10),
	                   "r"(r8), [exit] "i"(SYS_exit)
	                 : "rcx", "r11", "memory");
	return result;
}

/* clone(flags, number, *args): a task that makes this call and ends. */
PyObject *clone_task(PyObject *self, PyObject *args)
{
	struct request *r = malloc(sizeof(*r));
	char *stack = malloc(STACK);
	long flags;

	(void)self;
	if (word(PyTuple_GetItem(args, 0), &flags) || take(args, 1, r))
		return NULL;
	return PyLong_FromLong(born(flags, stack + STACK, in_child, r));
}

struct steps {
	long forks;
	struct request last;
};

/* Forks again and again, each in a session of its own, deaf to SIGTERM; the last one makes the
 * call. */
static int fork_on(void *argument)
{
	struct steps *s = argument;
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} deaf = {.handler = SIG_IGN};

	enter(&(struct request){SYS_setsid, {0}});
	enter(&(struct request){SYS_rt_sigaction, {SIGTERM, (long)&deaf, 0, 8}});
	if (s->forks--) {
		char *stack = malloc(STACK);

		return born(SIGCHLD, stack + STACK, fork_on, s) < 0;
	}
	usleep(300000); /* until the parents have gone */
	return enter(&s->last) < 0;
}

/* daemon(forks, number, *args) */
PyObject *start_daemon(PyObject *self, PyObject *args)
{
	struct steps *s = malloc(sizeof(*s));
	char *stack = malloc(STACK);

	(void)self;
	if (word(PyTuple_GetItem(args, 0), &s->forks) || take(args, 1, &s->last))
		return NULL;
	return PyLong_FromLong(born(SIGCHLD, stack + STACK, fork_on, s));
}

static char shown[PATH];

/* flip(a, b): a thread that has one and the other path in the memory at flipped(), in turn. */
struct paths {
	char a[PATH], b[PATH];
};

/* Stays with one for a while that is now shorter, now longer than what the sensors do. */
static void show(const char *path, unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	memcpy(shown, path, PATH);
	for (unsigned i = (*seed >> 16) % 4096; i; i--)
		__asm__ volatile("pause" ::: "memory");
}

static int flip_on(void *argument)
{
	const struct paths *p = argument;
	unsigned seed = 1;

	for (;;) {
		show(p->a, &seed);
		show(p->b, &seed);
	}
	return 0;
}

PyObject *flip(PyObject *self, PyObject *args)
{
	struct paths *p = calloc(1, sizeof(*p));
	char *stack = malloc(STACK);
	long a, b;

	(void)self;
	if (word(PyTuple_GetItem(args, 0), &a) || word(PyTuple_GetItem(args, 1), &b))
		return NULL;
	strncpy(p->a, (char *)a, sizeof(p->a) - 1);
	strncpy(p->b, (char *)b, sizeof(p->b) - 1);
	memcpy(shown, p->a, sizeof(p->a));
	return PyLong_FromLong(born(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
	                                    CLONE_THREAD | CLONE_SYSVSEM,
	                            stack + STACK, flip_on, p));
}

PyObject *flipped(PyObject *self, PyObject *args)
{
	(void)self;
	(void)args;
	return PyLong_FromLong((long)shown);
}
