#include "floor_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "floor_calls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define X32_BIT 0x40000000u

/* The ways into the kernel: what libseccomp calls them, and how the filter tells them apart. */
static const struct entry {
	uint32_t arch;
	uint32_t audit; /* AUDIT_ARCH_* */
	uint32_t x32;   /* of the number, bit 30 */
	enum mw_floor_entry kind;
} entries[] = {
#if defined(__x86_64__)
        {SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0, MW_FLOOR_WIDE},
        {SCMP_ARCH_X32, AUDIT_ARCH_X86_64, X32_BIT, MW_FLOOR_WIDE},
        {SCMP_ARCH_X86, AUDIT_ARCH_I386, 0, MW_FLOOR_NARROW},
#elif defined(__aarch64__)
        {SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, 0, MW_FLOOR_WIDE},
        {SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0, MW_FLOOR_NARROW},
#endif
};
#define ENTRIES (sizeof(entries) / sizeof(*entries))

static int rule(scmp_filter_ctx context, uint32_t action, const struct mw_floor_call *call,
                uint32_t mask, uint32_t value)
{
	int error;

	if (call->when == MW_FLOOR_ALWAYS)
		error = seccomp_rule_add(context, action, call->number, 0);
	else if (call->when == MW_FLOOR_UNEQUAL)
		error = seccomp_rule_add(context, action, call->number, 1,
		                         SCMP_CMP64(call->arg, SCMP_CMP_NE, value, 0));
	else
		error = seccomp_rule_add(context, action, call->number, 1,
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

/* Appends the rules of one entry, as libseccomp makes a program of them. */
static int append_rules(struct sock_fprog *to, const struct mw_floor_options *options,
                        const struct entry *entry)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("modelwatch-floor", MFD_CLOEXEC);
	int error = context ? set_up(context, entry->arch) : -ENOMEM;
	size_t room = (BPF_MAXINSNS - to->len) * sizeof(*to->filter);
	ssize_t got = 0;

	for (size_t i = 0; i < mw_floor_call_count && !error; i++)
		if (!mw_floor_calls[i].only || mw_floor_calls[i].only == entry->kind)
			error = add(context, options, &mw_floor_calls[i]);
	if (!error && fd < 0)
		error = -errno;
	if (!error)
		error = seccomp_export_bpf(context, fd);
	if (!error)
		got = pread(fd, to->filter + to->len, room, 0);
	if (!error && (got <= 0 || (size_t)got == room))
		error = -E2BIG;
	to->len = (unsigned short)(to->len + (size_t)got / sizeof(*to->filter));
	if (fd >= 0)
		close(fd);
	seccomp_release(context);
	return error;
}

static void put(struct sock_fprog *to, struct sock_filter statement)
{
	to->filter[to->len++] = statement;
}

static void load(struct sock_fprog *to, size_t field)
{
	put(to, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)field));
}

/* Goes on when what was loaded is `value`. Returns where the distance of the jump otherwise, to
 * what comes after the rules of this entry, is to be put. */
static unsigned short unless_is(struct sock_fprog *to, uint32_t value)
{
	put(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
	put(to, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	return to->len;
}

/* One entry after the other. libseccomp could put all into one program, but takes three times as
 * long for it; and the rules cannot be the same, since 32-bit programs pass the arguments of some
 * calls otherwise. */
static int append_entry(struct sock_fprog *to, const struct mw_floor_options *options,
                        const struct entry *entry)
{
	unsigned short arch, number;
	int error;

	load(to, offsetof(struct seccomp_data, arch));
	arch = unless_is(to, entry->audit);
	load(to, offsetof(struct seccomp_data, nr));
	put(to, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, X32_BIT));
	number = unless_is(to, entry->x32);
	error = append_rules(to, options, entry);
	to->filter[arch - 1].k = (uint32_t)to->len - arch;
	to->filter[number - 1].k = (uint32_t)to->len - number;
	return error;
}

/* Before Linux 5.4 a kernel with x32 took the numbers that only x32 has without bit 30 as well. */
static void append_x32_numbers(struct sock_fprog *to)
{
#if defined(__x86_64__)
	load(to, offsetof(struct seccomp_data, nr));
	put(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 512, 0, 2));
	put(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 547, 1, 0));
	put(to, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
#else
	(void)to;
#endif
}

/* What comes before libseccomp's programs: the calls that it has no name for. */
static void append_new_calls(struct sock_fprog *to)
{
	size_t count = mw_floor_new_call_count;

	load(to, offsetof(struct seccomp_data, nr));
	put(to, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT));
	for (size_t i = 0; i < count; i++)
		put(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                     (uint32_t)mw_floor_new_calls[i].number,
		                                     (uint8_t)(count - 1 - i), i == count - 1));
	put(to, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
}

int mw_floor_filter(const struct mw_floor_options *options, struct sock_fprog *ret)
{
	struct sock_fprog made = {.filter = calloc(BPF_MAXINSNS, sizeof(*made.filter))};
	int error = made.filter ? 0 : -ENOMEM;

	if (!error) {
		append_x32_numbers(&made);
		append_new_calls(&made);
	}
	for (size_t i = 0; i < ENTRIES && !error; i++)
		error = append_entry(&made, options, &entries[i]);
	if (error) {
		free(made.filter);
		return error;
	}
	put(&made, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
	*ret = made;
	return 0;
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
