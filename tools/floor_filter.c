#include "floor_filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "floor_calls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define X32_BIT 0x40000000u

static const struct {
	uint32_t arch;
	enum mw_floor_entry entry;
} entries[] = {
#if defined(__x86_64__)
        {SCMP_ARCH_X86_64, MW_FLOOR_WIDE},
        {SCMP_ARCH_X32, MW_FLOOR_WIDE},
        {SCMP_ARCH_X86, MW_FLOOR_NARROW},
#elif defined(__aarch64__)
        {SCMP_ARCH_AARCH64, MW_FLOOR_WIDE},
        {SCMP_ARCH_ARM, MW_FLOOR_NARROW},
#endif
};

static int rule(scmp_filter_ctx context, uint32_t action, const struct mw_floor_call *call,
                uint32_t mask, uint32_t value)
{
	int error;

	if (call->when == MW_FLOOR_ALWAYS)
		error = seccomp_rule_add(context, action, call->number, 0);
	else
		error = seccomp_rule_add(
		        context, action, call->number, 1,
		        SCMP_CMP64(call->arg, SCMP_CMP_MASKED_EQ, mask, value));
	return error == -EDOM ? 0 : error; /* this entry has no such call */
}

/* One rule for each bit: a filter has no way to say "any of these". */
static int rules_of_bits(scmp_filter_ctx context, uint32_t action, const struct mw_floor_call *call)
{
	int error = 0;

	for (uint32_t left = call->value; left && !error; left &= left - 1)
		error = rule(context, action, call, left & -left, left & -left);
	return error;
}

static int add(scmp_filter_ctx context, const struct mw_floor_options *options,
               const struct mw_floor_call *call)
{
	bool absent = call->effect == MW_FLOOR_ABSENT || call->effect == MW_FLOOR_URING;
	uint32_t action = absent ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_NOTIFY;

	if (call->effect == MW_FLOOR_URING && options->io_uring)
		return 0;
	if (call->when == MW_FLOOR_ANY_BIT)
		return rules_of_bits(context, action, call);
	return rule(context, action, call, call->when == MW_FLOOR_LOW_16 ? 0xffff : UINT32_MAX,
	            call->value);
}

static int set_up(scmp_filter_ctx context, uint32_t arch)
{
	int error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));

	if (!error)
		error = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!error && arch != seccomp_arch_native())
		error = seccomp_arch_add(context, arch);
	if (!error && arch != seccomp_arch_native())
		error = seccomp_arch_remove(context, SCMP_ARCH_NATIVE);
	return error;
}

/* The rules of one entry: the same for all would not do, since some calls pass their arguments
 * otherwise in 32-bit programs. */
static int rules_of_entry(const struct mw_floor_options *options, size_t i, scmp_filter_ctx *ret)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	int error = context ? set_up(context, entries[i].arch) : -ENOMEM;

	for (size_t k = 0; k < mw_floor_call_count && !error; k++)
		if (!mw_floor_calls[k].only || mw_floor_calls[k].only == entries[i].entry)
			error = add(context, options, &mw_floor_calls[k]);
	if (error)
		seccomp_release(context);
	else
		*ret = context;
	return error;
}

static int rules_of_all(const struct mw_floor_options *options, scmp_filter_ctx *ret)
{
	scmp_filter_ctx all = NULL, more = NULL;
	int error = rules_of_entry(options, 0, &all);

	for (size_t i = 1; i < sizeof(entries) / sizeof(*entries) && !error; i++) {
		error = rules_of_entry(options, i, &more);
		if (error)
			break;
		error = seccomp_merge(all, more);
		if (error)
			seccomp_release(more);
	}
	if (error && all)
		seccomp_release(all);
	else
		*ret = all;
	return error;
}

/* What comes before libseccomp's program: the calls that it has no name for. */
static size_t lead_in(struct sock_filter *out)
{
	size_t n = 0, count = mw_floor_new_call_count;

	out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                                        offsetof(struct seccomp_data, nr));
	out[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT);
	for (size_t i = 0; i < count; i++)
		out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                        (uint32_t)mw_floor_new_calls[i].number,
		                                        (uint8_t)(count - 1 - i), 0);
	/* The last comparison falls through to the answer, or jumps over it. */
	out[n - 1].jf = 1;
	out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	return n;
}

static int read_program(int fd, struct sock_fprog *ret)
{
	size_t most = mw_floor_new_call_count + 3, lead;
	struct sock_filter *program;
	struct stat stat;

	if (fstat(fd, &stat) < 0)
		return -errno;
	program = calloc(most + (size_t)stat.st_size / sizeof(*program), sizeof(*program));
	if (!program)
		return -ENOMEM;
	lead = lead_in(program);
	if (pread(fd, program + lead, (size_t)stat.st_size, 0) != stat.st_size) {
		free(program);
		return -EIO;
	}
	ret->len = (unsigned short)(lead + (size_t)stat.st_size / sizeof(*program));
	ret->filter = program;
	return 0;
}

int mw_floor_filter(const struct mw_floor_options *options, struct sock_fprog *ret)
{
	scmp_filter_ctx context = NULL;
	int fd, error = rules_of_all(options, &context);

	if (error)
		return error;
	fd = memfd_create("modelwatch-floor", MFD_CLOEXEC);
	error = fd < 0 ? -errno : seccomp_export_bpf(context, fd);
	if (!error)
		error = read_program(fd, ret);
	if (fd >= 0)
		close(fd);
	seccomp_release(context);
	return error;
}

void mw_floor_filter_free(struct sock_fprog *filter)
{
	free(filter->filter);
	*filter = (struct sock_fprog){0};
}

static int set_filter(const struct sock_fprog *filter)
{
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
	                     SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, filter);

	if (fd < 0 && errno == EINVAL) {
		flags &= ~(unsigned int)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, filter);
	}
	return fd < 0 ? -errno : (int)fd;
}

int mw_floor_install(const struct sock_fprog *filter)
{
	int fd = set_filter(filter);

	if (fd != -EACCES)
		return fd;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return set_filter(filter);
}
