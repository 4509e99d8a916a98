#include "daemon_calls.h"

#include <seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "floor_calls.h"

#define NONE (-1)

/* Where the arguments of a call are. Those that are not here have none that is a path, a descriptor
 * or an address. */
static const struct {
	int number;
	uint8_t kind;
	int8_t path, path2, directory, fd, address;
} places[] = {
        {SYS_open, MW_K_CALL_OPEN, 0, NONE, NONE, 1, NONE},
        {SYS_openat, MW_K_CALL_OPEN, 1, NONE, 0, 2, NONE},
        {SYS_openat2, MW_K_CALL_OPEN_HOW, 1, NONE, 0, NONE, NONE},
        {SYS_creat, MW_K_CALL_OPEN_NEW, 0, NONE, NONE, NONE, NONE},
        {SYS_open_by_handle_at, MW_K_CALL_OPEN, NONE, NONE, NONE, 2, NONE},
        {SYS_mkdir, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_mkdirat, MW_K_CALL_ANY, 1, NONE, 0, NONE, NONE},
        {SYS_mknod, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_mknodat, MW_K_CALL_ANY, 1, NONE, 0, NONE, NONE},
        {SYS_unlink, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_unlinkat, MW_K_CALL_ANY, 1, NONE, 0, NONE, NONE},
        {SYS_rmdir, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_rename, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_renameat, MW_K_CALL_ANY, 1, 3, 0, NONE, NONE},
        {SYS_renameat2, MW_K_CALL_ANY, 1, 3, 0, NONE, NONE},
        {SYS_link, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_linkat, MW_K_CALL_ANY, 1, 3, 0, NONE, NONE},
        {SYS_symlink, MW_K_CALL_ANY, 1, 0, NONE, NONE, NONE},
        {SYS_symlinkat, MW_K_CALL_ANY, 2, 0, 1, NONE, NONE},
        {SYS_chmod, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_fchmod, MW_K_CALL_ANY, NONE, NONE, NONE, 0, NONE},
        {SYS_fchmodat, MW_K_CALL_ANY, 1, NONE, 0, NONE, NONE},
        {452 /* fchmodat2 */, MW_K_CALL_ANY, 1, NONE, 0, NONE, NONE},
        {SYS_chown, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_lchown, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_fchown, MW_K_CALL_ANY, NONE, NONE, NONE, 0, NONE},
        {SYS_fchownat, MW_K_CALL_ANY, 1, NONE, 0, NONE, NONE},
        {SYS_truncate, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_ftruncate, MW_K_CALL_ANY, NONE, NONE, NONE, 0, NONE},
        {SYS_setxattr, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_lsetxattr, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_fsetxattr, MW_K_CALL_ANY, NONE, 1, NONE, 0, NONE},
        {SYS_removexattr, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_lremovexattr, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_fremovexattr, MW_K_CALL_ANY, NONE, 1, NONE, 0, NONE},
        {SYS_mq_open, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_mq_unlink, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_mmap, MW_K_CALL_ANY, NONE, NONE, NONE, 4, NONE},
        {SYS_connect, MW_K_CALL_CONNECT, NONE, NONE, NONE, 0, 1},
        {SYS_bind, MW_K_CALL_CONNECT, NONE, NONE, NONE, 0, 1},
        {SYS_sendto, MW_K_CALL_SEND, NONE, NONE, NONE, 0, 4},
        {SYS_sendmsg, MW_K_CALL_SEND, NONE, NONE, NONE, 0, MW_K_IN_MESSAGE},
        {SYS_sendmmsg, MW_K_CALL_SEND, NONE, NONE, NONE, 0, MW_K_IN_MESSAGE},
        {SYS_mount, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_umount2, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_chroot, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_pivot_root, MW_K_CALL_ANY, 0, 1, NONE, NONE, NONE},
        {SYS_swapon, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
        {SYS_acct, MW_K_CALL_ANY, 0, NONE, NONE, NONE, NONE},
};

/* Programs, births, signals and IP have hooks of their own, which see more. */
static bool is_seen_elsewhere(const struct mw_floor_call *row)
{
	static const int elsewhere[] = {SYS_execve,
	                                SYS_execveat,
	                                SYS_kill,
	                                SYS_tkill,
	                                SYS_tgkill,
	                                SYS_rt_sigqueueinfo,
	                                SYS_rt_tgsigqueueinfo,
	                                SYS_pidfd_send_signal,
	                                SYS_listen,
	                                SYS_clone3};

	if (row->effect == MW_FLOOR_BIRTH || row->effect == MW_FLOOR_TALK ||
	    row->only == MW_FLOOR_NARROW)
		return true;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++)
		if (elsewhere[i] == row->number)
			return true;
	return false;
}

static void place(int number, struct mw_k_call *ret)
{
	*ret = (struct mw_k_call){.watched = 1,
	                          .kind = MW_K_CALL_ANY,
	                          .path = NONE,
	                          .path2 = NONE,
	                          .directory = NONE,
	                          .fd = NONE,
	                          .address = NONE,
	                          .test = NONE};
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (places[i].number != number)
			continue;
		ret->kind = places[i].kind;
		ret->path = places[i].path;
		ret->path2 = places[i].path2;
		ret->directory = places[i].directory;
		ret->fd = places[i].fd;
		ret->address = places[i].address;
	}
}

static struct mw_daemon_call *find(struct mw_daemon_call *calls, size_t count, int number,
                                   bool compat)
{
	for (size_t i = 0; i < count; i++)
		if (calls[i].number == number && calls[i].compat == compat)
			return &calls[i];
	return NULL;
}

/* A call that is looked at for more reasons than one, all of them values of one argument. */
static void add_value(const struct mw_floor_call *row, struct mw_k_call *look)
{
	if (row->when == MW_FLOOR_EQUAL && look->value_count && look->value_count < MW_K_VALUES &&
	    look->test == (int8_t)row->arg)
		look->values[look->value_count++] = (uint32_t)row->value;
	else
		look->test = NONE;
}

static size_t put(const struct mw_floor_call *row, int number, bool compat,
                  struct mw_daemon_call *ret, size_t count)
{
	struct mw_daemon_call *call = find(ret, count, number, compat);

	if (number < 0 || number >= MW_K_CALLS)
		return count;
	if (call) {
		add_value(row, &call->look);
		return count;
	}
	call = &ret[count];
	call->name = strcmp(row->name, "umount2") ? row->name : "umount";
	call->number = number;
	call->compat = compat;
	place(row->number, &call->look);
	call->look.attempts = row->effect == MW_TAMPER;
	/* What is opened to be read is looked at, too: it may be a secret. */
	if (row->when == MW_FLOOR_ANY_BIT && call->look.kind != MW_K_CALL_OPEN) {
		call->look.test = (int8_t)row->arg;
		call->look.bits = row->value;
	} else if (row->when == MW_FLOOR_EQUAL) {
		call->look.test = (int8_t)row->arg;
		call->look.values[call->look.value_count++] = (uint32_t)row->value;
	}
	return count + 1;
}

#if defined(__x86_64__)
/* Of 32-bit programs: behind these are others, as which the programs in the kernel look at them. */
static const struct mw_daemon_call behind[] = {
        {.name = "socketcall", .number = MW_K_SOCKETCALL, .compat = true},
        {.name = "ipc", .number = MW_K_IPC, .compat = true},
};

/* By these names libseccomp knows what is behind them, by numbers that no program uses. */
static const struct {
	const char *name;
	int number;
} before[] = {
        {"bind", MW_K_BIND},       {"connect", MW_K_CONNECT},   {"sendto", MW_K_SENDTO},
        {"sendmsg", MW_K_SENDMSG}, {"sendmmsg", MW_K_SENDMMSG}, {"shmat", MW_K_SHMAT},
};

static int narrow_number(const char *name)
{
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
		if (!strcmp(before[i].name, name))
			return before[i].number;
	return seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86, name);
}
#endif

/* The same call as 32-bit programs number it. Its arguments are where they are in the other, but
 * for the old mmap(2), all of whose lie in memory, where they may be turned meanwhile: it is told
 * of whatever it asks for. */
static size_t put_narrow(const struct mw_floor_call *row, struct mw_daemon_call *ret, size_t count)
{
#if defined(__x86_64__)
	size_t after = put(row, narrow_number(row->name), true, ret, count);

	if (after > count && !strcmp(row->name, "mmap")) {
		ret[count].name = "ia32_mmap";
		ret[count].look.test = NONE;
	}
	return after;
#else
	(void)row, (void)ret;
	return count;
#endif
}

static size_t put_behind(struct mw_daemon_call *ret, size_t count, size_t cap)
{
#if defined(__x86_64__)
	for (size_t i = 0; i < sizeof(behind) / sizeof(*behind) && count < cap; i++)
		ret[count++] = behind[i];
#else
	(void)ret, (void)cap;
#endif
	return count;
}

static size_t add(const struct mw_floor_call *row, struct mw_daemon_call *ret, size_t count,
                  size_t cap)
{
	if (count + 2 > cap || is_seen_elsewhere(row))
		return count;
	if (row->number >= 0)
		count = put(row, row->number, false, ret, count);
	return put_narrow(row, ret, count);
}

size_t mw_daemon_calls(struct mw_daemon_call *ret, size_t cap)
{
	size_t count = 0;

	for (size_t i = 0; i < mw_floor_call_count; i++)
		count = add(&mw_floor_calls[i], ret, count, cap);
	for (size_t i = 0; i < mw_floor_new_call_count; i++)
		count = add(&mw_floor_new_calls[i], ret, count, cap);
	return put_behind(ret, count, cap);
}
