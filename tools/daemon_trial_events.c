/* Trials of what comes through perf events: probes, tracepoints, news of mapped files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon_trial.h"
#include "daemon_trial_parts.h"
#include "kernel_fs.h"
#include "maps.h"

#define TRIES 10
#define ROUNDS 500
#define UPROBE_TYPE "/sys/bus/event_source/devices/uprobe/type"

/* A function whose first instruction is one that a probe may be put on. */
void mw_trial_site(void);
__asm__(".text\n"
        ".globl mw_trial_site\n"
        ".hidden mw_trial_site\n"
        ".type mw_trial_site, %function\n"
        "mw_trial_site:\n"
        "	nop\n"
        "	ret\n"
        ".size mw_trial_site, . - mw_trial_site\n");

static int open_event(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd;

	attr->size = sizeof(*attr);
	fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_number(int folder, const char *path, long *ret)
{
	char text[32] = "";
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int error = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (!error)
		*ret = strtol(text, NULL, 10);
	return error;
}

/* Has `program` run on the event. */
static int attach(int event, int program)
{
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	return 0;
}

static double ns_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e9 + (double)(now.tv_nsec - start->tv_nsec);
}

/* Of several tries the best: others run here too. */
static double ns_of(void (*once)(void))
{
	double best = 0;

	for (int try = 0; try < TRIES; try++) {
		struct timespec start;
		double ns;

		clock_gettime(CLOCK_MONOTONIC, &start);
		for (int i = 0; i < ROUNDS; i++)
			once();
		ns = ns_since(&start) / ROUNDS;
		if (!try || ns < best)
			best = ns;
	}
	return best;
}

static double more(double before, double after)
{
	return after > before ? after - before : 0;
}

/* Where the function lies in the file of this program. */
static int site_offset(uint64_t *ret)
{
	uint64_t at = (uint64_t)(uintptr_t)mw_trial_site;
	const struct mw_map *map;
	struct mw_maps maps;
	int error = mw_maps_read(getpid(), &maps);

	if (error)
		return error;
	map = mw_maps_find(&maps, at);
	if (map && map->ino)
		*ret = at - map->start + map->offset;
	else
		error = -ENOENT;
	mw_maps_free(&maps);
	return error;
}

static int open_uprobe(void)
{
	static const char self[] = "/proc/self/exe";
	struct perf_event_attr attr = {.disabled = 1};
	uint64_t offset = 0;
	long type = 0;
	int error = read_number(AT_FDCWD, UPROBE_TYPE, &type);

	if (!error)
		error = site_offset(&offset);
	if (error)
		return error;
	attr.type = (uint32_t)type;
	attr.config1 = (uint64_t)(uintptr_t)self;
	attr.config2 = offset;
	return open_event(&attr, 0, -1);
}

int mw_trial_uprobe(double *ret_ns)
{
	int flag = mw_trial_flag(), program, event, error;
	const struct bpf_insn code[] = {MW_BPF_RAISE(flag), MW_BPF_SET(0, 0), MW_BPF_EXIT};
	double before = ns_of(mw_trial_site);

	if (flag < 0)
		return flag;
	program = mw_trial_load(BPF_PROG_TYPE_KPROBE, 0, 0, code, MW_BPF_COUNT(code));
	event = program < 0 ? program : open_uprobe();
	error = event < 0 ? event : attach(event, program);
	if (!error) {
		*ret_ns = more(before, ns_of(mw_trial_site));
		error = mw_trial_flag_is_set(flag) ? 0 : -ENOTSUP;
	}
	if (event >= 0)
		close(event);
	if (program >= 0)
		close(program);
	close(flag);
	return error;
}

/* tracefs need not be mounted. */
static int open_tracepoint(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT,
	                               .disabled = 1,
	                               .sample_type = PERF_SAMPLE_RAW,
	                               .sample_period = 1};
	int root = mw_kernel_fs("tracefs"), error;
	long id = 0;

	if (root < 0)
		return root;
	error = read_number(root, "events/syscalls/sys_enter_truncate/id", &id);
	close(root);
	if (error)
		return error;
	attr.config = (uint64_t)id;
	return open_event(&attr, 0, -1);
}

static void other_call(void)
{
	syscall(SYS_getppid);
}

int mw_trial_syscalls(double *ret_ns)
{
	int flag = mw_trial_flag(), program, event, error;
	const struct bpf_insn code[] = {MW_BPF_RAISE(flag), MW_BPF_SET(0, 0), MW_BPF_EXIT};
	double before = ns_of(other_call);

	if (flag < 0)
		return flag;
	program = mw_trial_load(BPF_PROG_TYPE_TRACEPOINT, 0, 0, code, MW_BPF_COUNT(code));
	event = program < 0 ? program : open_tracepoint();
	error = event < 0 ? event : attach(event, program);
	if (!error) {
		*ret_ns = more(before, ns_of(other_call));
		syscall(SYS_truncate, "", 0L);
		error = mw_trial_flag_is_set(flag) ? 0 : -ENOTSUP;
	}
	if (event >= 0)
		close(event);
	if (program >= 0)
		close(program);
	close(flag);
	return error;
}

int mw_trial_sideband(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
	                               .config = PERF_COUNT_SW_DUMMY,
	                               .sample_period = 1,
	                               .mmap = 1,
	                               .mmap2 = 1,
	                               .comm = 1,
	                               .task = 1};
	size_t pages = 2 * (size_t)sysconf(_SC_PAGESIZE);
	int event = open_event(&attr, -1, 0), error = 0;
	void *ring;

	if (event < 0)
		return event;
	ring = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_SHARED, event, 0);
	if (ring == MAP_FAILED)
		error = -errno;
	else
		munmap(ring, pages);
	close(event);
	return error;
}
