/* The sites of real interpreters, against what the interpreters say of themselves, and of the same
 * calls as they are made: where the arguments are, and which code is on the stack meanwhile. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/capture.h"
#include "../../tools/maps.h"
#include "../../tools/python_parts.h"
#include "../../tools/unwind.h"

#define STACK_MAX (256 << 10)
#define FRAMES 128
#define CALLS 5

/* Says of each call which function it will run, and of which object that is to be told; then stops,
 * makes the calls and stops once inside of each. */
static const char script[] =
        "import _pickle, ctypes, io, os, signal, sys\n"
        "class Stop:\n"
        "    def __reduce__(self):\n"
        "        return os.kill, (os.getpid(), signal.SIGSTOP)\n"
        "def hook(event, args):\n"
        "    if event == 'stop' or event == 'pickle.find_class' and args[0] == 'stop':\n"
        "        os.kill(os.getpid(), signal.SIGSTOP)\n"
        "def word(at):\n"
        "    return ctypes.c_size_t.from_address(at).value\n"
        "def place(at):\n"
        "    for line in open('/proc/self/maps'):\n"
        "        words = line.split(None, 5)\n"
        "        start, end = (int(x, 16) for x in words[0].split('-'))\n"
        "        if start <= at < end:\n"
        "            return at - start + int(words[2], 16), words[5].strip()\n"
        "sys.addaudithook(hook)\n"
        "data, stop, empty = _pickle.dumps(Stop()), 'stop', io.BytesIO()\n"
        "file, unpickler = io.BytesIO(data), _pickle.Unpickler(io.BytesIO(data))\n"
        "calls = [(_pickle.loads, (data,), data), (_pickle.load, (file,), file),\n"
        "         (unpickler.load, (), unpickler),\n"
        "         (_pickle.Unpickler(empty).find_class, (stop, stop), stop),\n"
        "         (sys.audit, (stop,), stop)]\n"
        "for function, args, object in calls:\n"
        "    at = word(word(id(function) + 16) + 8)\n"
        "    offset, path = place(at)\n"
        "    print(hex(offset), hex(at), hex(id(object)), path)\n"
        "runtime = ctypes.c_char.in_dll(ctypes.pythonapi, '_PyRuntime')\n"
        "print(hex(sys.hexversion >> 16), hex(ctypes.addressof(runtime)), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGSTOP)\n"
        "for function, args, object in calls:\n"
        "    try:\n"
        "        function(*args)\n"
        "    except ImportError:\n"
        "        pass\n";

static const uint32_t call_kinds[CALLS] = {MW_K_PICKLE_LOADS, MW_K_PICKLE_LOAD, MW_K_UNPICKLER,
                                           MW_K_FIND_CLASS, MW_K_SYS_AUDIT};

/* A file and its sites. */
struct file {
	int fd;
	struct mw_elf elf;
	struct mw_python_sites sites;
};

struct call {
	uint64_t offset, address, object;
	char path[256];
	struct file file;
	const struct mw_site *site;
	uint64_t sp, caller; /* as the breakpoint at its entry saw them */
};

struct run {
	pid_t pid;
	struct call call[CALLS];
	struct mw_unwinder *unwinder;
	uint64_t version, runtime;
	struct mw_python_sites noted; /* what the file's notes alone would give */
	uint64_t usdt;                /* address of a breakpoint on it that was not met yet */
	bool usdt_met;
	size_t entered, stopped;
};

static struct run run;

static int read_file(void *userdata, uint64_t offset, void *buf, size_t len)
{
	ssize_t n = pread(*(int *)userdata, buf, len, (off_t)offset);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

static void open_file(struct file *file, const char *path)
{
	struct timespec start, end;
	struct stat st;
	double ms;

	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file->fd >= 0);
	assert_int_equal(fstat(file->fd, &st), 0);
	assert_int_equal(mw_elf_open(&file->elf, read_file, &file->fd, (uint64_t)st.st_size), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(mw_python_sites(&file->elf, &file->sites), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (double)(end.tv_sec - start.tv_sec) * 1e3 +
	     (double)(end.tv_nsec - start.tv_nsec) / 1e6;
	print_message("%s: %u sites in %.1f ms\n", path, file->sites.count, ms);
}

static const struct mw_site *site_of(const struct mw_python_sites *sites, uint32_t kind)
{
	const struct mw_site *found = NULL;

	for (uint32_t i = 0; i < sites->count; i++) {
		if (sites->site[i].kind != kind)
			continue;
		assert_null(found);
		found = &sites->site[i];
	}
	return found;
}

/* As tests/interpreters.py finds it. False: there is none. */
static bool find_interpreter(const char *name, char *ret, size_t size)
{
	const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
	char pattern[512], *argv[] = {"sh", "-c", pattern, NULL};
	glob_t found;

	if (!strcmp(name, "debian-3.11")) {
		snprintf(ret, size, "/usr/bin/python3.11");
		return access(ret, X_OK) == 0;
	}
	snprintf(pattern, sizeof(pattern), "%s%s/versions/%s.*/bin/python3",
	         root   ? root
	         : home ? home
	                : "",
	         root ? "" : "/.pyenv", name);
	if (!glob(pattern, 0, NULL, &found)) {
		snprintf(ret, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
		globfree(&found);
		return true;
	}
	/* What is found on PATH may be a script that runs the interpreter. */
	snprintf(pattern, sizeof(pattern), "exec python%s -c 'import sys; print(sys.executable)'",
	         name);
	if (mw_capture(argv, NULL, 10000, ret, size))
		return false;
	ret[strcspn(ret, "\n")] = 0;
	return true;
}

static FILE *start(const char *python)
{
	FILE *out;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	run.pid = fork();
	assert_true(run.pid >= 0);
	if (!run.pid) {
		close(fds[0]);
		dup2(fds[1], 1);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			execl(python, python, "-c", script, NULL);
		_exit(127);
	}
	close(fds[1]);
	out = fdopen(fds[0], "r");
	assert_non_null(out);
	return out;
}

/* The next stop by a signal that is not about exec; 0: it has ended. */
static int next_stop(pid_t pid, int *status)
{
	assert_int_equal(waitpid(pid, status, 0), pid);
	return WIFSTOPPED(*status) ? WSTOPSIG(*status) : 0;
}

/* A line of numbers, and behind them a path where `path` is not NULL. */
static void read_line(FILE *out, unsigned long long *numbers, size_t count, char *path, size_t size)
{
	char line[512], *at = line;

	assert_non_null(fgets(line, sizeof(line), out));
	line[strcspn(line, "\n")] = 0;
	for (size_t i = 0; i < count; i++) {
		char *end;

		numbers[i] = strtoull(at, &end, 16);
		assert_ptr_not_equal(end, at);
		at = end;
	}
	if (path)
		snprintf(path, size, "%s", at + 1);
}

static void read_calls(FILE *out)
{
	unsigned long long numbers[3];

	for (size_t i = 0; i < CALLS; i++) {
		struct call *call = &run.call[i];

		read_line(out, numbers, 3, call->path, sizeof(call->path));
		call->offset = numbers[0];
		call->address = numbers[1];
		call->object = numbers[2];
	}
	read_line(out, numbers, 2, NULL, 0);
	run.version = numbers[0];
	run.runtime = numbers[1];
}

/* What the interpreter says of its functions is what the file says. */
static void compare(struct call *call, uint32_t kind)
{
	uint64_t vaddr;

	open_file(&call->file, call->path);
	call->site = site_of(&call->file.sites, kind);
	assert_non_null(call->site);
	assert_int_equal(mw_elf_vaddr(&call->file.elf, call->offset, &vaddr), 0);
	assert_int_equal(call->site->entry, vaddr);
	assert_in_range(call->site->offset - call->offset, 0, 4);
	assert_in_range(call->site->body_count, 1, MW_BODIES_MAX);
	assert_int_equal(call->site->body[0].from, 0);
	assert_false(call->site->bodies_cut);
	assert_int_equal(call->file.sites.refused_count, 0);
}

static void compare_interpreter(void)
{
	const struct call *audit = &run.call[CALLS - 1];
	const struct mw_python_sites *sites = &audit->file.sites;

	assert_int_equal(sites->version, run.version);
	assert_int_equal(sites->runtime - audit->site->entry, run.runtime - audit->address);
	assert_int_equal(sites->wants_pickle, strcmp(audit->path, run.call[0].path) != 0);
}

/* Breakpoints of the processor, not in the code: on a host that is being watched somebody else's
 * probe may be there, and the kernel would take a breakpoint for its own. `slot` 0 is for the next
 * call, 1 for a USDT; address 0: none. */
static void plant(unsigned int slot, uint64_t address)
{
	const size_t registers = offsetof(struct user, u_debugreg);
	unsigned long enabled = 1UL << (2 * slot);
	long others;

	errno = 0;
	others = ptrace(PTRACE_PEEKUSER, run.pid, (void *)(registers + 7 * 8), NULL);
	if (!errno)
		ptrace(PTRACE_POKEUSER, run.pid, (void *)(registers + 7 * 8),
		       (void *)(others & ~enabled));
	if (!errno && address)
		ptrace(PTRACE_POKEUSER, run.pid, (void *)(registers + slot * 8),
		       (void *)(uintptr_t)address);
	if (!errno && address)
		ptrace(PTRACE_POKEUSER, run.pid, (void *)(registers + 7 * 8),
		       (void *)(others | enabled));
	if (errno) {
		print_message("no breakpoints here: %s\n", strerror(errno));
		skip();
	}
}

static uint64_t probe_at(const struct call *call)
{
	return call->address + (call->site->offset - call->offset);
}

/* One by one: a load calls find_class, too. */
static void plant_next(void)
{
	plant(0, probe_at(&run.call[run.entered]));
}

/* A USDT's code is only run while somebody has counted its semaphore up. It stands in for
 * sys.audit() where that is not found. */
static void plant_usdt(void)
{
	const struct call *audit = &run.call[CALLS - 1];
	uint64_t bias = audit->address - audit->site->entry, semaphore = 0;
	const struct mw_elf *elf = &audit->file.elf;
	const struct mw_site *usdt;

	assert_int_not_equal(audit->site->convention, MW_BY_USDT);
	assert_int_equal(mw_sites_usdt(&run.noted, elf), 0);
	assert_int_equal(run.noted.refused_count, 0);
	usdt = site_of(&run.noted, MW_K_SYS_AUDIT);
	if (!usdt)
		return;
	assert_int_equal(usdt->convention, MW_BY_USDT);
	assert_false(usdt->slow);
	for (size_t i = 0; i < elf->load_count; i++)
		if (elf->loads[i].flags & PF_W && usdt->semaphore >= elf->loads[i].offset)
			semaphore = usdt->semaphore - elf->loads[i].offset + elf->loads[i].vaddr;
	assert_int_not_equal(semaphore, 0);
	assert_int_equal(
	        ptrace(PTRACE_POKEDATA, run.pid, (void *)(uintptr_t)(semaphore + bias), (void *)1L),
	        0);
	run.usdt = usdt->entry + bias;
	plant(1, run.usdt);
}

static void get_regs(pid_t pid, struct mw_regs *ret)
{
	struct user_regs_struct user;

	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &user), 0);
	*ret = (struct mw_regs){{user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
	                         user.rbp, user.rsp, user.r8, user.r9, user.r10, user.r11, user.r12,
	                         user.r13, user.r14, user.r15, user.rip}};
}

static void read_memory(pid_t pid, uint64_t at, void *buf, size_t len)
{
	struct iovec local = {buf, len}, remote = {(void *)(uintptr_t)at, len};

	assert_int_equal(process_vm_readv(pid, &local, 1, &remote, 1, 0), len);
}

/* The object that the call is about, where the convention says that it is. */
static uint64_t object_of(const struct call *call, const struct mw_regs *regs)
{
	uint64_t object;

	if (call->site->convention == MW_BY_SELF)
		return regs->r[5];
	assert_in_range(call->site->convention, MW_BY_FAST, MW_BY_METHOD);
	read_memory(run.pid, regs->r[call->site->convention == MW_BY_FAST ? 4 : 1], &object, 8);
	return object;
}

static uint64_t usdt_argument(const struct mw_usdt_arg *arg, const struct mw_regs *regs)
{
	uint64_t value = regs->r[arg->reg];

	if (arg->in_memory)
		read_memory(run.pid, value + (uint64_t)(int64_t)arg->distance, &value,
		            sizeof(value));
	return value;
}

static void at_breakpoint(void)
{
	struct call *call = &run.call[run.entered % CALLS];
	char event[sizeof("pickle.find_class")];
	struct mw_regs regs;

	get_regs(run.pid, &regs);
	if (run.usdt && regs.r[MW_REGS_PC] == run.usdt) {
		const struct mw_site *usdt = site_of(&run.noted, MW_K_SYS_AUDIT);

		read_memory(run.pid, usdt_argument(&usdt->usdt_arg[0], &regs), event,
		            sizeof(event));
		assert_string_equal(event, "pickle.find_class");
		plant(1, 0);
		run.usdt_met = true;
		return;
	}
	assert_true(run.entered < CALLS);
	assert_int_equal(regs.r[MW_REGS_PC], probe_at(call));
	assert_int_equal(object_of(call, &regs), call->object);
	call->sp = mw_regs_sp(&regs);
	read_memory(run.pid, call->sp, &call->caller, 8);
	plant(0, 0);
	run.entered++;
}

static bool in_body(const struct call *call, uint64_t vaddr)
{
	for (uint32_t i = 0; i < call->site->body_count; i++) {
		int64_t at = (int64_t)(vaddr - call->site->entry);

		if (at >= call->site->body[i].from && at < call->site->body[i].to)
			return true;
	}
	return false;
}

/* What stands right below the caller's frame is one of the bodies. The copy of the stack ends with
 * the return address, so the caller is the last that is found. */
static void at_stop(void)
{
	static uint8_t stack[STACK_MAX];
	static struct mw_native_frame frames[FRAMES];
	const struct call *call = &run.call[run.stopped];
	struct mw_regs regs;
	size_t len;
	int n;

	assert_true(run.stopped < CALLS);
	assert_int_equal(run.entered, ++run.stopped);
	get_regs(run.pid, &regs);
	len = call->sp + 8 - mw_regs_sp(&regs);
	assert_in_range(len, 64, sizeof(stack));
	read_memory(run.pid, mw_regs_sp(&regs), stack, len);
	n = mw_unwind(run.unwinder, run.pid, NULL, &regs, stack, len, frames, FRAMES);
	assert_in_range(n, 2, FRAMES);
	assert_int_equal(frames[n - 1].ip, call->caller);
	if (!in_body(call, frames[n - 2].offset))
		print_message("call %zu stands at %llx\n", run.stopped,
		              (unsigned long long)frames[n - 2].offset);
	assert_true(in_body(call, frames[n - 2].offset));
	if (run.entered < CALLS)
		plant_next();
}

static void follow(void)
{
	int status, signal;

	for (;;) {
		assert_int_equal(ptrace(PTRACE_CONT, run.pid, NULL, NULL), 0);
		signal = next_stop(run.pid, &status);
		if (!signal)
			break;
		if (signal == SIGTRAP)
			at_breakpoint();
		else if (signal == SIGSTOP)
			at_stop();
		else
			fail_msg("signal %d", signal);
	}
	run.pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(run.stopped, CALLS);
}

static int end(void **state)
{
	(void)state;
	if (run.pid > 0)
		kill(run.pid, SIGKILL);
	mw_unwinder_free(run.unwinder);
	run = (struct run){0};
	return 0;
}

static void interpreter(void **state)
{
	char python[512];
	FILE *out;
	int status;

	if (!find_interpreter(*state, python, sizeof(python))) {
		print_message("no Python %s here\n", (const char *)*state);
		skip();
	}
	assert_int_equal(mw_unwinder_new(&run.unwinder), 0);
	out = start(python);
	if (next_stop(run.pid, &status) != SIGTRAP) {
		run.pid = WIFSTOPPED(status) ? run.pid : 0;
		fclose(out);
		print_message("ptrace is forbidden here\n");
		skip();
	}
	ptrace(PTRACE_SETOPTIONS, run.pid, NULL, (void *)(long)PTRACE_O_EXITKILL);
	assert_int_equal(ptrace(PTRACE_CONT, run.pid, NULL, NULL), 0);
	assert_int_equal(next_stop(run.pid, &status), SIGSTOP);
	read_calls(out);
	for (size_t i = 0; i < CALLS; i++)
		compare(&run.call[i], call_kinds[i]);
	compare_interpreter();
	plant_next();
	plant_usdt();
	follow();
	assert_true(!run.usdt || run.usdt_met);
	if (!strcmp(*state, "debian-3.11"))
		assert_true(run.usdt_met);
	for (size_t i = 0; i < CALLS; i++)
		close(run.call[i].file.fd);
	fclose(out);
}

/* Prints where libtorch lies and, one a line, where the dynamic linker finds its functions. */
static const char torch_script[] =
        "import ctypes, importlib.util, os, sys\n"
        "spec = importlib.util.find_spec('torch')\n"
        "path = spec and os.path.join(spec.submodule_search_locations[0], 'lib', "
        "'libtorch_cpu.so')\n"
        "if not path or not os.path.exists(path):\n"
        "    sys.exit(3)\n"
        "library = ctypes.CDLL(path)\n"
        "reader = '_ZN6caffe29serialize19PyTorchStreamReader'\n"
        "string = 'ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE'\n"
        "names = ['_ZN5torch3jit9Unpickler12parse_ivalueEv', reader + 'D1Ev',\n"
        "         reader + 'C1' + string, reader + 'C1EPSi',\n"
        "         reader + 'C1ESt10shared_ptrINS0_20ReadAdapterInterfaceEE']\n"
        "print(path)\n"
        "for name in names:\n"
        "    at = ctypes.cast(getattr(library, name), ctypes.c_void_p).value\n"
        "    for line in open('/proc/self/maps'):\n"
        "        words = line.split(None, 5)\n"
        "        start, end = (int(x, 16) for x in words[0].split('-'))\n"
        "        if start <= at < end:\n"
        "            print(hex(at - start + int(words[2], 16)))\n";

static void libtorch(void **state)
{
	static const uint32_t kinds[] = {MW_K_TORCHSCRIPT, MW_K_READER_CLOSE, MW_K_READER_OPEN,
	                                 MW_K_READER_OPEN, MW_K_READER_OPEN};
	char *argv[] = {".venv/bin/python", "-c", (char *)torch_script, NULL};
	static struct file file;
	char out[4096], *line;
	size_t found = 0;

	(void)state;
	if (access(argv[0], X_OK) || mw_capture(argv, NULL, 120000, out, sizeof(out)))
		skip(); /* no torch, or none with these overloads */
	line = strtok(out, "\n");
	assert_non_null(line);
	open_file(&file, line);
	for (size_t i = 0; i < 5; i++) {
		uint64_t offset;

		line = strtok(NULL, "\n");
		assert_non_null(line);
		offset = strtoull(line, NULL, 16);
		for (uint32_t k = 0; k < file.sites.count; k++) {
			const struct mw_site *site = &file.sites.site[k];

			if (site->kind != kinds[i] || site->offset != offset)
				continue;
			assert_int_equal(site->convention, MW_BY_THIS);
			assert_int_equal(site->takes_path, i == 2);
			assert_false(site->bodies_cut);
			found++;
		}
	}
	assert_int_equal(found, 5);
	assert_int_equal(file.sites.count, 5);
	assert_int_equal(file.sites.refused_count, 0);
	assert_false(file.sites.wants_pickle);
	close(file.fd);
}

#define INTERPRETER(name)                                                                          \
	{                                                                                          \
		"interpreter " name, interpreter, NULL, end, (void *)name                          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        INTERPRETER("3.9"),         INTERPRETER("3.10"), INTERPRETER("3.11"),
	        INTERPRETER("3.12"),        INTERPRETER("3.13"), INTERPRETER("debian-3.11"),
	        cmocka_unit_test(libtorch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
