#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Files and sockets of ours stay within reach: root is their owner. */
static int drop_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(keep >> 32 * i);
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

/* They are meant for the monitor, which tells us by closing its socket. */
static void pass_over_signals(void)
{
	static const int all[] = {SIGINT,  SIGTERM, SIGQUIT, SIGPIPE,
	                          SIGTSTP, SIGTTOU, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		signal(all[i], SIG_IGN);
}

/* The daemon is in a hurry. Who sends is not. */
static void take_time(void)
{
	if (getpriority(PRIO_PROCESS, 0) < 0)
		setpriority(PRIO_PROCESS, 0, 0);
}

void mw_confine_descriptors(int last)
{
	close_range((unsigned int)last + 1, ~0u, 0);
}

int mw_confine_rights(uint64_t keep)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return drop_capabilities(keep);
}

int mw_confine(uint64_t keep, enum mw_caller caller)
{
	int error;

	pass_over_signals();
	take_time();
	error = mw_confine_rights(keep);
	return error ? error : mw_calls_confine(caller);
}
