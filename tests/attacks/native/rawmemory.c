/* Machine code of one's own: ways to memory that is executable. */
#include "rawcall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/syscall.h>

static const unsigned char stub[] = {
        0x48, 0x89, 0xf8, /* mov rdi, rax */
        0x48, 0x89, 0xf7, /* mov rsi, rdi */
        0x48, 0x89, 0xd6, /* mov rdx, rsi */
        0x48, 0x89, 0xca, /* mov rcx, rdx */
        0x4d, 0x89, 0xc2, /* mov r8, r10 */
        0x4d, 0x89, 0xc8, /* mov r9, r8 */
        0x0f, 0x05, 0xc3, /* syscall; ret */
};

/* The ways to memory that is executable and holds the stub. Each returns its address, or an error.
 */
static long kernel(long number, long a, long b, long c, long d, long e)
{
	return enter(&(struct request){number, {a, b, c, d, e}});
}

static long map(long prot, long flags, long fd)
{
	return kernel(SYS_mmap, 0, PAGE, prot, flags, fd);
}

static long written(long address)
{
	if (address > 0)
		memcpy((void *)address, stub, sizeof(stub));
	return address;
}

static long by_mprotect(void)
{
	long at = written(map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	long error = kernel(SYS_mprotect, at, PAGE, PROT_READ | PROT_EXEC, 0, 0);

	return error ? error : at;
}

static long by_pkey_mprotect(void)
{
	long at = written(map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	long error = kernel(SYS_pkey_mprotect, at, PAGE, PROT_READ | PROT_EXEC, -1, 0);

	return error ? error : at;
}

static long by_mmap(void)
{
	return written(map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1));
}

static long by_memfd(void)
{
	long fd = kernel(SYS_memfd_create, (long)"x", 0, 0, 0, 0);
	long done = kernel(SYS_write, fd, (long)stub, sizeof(stub), 0, 0);

	return done < 0 ? done : map(PROT_READ | PROT_EXEC, MAP_SHARED, fd);
}

/* What is mapped of an installed file can be written to, in private. */
static long by_installed(void)
{
	long fd = kernel(SYS_openat, AT_FDCWD, (long)"/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY, 0,
	                 0);

	return written(map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, fd));
}

static long by_personality(void)
{
	long error = kernel(SYS_personality, READ_IMPLIES_EXEC, 0, 0, 0, 0);

	return error < 0 ? error
	                 : written(map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
}

static long by_shmat(void)
{
	long id = kernel(SYS_shmget, IPC_PRIVATE, PAGE, IPC_CREAT | 0700, 0, 0);
	long at = written(kernel(SYS_shmat, id, 0, 0, 0, 0)), again;

	again = kernel(SYS_shmat, id, 0, SHM_EXEC, 0, 0);
	kernel(SYS_shmctl, id, IPC_RMID, 0, 0, 0);
	kernel(SYS_shmdt, at, 0, 0, 0, 0);
	return again;
}

static const struct {
	const char *name;
	long (*make)(void);
} ways[] = {{"mprotect", by_mprotect},   {"pkey_mprotect", by_pkey_mprotect},
            {"mmap", by_mmap},           {"memfd", by_memfd},
            {"installed", by_installed}, {"personality", by_personality},
            {"shmat", by_shmat}};

/* mapped(way, number, *args): a call by an instruction in memory that became executable that way.
 */
PyObject *mapped(PyObject *self, PyObject *args)
{
	long way, at = -EINVAL;
	struct request r;

	(void)self;
	if (word(PyTuple_GetItem(args, 0), &way) || take(args, 1, &r))
		return NULL;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(ways[i].name, (const char *)way))
			at = ways[i].make();
	if (at > 0)
		at = ((entry *)at)(r.number, r.args[0], r.args[1], r.args[2], r.args[3], r.args[4]);
	return PyLong_FromLong(at);
}
