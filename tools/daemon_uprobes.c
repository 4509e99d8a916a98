#include "daemon_uprobes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "daemon_selftest.h"
#include "daemon_trial_parts.h"

/* Of the kernel's bpf.h, which may be older here: enum bpf_attach_type, and the part of union
 * bpf_attr that makes such a link. */
#define TRACE_UPROBE_MULTI 48

struct multi {
	uint32_t program, target, type, flags;
	uint64_t path, offsets, semaphores, cookies;
	uint32_t count, multi_flags, pid, pad;
};

void mw_uprobes_prepare(struct bpf_program *program)
{
	bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)TRACE_UPROBE_MULTI);
}

/* From `first` on. */
static int attach_some(int program, pid_t pid, const char *path, struct mw_uprobes *u, size_t first,
                       size_t count)
{
	struct multi attr = {
	        .program = (uint32_t)program,
	        .type = TRACE_UPROBE_MULTI,
	        .path = (uint64_t)(uintptr_t)path,
	        .offsets = (uint64_t)(uintptr_t)(u->offset + first),
	        .semaphores = (uint64_t)(uintptr_t)(u->semaphore + first),
	        .cookies = (uint64_t)(uintptr_t)(u->cookie + first),
	        .count = (uint32_t)count,
	        .pid = (uint32_t)pid,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return -errno;
	u->link[first] = fd;
	return 0;
}

bool mw_uprobes_can_share(void)
{
	const struct bpf_insn nothing[] = {MW_BPF_SET(0, 0), MW_BPF_EXIT};
	struct mw_uprobes u = {.count = 1, .link = {-1}};
	int program = mw_trial_load(BPF_PROG_TYPE_KPROBE, TRACE_UPROBE_MULTI, 0, nothing,
	                            MW_BPF_COUNT(nothing));
	bool can = program >= 0 && !mw_selftest_offset(&u.offset[0]) &&
	           !attach_some(program, getpid(), "/proc/self/exe", &u, 0, 1);

	if (u.link[0] >= 0)
		close(u.link[0]);
	if (program >= 0)
		close(program);
	return can;
}

static int attach_one(const struct bpf_program *program, pid_t pid, const char *path,
                      struct mw_uprobes *u, size_t i)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = u->cookie[i],
	            .ref_ctr_offset = u->semaphore[i]);
	struct bpf_link *link =
	        bpf_program__attach_uprobe_opts(program, pid ? pid : -1, path, u->offset[i], &opts);

	if (libbpf_get_error(link))
		return -errno;
	u->link[i] = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return u->link[i] < 0 ? -errno : 0;
}

/* The end of those from `first` on that may share a link. Whoever maps the file can spoil the
 * semaphore in his memory; the kernel then refuses the whole link, for all processes. */
static size_t end_of_link(const struct mw_uprobes *u, size_t first)
{
	size_t i = first;

	while (i < u->count && !u->semaphore[i] == !u->semaphore[first])
		i++;
	return i;
}

int mw_uprobes_attach(const struct bpf_program *program, pid_t pid, const char *path,
                      struct mw_uprobes *uprobes)
{
	bool multi = bpf_program__expected_attach_type(program) == TRACE_UPROBE_MULTI;
	int error = -ENOENT, r;
	bool any = false;

	for (size_t i = 0; i < MW_UPROBES_MAX; i++)
		uprobes->link[i] = -1;
	for (size_t i = 0, end; i < uprobes->count; i = end) {
		end = multi ? end_of_link(uprobes, i) : i + 1;
		if (multi)
			r = attach_some(bpf_program__fd(program), pid, path, uprobes, i, end - i);
		else
			r = attach_one(program, pid, path, uprobes, i);
		for (size_t j = i; j < end; j++)
			uprobes->attached[j] = !r;
		any |= !r;
		error = r ? r : error;
	}
	return any ? 0 : error;
}

void mw_uprobes_detach(struct mw_uprobes *uprobes)
{
	for (size_t i = 0; i < MW_UPROBES_MAX; i++) {
		if (uprobes->link[i] >= 0)
			close(uprobes->link[i]);
		uprobes->link[i] = -1;
	}
}
