/* One system call for everything that the kernel asks the daemon's programs about. It says what it
 * has tried, what came of it, and whether that shows afterwards: an object of JSON on a line each.
 * As a static program it does all of it on its own account; as a library, for whoever calls it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE 4096
#define NAMESPACE "/proc/self/ns/user"
#define PLACE 100 /* a socket's path has no more */
#define ATTRIBUTE "trusted.modelwatch"
#define PUBLIC __attribute__((visibility("default")))

int mw_hooks_count(void);
int mw_hooks_begin(int number, const char *place);
long mw_hooks_attempt(int number);
int mw_hooks_end(int number);

/* What there is for one attempt. */
static char file[PLACE], other[PLACE], folder[PLACE];
static char before[64]; /* the namespace that it was in */
static int opened, segment, child_fd, receiver, sender;
static struct sockaddr_storage address;
static socklen_t address_len;
static pid_t child;
static char *memory;
static volatile int cell;
static long result;

static bool is_there(void)
{
	struct stat found;

	return lstat(other, &found) == 0;
}

static bool is_gone(void)
{
	return access(file, F_OK) < 0;
}

static bool is_folder_gone(void)
{
	return access(folder, F_OK) < 0;
}

static bool is_empty(void)
{
	struct stat found;

	return !stat(file, &found) && !found.st_size;
}

static bool is_wide(void)
{
	struct stat found;

	return !stat(file, &found) && (found.st_mode & 07777) == 0777;
}

static bool is_others(void)
{
	struct stat found;

	return !stat(file, &found) && found.st_uid == 7;
}

static bool has_attribute(void)
{
	return getxattr(file, ATTRIBUTE, NULL, 0) >= 0;
}

static bool has_none(void)
{
	return !has_attribute();
}

/* That it is open, be it a file, a socket or what else has a descriptor. */
static bool is_open(void)
{
	return result >= 0 && fcntl((int)result, F_GETFD) >= 0;
}

static bool is_executable(const void *at)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], *end; /* from-to rights */
	bool found = false;

	while (maps && fgets(line, sizeof(line), maps)) {
		uintptr_t low = strtoul(line, &end, 16), high = strtoul(end + 1, &end, 16);

		if ((uintptr_t)at >= low && (uintptr_t)at < high)
			found = end[3] == 'x';
	}
	if (maps)
		fclose(maps);
	return found;
}

static bool is_memory_executable(void)
{
	return is_executable(memory);
}

static bool is_result_executable(void)
{
	return result > 0 && is_executable((void *)result);
}

static bool is_traced(void)
{
	char path[64], line[256], own[64];
	bool found = false;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", child);
	snprintf(own, sizeof(own), "TracerPid:\t%d\n", getpid());
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		found |= !strcmp(line, own);
	if (status)
		fclose(status);
	return found;
}

static bool is_written(void)
{
	int there = 0;
	struct iovec to = {&there, sizeof(there)}, from = {(void *)&cell, sizeof(cell)};

	return process_vm_readv(child, &to, 1, &from, 1, 0) == sizeof(there) && there;
}

/* Where the signal was made, it is waited for. */
static bool is_killed(void)
{
	bool ended = waitpid(child, NULL, result ? WNOHANG : 0) == child;

	if (ended)
		child = 0;
	return ended;
}

/* What was sent comes at once, or a little later. */
static bool has_come(void)
{
	struct pollfd event = {.fd = receiver, .events = POLLIN};

	return poll(&event, 1, result < 0 ? 0 : 2000) == 1;
}

static bool is_accepted(void)
{
	return has_come(); /* to accept(2) */
}

static bool is_bound(void)
{
	struct sockaddr_in6 found = {.sin6_port = 0}; /* it lies where IPv4 has it */
	socklen_t len = sizeof(found);

	return !getsockname(sender, (struct sockaddr *)&found, &len) && found.sin6_port;
}

static bool is_elsewhere(void)
{
	char now[sizeof(before)] = "";

	return readlink(NAMESPACE, now, sizeof(now) - 1) > 0 && strcmp(before, now) != 0;
}

/* By a child that becomes the program: it ends with the errno when it does not. */
static long do_exec(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/touch", "touch", other, (char *)NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static long do_open(void)
{
	return open(file, O_WRONLY);
}

static long do_create(void)
{
	return open(other, O_CREAT | O_WRONLY, 0600);
}

static long do_mknod(void)
{
	return mknod(other, S_IFIFO | 0600, 0);
}

static long do_mkdir(void)
{
	return mkdir(other, 0700);
}

static long do_rmdir(void)
{
	return rmdir(folder);
}

static long do_unlink(void)
{
	return unlink(file);
}

static long do_symlink(void)
{
	return symlink(file, other);
}

static long do_link(void)
{
	return link(file, other);
}

static long do_rename(void)
{
	return rename(file, other);
}

static long do_truncate(void)
{
	return truncate(file, 0);
}

static long do_ftruncate(void)
{
	return ftruncate(opened, 0);
}

static long do_chmod(void)
{
	return chmod(file, 0777);
}

static long do_fchmod(void)
{
	return fchmod(opened, 0777);
}

static long do_chown(void)
{
	return chown(file, 7, 7);
}

static long do_setxattr(void)
{
	return setxattr(file, ATTRIBUTE, "1", 1, 0);
}

static long do_removexattr(void)
{
	return removexattr(file, ATTRIBUTE);
}

static long do_mmap(void)
{
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? -1 : (long)at;
}

static long do_mprotect(void)
{
	return mprotect(memory, PAGE, PROT_READ | PROT_EXEC);
}

static long do_shmat(void)
{
	return (long)shmat(segment, NULL, SHM_EXEC);
}

static long do_connect(void)
{
	return connect(sender, (struct sockaddr *)&address, address_len);
}

static long do_bind(void)
{
	return bind(sender, (struct sockaddr *)&address, address_len);
}

static long do_send(void)
{
	return sendto(sender, "x", 1, 0, (struct sockaddr *)&address, address_len);
}

static long do_raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static long do_ptrace(void)
{
	return ptrace(PTRACE_SEIZE, child, NULL, NULL);
}

static long do_write_memory(void)
{
	int one = 1;
	struct iovec from = {&one, sizeof(one)}, to = {(void *)&cell, sizeof(cell)};

	return process_vm_writev(child, &from, 1, &to, 1, 0);
}

static long do_open_memory(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", child);
	return open(path, O_RDWR);
}

static long do_getfd(void)
{
	return syscall(SYS_pidfd_getfd, child_fd, 0, 0);
}

static long do_kill(void)
{
	return kill(child, SIGKILL);
}

static long do_bpf(void)
{
	union bpf_attr attr = {
	        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long do_ring(void)
{
	struct io_uring_params params = {0};

	return syscall(SYS_io_uring_setup, 4, &params);
}

static long do_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

enum needs { NOTHING, A_SOCKET, WHO_HEARS };

#define PLAIN(call, asked, attempt, shows)                                                         \
	{                                                                                          \
		call, asked, attempt, shows, NOTHING, 0, 0                                         \
	}
#define A_SOCKET(call, asked, attempt, shows, family, type)                                        \
	{                                                                                          \
		call, asked, attempt, shows, A_SOCKET, family, type                                \
	}
#define WHO_HEARS(call, asked, attempt, shows, family, type)                                       \
	{                                                                                          \
		call, asked, attempt, shows, WHO_HEARS, family, type                               \
	}

static const struct hook {
	const char *call, *asked; /* the system call, and what programs are asked by */
	long (*attempt)(void);
	bool (*shows)(void);
	enum needs needs;
	int family, type; /* of the sockets */
} hooks[] = {
        PLAIN("execve", "bprm_check_security", do_exec, is_there),
        PLAIN("open", "file_open", do_open, is_open),
        PLAIN("create", "path_mknod", do_create, is_there),
        PLAIN("mknod", "path_mknod", do_mknod, is_there),
        PLAIN("mkdir", "path_mkdir", do_mkdir, is_there),
        PLAIN("rmdir", "path_rmdir", do_rmdir, is_folder_gone),
        PLAIN("unlink", "path_unlink", do_unlink, is_gone),
        PLAIN("symlink", "path_symlink", do_symlink, is_there),
        PLAIN("link", "path_link", do_link, is_there),
        PLAIN("rename", "path_rename", do_rename, is_there),
        PLAIN("truncate", "path_truncate", do_truncate, is_empty),
        PLAIN("ftruncate", "file_truncate", do_ftruncate, is_empty),
        PLAIN("chmod", "path_chmod", do_chmod, is_wide),
        PLAIN("fchmod", "path_chmod", do_fchmod, is_wide),
        PLAIN("chown", "path_chown", do_chown, is_others),
        PLAIN("setxattr", "inode_setxattr", do_setxattr, has_attribute),
        PLAIN("removexattr", "inode_removexattr", do_removexattr, has_none),
        PLAIN("mmap", "mmap_file", do_mmap, is_result_executable),
        PLAIN("shmat", "mmap_file", do_shmat, is_result_executable),
        PLAIN("mprotect", "file_mprotect", do_mprotect, is_memory_executable),
        WHO_HEARS("connect unix", "socket_connect", do_connect, is_accepted, AF_UNIX, SOCK_STREAM),
        A_SOCKET("bind unix", "socket_bind", do_bind, is_there, AF_UNIX, SOCK_STREAM),
        WHO_HEARS("sendto unix", "unix_may_send", do_send, has_come, AF_UNIX, SOCK_DGRAM),
        WHO_HEARS("connect inet", "cgroup/connect4", do_connect, is_accepted, AF_INET, SOCK_STREAM),
        WHO_HEARS("connect inet6", "cgroup/connect6", do_connect, is_accepted, AF_INET6,
                  SOCK_STREAM),
        WHO_HEARS("sendto inet", "cgroup/sendmsg4", do_send, has_come, AF_INET, SOCK_DGRAM),
        WHO_HEARS("sendto inet6", "cgroup/sendmsg6", do_send, has_come, AF_INET6, SOCK_DGRAM),
        A_SOCKET("bind inet", "cgroup/bind4", do_bind, is_bound, AF_INET, SOCK_DGRAM),
        A_SOCKET("bind inet6", "cgroup/bind6", do_bind, is_bound, AF_INET6, SOCK_DGRAM),
        PLAIN("socket raw", "cgroup/sock_create", do_raw, is_open),
        PLAIN("ptrace", "ptrace_access_check", do_ptrace, is_traced),
        PLAIN("process_vm_writev", "ptrace_access_check", do_write_memory, is_written),
        PLAIN("open mem", "file_open", do_open_memory, is_open),
        PLAIN("pidfd_getfd", "ptrace_access_check", do_getfd, is_open),
        PLAIN("kill", "task_kill", do_kill, is_killed),
        PLAIN("bpf", "bpf", do_bpf, is_open),
        PLAIN("io_uring_setup", "inode_init_security_anon", do_ring, is_open),
        /* Whose own namespace it is can do little in the folders of others: it comes last. */
        PLAIN("unshare", "userns_create", do_unshare, is_elsewhere),
};

static int make_files(const struct hook *hook, const char *place)
{
	char base[PLACE - 16];
	int fd;

	snprintf(base, sizeof(base), "%s/%td", place, hook - hooks);
	snprintf(file, sizeof(file), "%s/file", base);
	snprintf(other, sizeof(other), "%s/other", base);
	snprintf(folder, sizeof(folder), "%s/folder", base);
	if (mkdir(base, 0700) < 0 || mkdir(folder, 0700) < 0)
		return -errno;
	fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "a file\n", 7) != 7)
		return -errno;
	opened = fd;
	if (hook->attempt == do_removexattr && fsetxattr(fd, ATTRIBUTE, "1", 1, 0) < 0)
		return -errno;
	return 0;
}

static int make_memory(void)
{
	segment = shmget(IPC_PRIVATE, PAGE, 0600);
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return segment < 0 || memory == MAP_FAILED ? -errno : 0;
}

/* One that is free: of IP the kernel chooses its port when it is bound. */
static void choose_address(const struct hook *hook)
{
	struct sockaddr_un *local = (struct sockaddr_un *)&address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	address = (struct sockaddr_storage){.ss_family = (sa_family_t)hook->family};
	address_len = hook->family == AF_UNIX   ? sizeof(*local)
	              : hook->family == AF_INET ? sizeof(*v4)
	                                        : sizeof(*v6);
	if (hook->family == AF_UNIX)
		snprintf(local->sun_path, sizeof(local->sun_path), "%s", other);
	else if (hook->family == AF_INET)
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		v6->sin6_addr = in6addr_loopback;
}

static int make_sockets(const struct hook *hook)
{
	receiver = sender = -1;
	if (hook->needs == NOTHING)
		return 0;
	choose_address(hook);
	sender = socket(hook->family, hook->type | SOCK_CLOEXEC, 0);
	if (sender < 0)
		return -errno;
	if (hook->needs == A_SOCKET)
		return 0;
	receiver = socket(hook->family, hook->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (receiver < 0 || bind(receiver, (struct sockaddr *)&address, address_len) < 0 ||
	    getsockname(receiver, (struct sockaddr *)&address, &address_len) < 0 ||
	    (hook->type == SOCK_STREAM && listen(receiver, 1) < 0))
		return -errno;
	return 0;
}

static int make_child(void)
{
	cell = 0;
	if (readlink(NAMESPACE, before, sizeof(before) - 1) < 0)
		return -errno;
	child = fork();
	if (!child) {
		sleep(600);
		_exit(0);
	}
	child_fd = child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
	return child_fd < 0 ? -errno : 0;
}

PUBLIC int mw_hooks_count(void)
{
	return sizeof(hooks) / sizeof(*hooks);
}

/* Gets ready for one. `place` is a folder. Returns 0 or a negative errno. */
PUBLIC int mw_hooks_begin(int number, const char *place)
{
	int error = make_files(&hooks[number], place);

	if (!error)
		error = make_memory();
	if (!error)
		error = make_sockets(&hooks[number]);
	return error ? error : make_child();
}

PUBLIC long mw_hooks_attempt(int number)
{
	result = hooks[number].attempt();
	if (result == -1)
		result = -errno;
	return result;
}

static void clean_up(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	shmctl(segment, IPC_RMID, NULL);
	close(child_fd);
	close(opened);
	close(sender);
	close(receiver);
	munmap(memory, PAGE);
}

/* Says what has come of it. Returns 0, or -1 when it cannot. */
PUBLIC int mw_hooks_end(int number)
{
	const struct hook *hook = &hooks[number];
	bool shows = hook->shows();

	printf("{\"call\": \"%s\", \"asked\": \"%s\", \"errno\": %s%s%s, \"shows\": %s}\n",
	       hook->call, hook->asked, result < 0 ? "\"" : "",
	       result < 0 ? strerrorname_np((int)-result) : "0", result < 0 ? "\"" : "",
	       shows ? "true" : "false");
	clean_up();
	return fflush(stdout) ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < mw_hooks_count(); i++) {
		int error = mw_hooks_begin(i, argv[1]);

		if (error) {
			fprintf(stderr, "%s: %s\n", hooks[i].call, strerror(-error));
			return 1;
		}
		mw_hooks_attempt(i);
		if (mw_hooks_end(i))
			return 1;
	}
	return 0;
}
