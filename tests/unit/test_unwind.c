/* The unwinder, on processes of its own: what it names, where it stops, what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <elf.h>

#include "../../core/regs.h"
#include "../../tools/cfi.h"
#include "../../tools/maps.h"
#include "../../tools/unwind.h"

#define STACK_MAX (256 << 10)
#define FRAMES 128

/* What a sensor sends. */
struct sample {
	struct mw_regs regs;
	size_t len;
	uint8_t stack[STACK_MAX];
};

static struct sample sample;
static struct mw_native_frame frames[FRAMES];

static size_t stack_size(pid_t pid, uint64_t sp)
{
	struct mw_maps maps = {0};
	const struct mw_map *map;
	size_t len = 0;

	if (mw_maps_read(pid, &maps) < 0)
		return 0;
	map = mw_maps_find(&maps, sp);
	if (map)
		len = map->end - sp < STACK_MAX ? (size_t)(map->end - sp) : STACK_MAX;
	mw_maps_free(&maps);
	return len;
}

/* A bare system call: the stack it writes is more than one object, which sanitizers object to. */
static void write_all(int fd, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = syscall(SYS_write, fd, (const char *)buf + done, len - done);

		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
}

static bool read_all(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Each does something after the call, so that none of them is a tail call. */
__attribute__((noinline)) static int chain_c(int fd)
{
	struct mw_regs regs;
	size_t len;

	mw_regs_capture(&regs);
	len = stack_size(getpid(), mw_regs_sp(&regs));
	write_all(fd, &regs, sizeof(regs));
	write_all(fd, &len, sizeof(len));
	write_all(fd, (const void *)(uintptr_t)mw_regs_sp(&regs), len);
	close(fd);
	pause();
	return fd + 1;
}

__attribute__((noinline)) static int chain_b(int fd)
{
	volatile int result = chain_c(fd);

	return result + 1;
}

__attribute__((noinline)) static int chain_a(int fd)
{
	volatile int result = chain_b(fd);

	return result + 1;
}

static int chain_fd;

static void on_signal(int number)
{
	(void)number;
	_exit(chain_a(chain_fd));
}

/* Starts a child that sends a sample from chain_a() -> chain_b() -> chain_c() and waits. */
static pid_t start_chain(bool in_signal_handler)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fds[0]);
		chain_fd = fds[1];
		if (!in_signal_handler)
			_exit(chain_a(fds[1]));
		signal(SIGUSR1, on_signal);
		raise(SIGUSR1);
		_exit(1);
	}
	close(fds[1]);
	assert_true(read_all(fds[0], &sample.regs, sizeof(sample.regs)));
	assert_true(read_all(fds[0], &sample.len, sizeof(sample.len)));
	assert_in_range(sample.len, 1, STACK_MAX);
	assert_true(read_all(fds[0], sample.stack, sample.len));
	close(fds[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int unwind(struct mw_unwinder *u, pid_t pid)
{
	memset(frames, 0, sizeof(frames));
	return mw_unwind(u, pid, NULL, &sample.regs, sample.stack, sample.len, frames, FRAMES);
}

/* The index of the first frame from `from` on that is in `symbol`, or `n`. */
static int frame_of(int n, int from, const char *symbol)
{
	while (from < n && strcmp(frames[from].symbol, symbol))
		from++;
	return from;
}

static void show(int n)
{
	for (int i = 0; i < n; i++)
		print_message("#%d %s+0x%llx %s\n", i, frames[i].object,
		              (unsigned long long)frames[i].offset, frames[i].symbol);
}

static int setup(void **state)
{
	return mw_unwinder_new((struct mw_unwinder **)state);
}

static int teardown(void **state)
{
	mw_unwinder_free(*state);
	return 0;
}

static void test_chain(void **state)
{
	pid_t pid = start_chain(false);
	char self[256] = "";
	int n, at;

	n = unwind(*state, pid);
	end(pid);
	assert_true(n > 4);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	for (int i = 0; i < 3; i++)
		assert_string_equal(frames[i].object, self);
	assert_string_equal(frames[0].symbol, "chain_c");
	assert_int_equal(frames[0].ip, mw_regs_pc(&sample.regs));
	assert_string_equal(frames[1].symbol, "chain_b");
	assert_string_equal(frames[2].symbol, "chain_a");
	at = frame_of(n, 3, "main");
	if (at == n)
		show(n);
	assert_true(at < n);
	assert_true(frame_of(n, at, "_start") < n);
}

static void test_through_signal_handler(void **state)
{
	pid_t pid = start_chain(true);
	int n, handler, main_at;

	n = unwind(*state, pid);
	end(pid);
	handler = frame_of(n, 0, "on_signal");
	main_at = frame_of(n, handler, "main");
	if (main_at >= n)
		show(n);
	assert_int_equal(handler, 3);
	assert_true(main_at < n);
}

/* Second time from the caches, and the same. */
static void test_repeatable(void **state)
{
	static struct mw_native_frame first[FRAMES];
	pid_t pid = start_chain(false);
	int n = unwind(*state, pid);

	memcpy(first, frames, sizeof(first));
	assert_int_equal(unwind(*state, pid), n);
	end(pid);
	assert_memory_equal(first, frames, sizeof(first));
}

static void test_short_stack(void **state)
{
	pid_t pid = start_chain(false);
	size_t whole = sample.len;
	int n, last = 0;

	for (sample.len = 0; sample.len < whole && sample.len < 2048; sample.len += 24) {
		n = unwind(*state, pid);
		assert_true(n >= 1 && n >= last);
		assert_string_equal(frames[0].symbol, "chain_c");
		last = n;
	}
	end(pid);
}

static void test_frame_limit(void **state)
{
	pid_t pid = start_chain(false);
	int n = mw_unwind(*state, pid, NULL, &sample.regs, sample.stack, sample.len, frames, 2);

	end(pid);
	assert_int_equal(n, 2);
}

/* Registers and stack are the process's word. Any are survived. */
static void test_lies(void **state)
{
	pid_t pid = start_chain(false);
	struct sample *truth = malloc(sizeof(*truth));
	uint64_t noise = 88172645463325252;

	assert_non_null(truth);
	memcpy(truth, &sample, sizeof(sample));
	for (int round = 0; round < 500; round++) {
		memcpy(&sample, truth, sizeof(sample));
		for (int i = 0; i < 40; i++) {
			noise ^= noise << 13;
			noise ^= noise >> 7;
			noise ^= noise << 17;
			if (i < 2)
				sample.regs.r[noise % MW_REGS_COUNT] = noise * 0x9e3779b97f4a7c15;
			sample.stack[noise % sample.len] = (uint8_t)(noise >> 56);
		}
		if (round % 2)
			sample.regs = truth->regs;
		assert_true(unwind(*state, pid) >= 0);
	}
	end(pid);
	free(truth);
}

static void test_no_process(void **state)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(unwind(*state, pid), -ENOENT);
}

static void test_maps(void **state)
{
	struct mw_maps maps = {0};
	const struct mw_map *map;
	char self[256] = "";
	struct stat st;

	(void)state;
	assert_int_equal(mw_maps_read(getpid(), &maps), 0);
	assert_false(maps.truncated);
	for (size_t i = 1; i < maps.count; i++)
		assert_true(maps.maps[i].start >= maps.maps[i - 1].end);
	map = mw_maps_find(&maps, (uintptr_t)chain_a);
	assert_non_null(map);
	assert_true(map->prot & MW_MAP_EXEC);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_string_equal(mw_map_path(&maps, map), self);
	assert_int_equal(stat(self, &st), 0);
	assert_int_equal(st.st_ino, map->ino);
	map = mw_maps_find(&maps, (uintptr_t)&st);
	assert_non_null(map);
	assert_string_equal(mw_map_path(&maps, map), "[stack]");
	assert_null(mw_maps_find(&maps, 0));
	assert_null(mw_maps_find(&maps, UINT64_MAX));
	mw_maps_free(&maps);
	assert_int_equal(maps.count, 0);
}

static pid_t start_python(const char *python)
{
	char byte = 0;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fds[1], 1);
		execlp(python, python, "-Sc", "import os, time\nos.write(1, b'x')\ntime.sleep(100)",
		       NULL);
		_exit(127);
	}
	close(fds[1]);
	if (!read_all(fds[0], &byte, 1)) {
		end(pid);
		pid = -1;
	}
	close(fds[0]);
	return pid;
}

#if defined(__x86_64__)
static void get_regs(pid_t pid, struct mw_regs *ret)
{
	struct user_regs_struct user;

	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &user), 0);
	*ret = (struct mw_regs){{
	        user.rax,
	        user.rdx,
	        user.rcx,
	        user.rbx,
	        user.rsi,
	        user.rdi,
	        user.rbp,
	        user.rsp,
	        user.r8,
	        user.r9,
	        user.r10,
	        user.r11,
	        user.r12,
	        user.r13,
	        user.r14,
	        user.r15,
	        user.rip,
	}};
}
#else
static void get_regs(pid_t pid, struct mw_regs *ret)
{
	struct iovec user = {ret, sizeof(*ret)};

	assert_int_equal(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &user), 0);
}
#endif

/* A real interpreter, asleep. Its sample is taken with ptrace; false where that is forbidden. */
static bool sample_of(pid_t pid)
{
	struct iovec local, remote;
	struct timespec nap = {0, 100000000};

	nanosleep(&nap, NULL);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return false;
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	waitpid(pid, NULL, 0);
	get_regs(pid, &sample.regs);
	sample.len = stack_size(pid, mw_regs_sp(&sample.regs));
	local = (struct iovec){sample.stack, sample.len};
	remote = (struct iovec){(void *)(uintptr_t)mw_regs_sp(&sample.regs), sample.len};
	assert_int_equal(process_vm_readv(pid, &local, 1, &remote, 1, 0), sample.len);
	return true;
}

static void test_python(void **state)
{
	pid_t pid = start_python("python3");
	int n;

	if (pid < 0)
		skip();
	if (!sample_of(pid)) {
		end(pid);
		skip();
	}
	n = unwind(*state, pid);
	end(pid);
	if (frame_of(n, 0, "_start") >= n)
		show(n);
	assert_true(n > 8);
	assert_true(frame_of(n, 0, "Py_BytesMain") < n);
	assert_true(frame_of(n, 0, "_start") < n);
}

/* One unwind entry at address 0x1000 of a file that is otherwise empty. */
struct image {
	uint8_t bytes[512];
};

static int read_image(void *userdata, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, ((struct image *)userdata)->bytes + offset, len);
	return 0;
}

#define BODY(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* Shared part: version 1, "zR", alignments 1 and -8, return column 16, one byte of augmentation:
 * 4-byte relative pointers; then the rules of its start. */
#define CIE 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b

/* Entry: start, size, no augmentation; then its rules. */
#define FDE 0, 0, 0, 0, 16, 0, 0, 0, 0

#define CFA_IS_SP_8 0x0c, 7, 8

static const struct {
	const char *what;
	const uint8_t *cie;
	size_t cie_len;
	const uint8_t *fde;
	size_t fde_len;
	int r;
} cfi_cases[] = {
        {"usual", BODY(CIE, CFA_IS_SP_8, 0x90, 1), BODY(FDE, 0x41, 0x0e, 16, 0x86, 2), 0},
        {"state remembered", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x0a, 0x0e, 16, 0x0b), 0},
        {"expression", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x0f, 3, 0x77, 8, 0x06), 0},
        {"late rule for the frame", BODY(CIE), BODY(FDE, 0x0c, 7, 8, 0x41), 0},
        {"too late", BODY(CIE), BODY(FDE, 0x41, 0x0c, 7, 8), -EBADMSG},
        {"no rule for the frame", BODY(CIE, 0x90, 1), BODY(FDE, 0x90, 1), -EBADMSG},
        {"no rule remembered", BODY(CIE), BODY(FDE, 0x0a, 0x0c, 7, 8, 0x0b), -EBADMSG},
        {"return column", BODY(1, 'z', 'R', 0, 1, 0x78, 200, 1, 0x1b, CFA_IS_SP_8), BODY(FDE, 0),
         -EBADMSG},
        {"register number", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x09, 3, 0xff, 0xff, 3), -EBADMSG},
        {"register operand", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0xbf, 1), -EBADMSG},
        {"division", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x0f, 3, 0x31, 0x31, 0x1b), -EBADMSG},
        {"loop", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x0f, 3, 0x2f, 0xfd, 0xff), -EBADMSG},
        {"expression too long", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x0f, 30, 0x31), -EBADMSG},
        {"nothing remembered", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x0b), -EBADMSG},
        {"long number", BODY(CIE, CFA_IS_SP_8),
         BODY(FDE, 0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1), -EBADMSG},
        {"unknown letter", BODY(1, 'z', 'Q', 0, 1, 0x78, 16, 1, 0x1b, CFA_IS_SP_8), BODY(FDE, 0),
         -EBADMSG},
        {"cut", BODY(CIE, CFA_IS_SP_8), BODY(FDE, 0x0e), -EBADMSG},
        {"empty", BODY(CIE, CFA_IS_SP_8), BODY(0), -EBADMSG},
};

static void put_entry(uint8_t *at, uint32_t link, const uint8_t *body, size_t len)
{
	uint32_t head[2] = {(uint32_t)len + 4, link};

	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), body, len);
}

static void test_cfi(void **state)
{
	static struct mw_cfi cfi;
	struct image image;
	struct mw_elf elf = {
	        .read = read_image,
	        .userdata = &image,
	        .size = sizeof(image),
	        .load_count = 1,
	        .loads = {{.vaddr = 0x1000, .size = sizeof(image), .flags = PF_R}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cfi_cases) / sizeof(cfi_cases[0]); i++) {
		int r;

		memset(&image, 0, sizeof(image));
		put_entry(image.bytes, 0, cfi_cases[i].cie, cfi_cases[i].cie_len);
		put_entry(image.bytes + 256, 260, cfi_cases[i].fde, cfi_cases[i].fde_len);
		r = mw_cfi_load(&cfi, &elf, 0x1100);
		if (r != cfi_cases[i].r)
			print_message("%s: %d\n", cfi_cases[i].what, r);
		assert_int_equal(r, cfi_cases[i].r);
		assert_int_equal(cfi.fde_len != 0, r == 0);
	}
	assert_int_equal(mw_cfi_load(&cfi, &elf, 0x9000), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_through_signal_handler, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_repeatable, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_short_stack, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_frame_limit, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_no_process, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_python, setup, teardown),
	        cmocka_unit_test(test_maps),
	        cmocka_unit_test(test_cfi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
