/* How much memory a process may take while loads are open: RLIMIT_DATA, which counts private
 * writable memory, the heap and mappings alike (getrlimit(2), since Linux 4.7). What asks for more
 * is told so by the kernel, before anything is touched. Programs that are started meanwhile, and
 * children of threads without a load, get the limit back that was there before. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

static struct {
	uint32_t loads; /* that are open under a limit */
	struct rlimit before;
	rlim_t set; /* the soft limit in force */
} memory;

static int limit_of(pid_t pid, const struct rlimit *set, struct rlimit *ret)
{
	int error;

	mw_thread.busy++; /* syscall() is wrapped too */
	error = syscall(SYS_prlimit64, pid, RLIMIT_DATA, set, ret) < 0 ? -errno : 0;
	mw_thread.busy--;
	return error;
}

/* The sixth number of statm is data and stack, in pages (proc_pid_statm(5)); 0: it cannot be told.
 */
static uint64_t data_now(void)
{
	char text[256], *at = text;
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : syscall(SYS_read, fd, text, sizeof(text) - 1);

	if (fd >= 0)
		syscall(SYS_close, fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	for (int i = 0; i < 5; i++)
		strtoull(at, &at, 10);
	return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Puts back what was there before, unless the job has set another limit meanwhile. */
static void restore(pid_t pid)
{
	struct rlimit now;

	if (!limit_of(pid, NULL, &now) && now.rlim_cur == memory.set) {
		now.rlim_cur = memory.before.rlim_cur;
		limit_of(pid, &now, NULL);
	}
}

static void in_child(void)
{
	if (!memory.loads || mw_thread.load)
		return;
	restore(0);
	memory.loads = 0;
}

static void mind_children(void)
{
	static bool minded;

	if (!minded)
		minded = !pthread_atfork(NULL, NULL, in_child);
}

uint64_t mw_data_size(void)
{
	int saved = errno;
	uint64_t size = data_now();

	errno = saved;
	return size;
}

/* Loads that overlap share the higher of their limits. */
static int raise_to(uint64_t wanted)
{
	struct rlimit limit;
	int error = limit_of(0, NULL, &limit);

	if (error)
		return error;
	if (!memory.loads || limit.rlim_cur != memory.set)
		memory.before = limit; /* the job's own */
	else if (memory.set >= wanted)
		return 0;
	limit.rlim_cur = memory.before.rlim_cur < wanted ? memory.before.rlim_cur : wanted;
	error = limit_of(0, &limit, NULL);
	if (!error)
		memory.set = limit.rlim_cur;
	return error;
}

int mw_limit_memory(uint64_t growth)
{
	int saved = errno;
	uint64_t size = data_now();
	int error = size ? 0 : -EIO;

	mind_children();
	if (!error)
		error = raise_to(size + growth);
	if (!error)
		memory.loads++;
	errno = saved;
	return error;
}

void mw_unlimit_memory(void)
{
	int saved = errno;

	if (memory.loads && !--memory.loads)
		restore(0);
	errno = saved;
}

void mw_unlimit_program(void)
{
	if (mw_unlikely(memory.loads))
		restore(0);
}

void mw_unlimit_child(pid_t child)
{
	int saved = errno;

	if (mw_unlikely(memory.loads))
		restore(child);
	errno = saved;
}
