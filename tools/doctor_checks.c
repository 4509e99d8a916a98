/* What works on this machine, whatever the interpreter. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "doctor.h"
#include "floor_start.h"
#include "installed.h"
#include "unwind.h"

#define TIMEOUT_MS 10000

__attribute__((format(printf, 3, 4))) static void found(struct mw_check *check, bool works,
                                                        const char *format, ...)
{
	va_list args;

	check->health = works ? MW_WORKS : MW_OFF;
	if (works)
		check->cost = NULL;
	va_start(args, format);
	vsnprintf(check->detail, sizeof(check->detail), format, args);
	va_end(args);
}

static void try_run(struct mw_check *check)
{
	char *argv[] = {"/proc/self/exe", "run", "--", "sh", "-c", "exit 42", NULL};
	char self[PATH_MAX], out[256];
	int status;

	check->cost = "no job can be watched";
	if (!realpath(argv[0], self)) {
		found(check, false, "cannot find the program itself: %s", strerror(errno));
		return;
	}
	argv[0] = self;
	status = mw_capture(argv, NULL, TIMEOUT_MS, out, sizeof(out));
	mw_doctor_clean(out);
	if (status < 0)
		found(check, false, "cannot start it: %s", strerror(-status));
	else if (status != 42)
		found(check, false, "a command that exits with 42 ended with %d: %s", status, out);
	else
		found(check, true, "starts a command and passes its status on");
}

/* Asks the loader, which ignores a preload that it cannot load, what is in a process. */
static void try_preload(struct mw_check *check)
{
	char *argv[] = {"grep", "-c", "libmodelwatch.so", "/proc/self/maps", NULL};
	char path[PATH_MAX], variable[PATH_MAX + 16], out[PATH_MAX];
	int error = mw_installed("libmodelwatch.so", path), status;

	check->cost = "effects at libc are not seen, and Python is not reached: nothing is watched";
	if (error) {
		found(check, false, "libmodelwatch.so: %s", strerror(-error));
		return;
	}
	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", path);
	status = mw_capture(argv, variable, TIMEOUT_MS, out, sizeof(out));
	mw_doctor_clean(out);
	if (status)
		found(check, false, "the loader does not take %s: %s", path, out);
	else
		found(check, true, "LD_PRELOAD takes %s", path);
}

static void try_extension(struct mw_check *check)
{
	char path[PATH_MAX];
	int error = mw_installed("_modelwatch.abi3.so", path);

	check->cost = "loads are not recognised: nothing is stopped";
	if (error)
		found(check, false, "_modelwatch.abi3.so: %s", strerror(-error));
	else
		found(check, true, "%s", path);
}

#define STACK_COPY 65536

/* Its own stack, unwound the way a watched process's is: from registers and a copy. */
__attribute__((noinline)) static int unwind_self(void)
{
	struct mw_native_frame *frames = calloc(MW_UNWIND_FRAMES_MAX, sizeof(*frames));
	uint8_t *copy = malloc(STACK_COPY);
	struct mw_unwinder *unwinder = NULL;
	struct iovec here, there;
	struct mw_regs regs;
	ssize_t n = -1;
	int count = -ENOMEM;

	mw_regs_capture(&regs);
	if (!frames || !copy || mw_unwinder_new(&unwinder))
		goto out;
	here = (struct iovec){copy, STACK_COPY};
	there = (struct iovec){(void *)(uintptr_t)mw_regs_sp(&regs), 4096};
	for (size_t len = STACK_COPY; len >= 1024 && n < 0; len /= 2) {
		there.iov_len = len;
		n = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
	}
	count = n < 0 ? -errno
	              : mw_unwind(unwinder, getpid(), NULL, &regs, copy, (size_t)n, frames,
	                          MW_UNWIND_FRAMES_MAX);
out:
	mw_unwinder_free(unwinder);
	free(copy);
	free(frames);
	return count;
}

static void try_unwinding(struct mw_check *check)
{
	int count = unwind_self();

	check->cost = "alerts carry no native stack";
	if (count < 0)
		found(check, false, "cannot unwind: %s", strerror(-count));
	else
		found(check, count > 2, "%d frames of this program unwound", count);
}

static int read_child(void)
{
	static const char word[] = "modelwatch";
	char copy[sizeof(word)] = "";
	struct iovec here = {copy, sizeof(copy)}, there = {(void *)word, sizeof(word)};
	pid_t child = fork();
	int error = 0;

	if (child < 0)
		return -errno;
	if (!child)
		for (;;)
			pause();
	if (process_vm_readv(child, &here, 1, &there, 1, 0) < 0)
		error = -errno;
	else if (memcmp(copy, word, sizeof(word)))
		error = -EIO;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return error;
}

static int yama_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &scope) != 1) // NOLINT(cert-err34-c): the kernel wrote it
		scope = -1;
	fclose(file);
	return scope;
}

static void try_memory(struct mw_check *check)
{
	int error = read_child(), scope = yama_scope();
	char yama[48] = "";

	if (scope >= 0)
		snprintf(yama, sizeof(yama), " (kernel.yama.ptrace_scope is %d)", scope);
	check->cost = "what a model that was loaded from memory contained is not recorded";
	if (error)
		found(check, false, "process_vm_readv of a child: %s%s", strerror(-error), yama);
	else
		found(check, true, "the memory of a job can be read%s", yama);
}

static int bind_in(const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int used = snprintf(address.sun_path, sizeof(address.sun_path), "%s/doctor", directory);
	int fd, error = 0;

	if (used < 0 || (size_t)used >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		error = -errno;
	close(fd);
	unlink(address.sun_path);
	return error;
}

static void try_socket(struct mw_check *check)
{
	const char *base = getenv("TMPDIR");
	char directory[PATH_MAX];
	int error;

	check->cost = "no job can be watched: it reaches the monitor through such a socket";
	snprintf(directory, sizeof(directory), "%s/modelwatch.XXXXXX",
	         base && *base ? base : "/tmp");
	if (!mkdtemp(directory)) {
		found(check, false, "cannot make a directory like %s: %s", directory,
		      strerror(errno));
		return;
	}
	error = bind_in(directory);
	rmdir(directory);
	if (error)
		found(check, false, "no unix socket in %s: %s", directory, strerror(-error));
	else
		found(check, true, "unix sockets work in %s", base && *base ? base : "/tmp");
}

static void try_floor(struct mw_check *check)
{
	bool no_new_privs = false;
	int error = mw_floor_try(&no_new_privs);

	check->cost = "effects below libc (direct system calls, static programs) are not seen";
	if (error)
		found(check, false, "%s", mw_floor_why(error));
	else
		found(check, true, "the system calls of a job are told%s",
		      no_new_privs ? "; set-user-ID programs in it gain no privileges" : "");
}

static const struct {
	const char *name;
	void (*check)(struct mw_check *check);
} checks[] = {
        {"run", try_run},
        {"preload", try_preload},
        {"extension", try_extension},
        {"native stacks", try_unwinding},
        {"memory", try_memory},
        {"socket", try_socket},
        {"floor", try_floor},
};

size_t mw_doctor_checks(struct mw_check *ret, size_t max)
{
	size_t count = 0;

	for (; count < sizeof(checks) / sizeof(checks[0]) && count < max; count++) {
		ret[count] = (struct mw_check){.name = checks[count].name};
		checks[count].check(&ret[count]);
	}
	return count;
}
