#include "floor_look.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/paths.h"
#include "installed.h"

/* The libraries two levels above a program: of a prefix such as /opt/x, or a virtual environment.
 */
static bool in_prefix(const struct mw_tracee *tracee, const char *path)
{
	char link[40], prefix[PATH_MAX];
	ssize_t len;
	char *slash;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)tracee->pid);
	len = readlink(link, prefix, sizeof(prefix) - 8);
	if (len <= 0)
		return false;
	prefix[len] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(prefix, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
	slash = prefix + strlen(prefix);
	strcpy(slash, "/lib");
	if (mw_path_inside(path, prefix))
		return true;
	strcpy(slash, "/lib64");
	return mw_path_inside(path, prefix);
}

bool mw_floor_is_installed(const struct mw_tracee *tracee, const char *path)
{
	char own[PATH_MAX];

	if (mw_is_of_system(path))
		return true;
	if (!mw_installed("libmodelwatch.so", own)) {
		*strrchr(own, '/') = '\0';
		if (mw_path_inside(path, own))
			return true;
	}
	return in_prefix(tracee, path);
}

/* Values in shared memory, and semaphores, are opened for writing where they are only looked up. */
static bool shares_memory(const struct mw_floor_file_call *call)
{
	return call->act == MW_FLOOR_OPEN && !(call->flags & (O_CREAT | O_TRUNC)) && call->file &&
	       mw_path_inside(call->file, "/dev/shm");
}

/* What has no name, as memfd_create(2) makes it, is nobody's but who holds it open. */
static bool has_no_name(const struct mw_floor_file_call *call)
{
	return (call->act == MW_FLOOR_TRUNCATE || call->act == MW_FLOOR_CHMOD) && call->fd >= 0 &&
	       S_ISREG(call->at.st.st_mode) && !call->at.st.st_nlink;
}

static int look_at_file(const struct mw_tracee *tracee, const struct seccomp_data *data,
                        struct mw_floor_look *ret)
{
	struct mw_floor_file_call *call = &ret->file;
	struct mw_effect *effect = &ret->effect;
	int error = mw_floor_file_take(tracee, data->nr, (const uint64_t *)data->args, call);

	if (error < 0)
		return error;
	if (!call->writes || has_no_name(call))
		return MW_LOOK_HARMLESS;
	ret->way = error == MW_FLOOR_CANNOT ? MW_WAY_UNSAFE : MW_WAY_FILE;
	if (call->op)
		effect->op = call->op;
	effect->target = call->target;
	effect->target2 = call->target2;
	if (!call->elsewhere) { /* names of another mount namespace say nothing here */
		effect->file = call->file;
		effect->file2 = call->file2;
	}
	effect->facts = (call->is_new ? MW_FACT_NEW : 0) | (call->is_device ? MW_FACT_DEVICE : 0);
	return shares_memory(call) ? MW_LOOK_AS_JUDGED : 0;
}

/* Memory. What lies in installed files is there to be run; the loader brings it when it must. A
 * private mapping that can be written to as well is no more of the file than anonymous memory. */
static int look_at_memory(const struct mw_tracee *tracee, const struct seccomp_data *data,
                          struct mw_floor_look *ret)
{
	struct mw_effect *effect = &ret->effect;
	struct stat st;
	char link[64];
	ssize_t len = -1;
	bool maps = data->nr == SYS_mmap && !(data->args[3] & MAP_ANONYMOUS);

	effect->number = (int64_t)(int)data->args[2];
	if (maps) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tracee->tid,
		         (int)data->args[4]);
		len = readlink(link, ret->real, sizeof(ret->real) - 1);
		if (len <= 0)
			return -EBADF;
	} else {
		effect->facts = MW_FACT_ANONYMOUS;
		return 0;
	}
	ret->real[len] = '\0';
	ret->changed = stat(link, &st) < 0 ? INT64_MAX : (int64_t)st.st_ctime;
	effect->target = effect->file = ret->real;
	if (data->args[2] & PROT_WRITE)
		ret->changed = INT64_MAX;
	else if (mw_floor_is_installed(tracee, ret->real))
		return MW_LOOK_HARMLESS;
	return 0;
}

/* Which process a signal is for, and which signal, by where the call has them. */
static int look_at_signal(const struct mw_tracee *tracee, const struct seccomp_data *data,
                          struct mw_floor_look *ret)
{
	bool of_thread = data->nr == SYS_tgkill || data->nr == SYS_rt_tgsigqueueinfo;
	pid_t whom = (pid_t)data->args[0];
	int number = (int)data->args[of_thread ? 2 : 1];

	ret->effect.number = number;
	if (!number || (data->nr != SYS_pidfd_send_signal &&
	                (whom == tracee->pid || (data->nr == SYS_tkill && whom == tracee->tid))))
		return MW_LOOK_HARMLESS;
	return 0;
}

/* Asking is harmless; so is what another of the task's own limits is set to. */
static int look_at_limit(const struct mw_tracee *tracee, const struct seccomp_data *data)
{
	pid_t whose = (pid_t)data->args[0];
	bool own = !whose || whose == tracee->pid;

	return data->args[2] && (!own || (int)data->args[1] == RLIMIT_MSGQUEUE) ? 0
	                                                                        : MW_LOOK_HARMLESS;
}

static int look_at_tampering(const struct mw_tracee *tracee, const struct seccomp_data *data,
                             struct mw_floor_look *ret)
{
	ret->effect.number = (int64_t)(int)data->args[0];
	switch (data->nr) {
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal:
		return look_at_signal(tracee, data, ret);
	case SYS_fcntl:
	case SYS_ioctl:
		ret->effect.number = (int64_t)(int)data->args[1];
		return 0;
	case SYS_prlimit64:
		return look_at_limit(tracee, data);
	default:
		return 0;
	}
}

/* Another entry of the kernel than that of the program: nothing honest does that in a load. */
static bool is_native(const struct seccomp_data *data)
{
#if defined(__x86_64__)
	return data->arch == 0xc000003e && !(data->nr & 0x40000000);
#else
	return data->arch == 0xc00000b7;
#endif
}

/* Zero is a descriptor. */
int mw_floor_look(const struct mw_tracee *tracee, const struct seccomp_data *data,
                  const struct mw_floor_call *row, struct mw_floor_look *ret)
{
	memset(&ret->effect, 0, sizeof(ret->effect));
	mw_floor_file_none(&ret->file);
	ret->socket = -1;
	ret->datagrams = false;
	ret->raw = NULL;
	ret->way = MW_WAY_ON;
	ret->effect.class = row->effect < MW_CLASS_COUNT ? (enum mw_class)row->effect : MW_TAMPER;
	ret->effect.sensor = MW_SYSCALL;
	ret->effect.op = row->name;
	if (!is_native(data)) {
		ret->effect.number = data->nr;
		return 0;
	}
	switch (row->effect) {
	case MW_EXEC:
		return mw_floor_look_program(tracee, data, ret);
	case MW_CONNECT:
	case MW_SEND:
	case MW_LISTEN:
		return mw_floor_look_socket(tracee, data, ret);
	case MW_WRITE:
		return look_at_file(tracee, data, ret);
	case MW_MAP:
		return look_at_memory(tracee, data, ret);
	default:
		return look_at_tampering(tracee, data, ret);
	}
}

void mw_floor_look_drop(struct mw_floor_look *look)
{
	mw_floor_file_drop(&look->file);
	if (look->socket >= 0)
		close(look->socket);
	look->socket = -1;
}
