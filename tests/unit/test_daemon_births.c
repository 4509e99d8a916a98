/* Native code of a library at work in a load, and the tasks that loads start: who answers for what
 * they do. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "../../tools/unwind.h"
#include "daemon_judge_of.h"

#define OUTSIDE 1000
#define CHILD 0x3fffff00 /* nobody has that number */

#if defined(__x86_64__)
#define FRAME_POINTER 6
#else
#define FRAME_POINTER 29
#endif

static struct mw_regs regs;
static uint8_t stack_copy[16384];
static uint64_t stack_base, entry_sp;
static ssize_t stack_len;

/* Called by libjansson, which stands for any library: takes the registers as they are there, and by
 * a system call, which no sanitizer minds, a copy of the stack. */
__attribute__((noinline)) static int in_library(const char *text, size_t len, void *data)
{
	uint64_t *frame = __builtin_frame_address(0);
	struct iovec to = {stack_copy, sizeof(stack_copy)}, from;

	mw_regs_capture(&regs);
	(void)text;
	(void)len;
	(void)data;
	stack_base = (uint64_t)(uintptr_t)__builtin_dwarf_cfa();
	regs.r[MW_REGS_SP] = stack_base;
	regs.r[MW_REGS_PC] = (uint64_t)(uintptr_t)__builtin_return_address(0);
	regs.r[FRAME_POINTER] = frame[0];
	from = (struct iovec){(void *)(uintptr_t)stack_base, sizeof(stack_copy)};
	stack_len = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	return 0;
}

__attribute__((noinline)) static int load_of_test(void)
{
	json_t *json = json_true();
	volatile int result;

	entry_sp = (uint64_t)(uintptr_t)__builtin_dwarf_cfa() - 8;
	result = json_dump_callback(json, in_library, NULL, JSON_ENCODE_ANY);
	return result + 1;
}

static int setup(void **state)
{
	if (judge_setup(state))
		return -1;
	return load_of_test() != 1 || stack_len <= 0;
}

static int to_everything(void **state)
{
	(void)state;
	mw_daemon_judge_policy(judge, everything);
	stack_part = NULL;
	process_start++;
	return 0;
}

static void by_default(void)
{
	mw_daemon_judge_policy(judge, built_in);
}

static void add_script(void)
{
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, "/models/a.pkl");
}

/* The load has come to this event by the library's code. */
static void by_library(void)
{
	add_script();
	e.load[0].sp = entry_sp;
	e.load[0].ip = (uint64_t)(uintptr_t)load_of_test;
	e.stack_at = stack_base;
	e.stack_len = (uint32_t)stack_len;
	memcpy(e.regs, regs.r, sizeof(e.regs));
	stack_part = stack_copy;
}

static void writes(const char *path)
{
	event(MW_K_HOOK_SYSCALL, SYS_openat);
	e.args[0] = (uint64_t)AT_FDCWD;
	e.args[2] = O_WRONLY | O_CREAT;
	e.path = put(path);
	e.file = put_path(path);
	e.is_new = true;
	stack_part = NULL;
}

static void maps_memory(void)
{
	event(MW_K_HOOK_SYSCALL, SYS_mmap);
	e.args[1] = 4096;
	e.args[2] = PROT_WRITE | PROT_EXEC;
	e.args[3] = MAP_PRIVATE | MAP_ANONYMOUS;
}

static void runs(const char *name, const char *argument)
{
	uint16_t at;

	event(MW_K_HOOK_EXEC, 0);
	e.path = put("/bin/sh");
	e.file = put_path("/bin/sh");
	at = used;
	put_bytes(name, strlen(name) + 1);
	put_bytes(argument, strlen(argument) + 1);
	e.argv = (struct mw_k_str){at, (uint16_t)(used - at)};
	stack_part = NULL;
}

/* The event becomes one of a birth: of the process `tgid`, or of a thread of this one. */
static uint64_t bear(uint32_t tgid)
{
	e.head.kind = MW_K_BIRTH;
	e.hook = MW_K_HOOK_FORK;
	e.other = tgid;
	assert_no_effect();
	return e.head.id;
}

static void descend(uint64_t birth, uint32_t tgid)
{
	e.birth = birth;
	e.scope = loads;
	e.head.tgid = e.head.tid = tgid;
}

static void a_library_called_by_python_code(void **state)
{
	(void)state;
	maps_memory();
	add_frame("Kernels.get_ready", installed_file(), 1);
	by_library();
	add_global("pkg Kernels");
	assert_cause("native");
	assert_fact("library", true);
	by_default();
	e.load[0].id = next_load();
	assert_no_effect();
}

static void a_library_called_by_the_stream(void **state)
{
	(void)state;
	maps_memory();
	by_library();
	add_global("pkg map_memory");
	assert_cause("call");
	assert_fact("library", false);
	by_default();
	maps_memory();
	by_library();
	add_global("pkg map_memory");
	assert_non_null(judged());
	assert_text("rule", "load-map");
	event(MW_K_HOOK_SYSCALL, SYS_prctl);
	e.args[0] = PR_SET_DUMPABLE;
	by_library();
	add_global("pkg call");
	assert_non_null(judged());
	assert_text("rule", "load-tamper");
}

static void the_streams_own_births_answer(void **state)
{
	const uint32_t born[] = {CHILD, (uint32_t)getpid()};

	(void)state;
	by_default();
	for (size_t i = 0; i < 2; i++) {
		uint64_t birth;

		event(MW_K_HOOK_FORK, 0);
		by_library();
		add_global("pkg clone");
		birth = bear(born[i]);
		writes("/srv/x");
		descend(birth, born[i]);
		assert_cause("call");
		assert_fact("scope", true);
		assert_text("rule", "load-write");
		assert_text("load.artifact.path", "/models/a.pkl");
	}
}

static void a_library_has_threads_of_its_own(void **state)
{
	uint32_t own = (uint32_t)getpid();
	uint64_t birth;

	(void)state;
	event(MW_K_HOOK_FORK, 0);
	add_frame("Kernels.get_ready", installed_file(), 1);
	by_library();
	add_global("pkg Kernels");
	birth = bear(own);
	writes("/srv/x");
	descend(birth, own);
	assert_no_effect();
}

static uint64_t child_of_a_library(void)
{
	event(MW_K_HOOK_FORK, 0);
	add_frame("Kernels.get_ready", installed_file(), 1);
	by_library();
	add_global("pkg Kernels");
	return bear(CHILD);
}

static void a_librarys_program_has_to_be_allowed(void **state)
{
	uint64_t birth;

	(void)state;
	by_default();
	birth = child_of_a_library();
	runs("nvidia-modprobe", "-u");
	descend(birth, CHILD);
	assert_no_effect();
	writes("/srv/x");
	descend(birth, CHILD);
	assert_no_effect();
	process_start++;
	birth = child_of_a_library();
	runs("id", "-u");
	descend(birth, CHILD);
	assert_cause("native");
	assert_text("rule", "load-exec");
	writes("/srv/x");
	descend(birth, CHILD);
	assert_cause("call");
	/* It runs none at all. */
	birth = child_of_a_library();
	writes("/srv/y");
	descend(birth, CHILD);
	assert_cause("call");
}

static uint64_t thread_of_an_import(bool steered)
{
	event(MW_K_HOOK_FORK, 0);
	add_module_frames(installed_file());
	add_script();
	if (steered)
		add_global("pkg steer");
	return bear((uint32_t)getpid());
}

static void a_steered_import_answers_for_its_thread(void **state)
{
	uint32_t own = (uint32_t)getpid();
	uint64_t birth;

	(void)state;
	by_default();
	birth = thread_of_an_import(true);
	writes("/srv/x");
	descend(birth, own);
	assert_cause("import");
	assert_fact("called", true);
	assert_fact("scope", true);
	assert_text("rule", "load-write");
	/* What an import may do. */
	writes("/tmp/x");
	descend(birth, own);
	assert_no_effect();
	/* And its children. */
	runs("uname", "-p");
	descend(birth, CHILD);
	assert_no_effect();
	process_start++;
	runs("touch", "/srv/x");
	descend(birth, CHILD);
	assert_non_null(judged());
	assert_text("rule", "load-exec");
	writes("/srv/y");
	descend(birth, CHILD);
	assert_non_null(judged());
	assert_text("rule", "load-write");
	/* Of the import of a load that has called nothing it is nobody's concern. */
	birth = thread_of_an_import(false);
	writes("/srv/z");
	descend(birth, own);
	assert_no_effect();
}

static void a_library_starts_threads_in_a_steered_import(void **state)
{
	uint32_t own = (uint32_t)getpid();
	uint64_t birth;

	(void)state;
	event(MW_K_HOOK_FORK, 0);
	add_module_frames(installed_file());
	by_library();
	add_global("pkg steer");
	birth = bear(own);
	writes("/srv/x");
	descend(birth, own);
	assert_no_effect();
}

static void a_steered_import_answers_for_its_program(void **state)
{
	uint64_t birth;

	(void)state;
	by_default();
	event(MW_K_HOOK_FORK, 0);
	add_module_frames(installed_file());
	add_script();
	add_global("pkg steer");
	birth = bear(CHILD);
	runs("touch", "/srv/x");
	descend(birth, CHILD);
	assert_cause("import");
	assert_text("rule", "load-exec");
	writes("/srv/x");
	descend(birth, CHILD);
	assert_non_null(judged());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, to_everything)
	const struct CMUnitTest tests[] = {
	        TEST(a_library_called_by_python_code),
	        TEST(a_library_called_by_the_stream),
	        TEST(the_streams_own_births_answer),
	        TEST(a_library_has_threads_of_its_own),
	        TEST(a_librarys_program_has_to_be_allowed),
	        TEST(a_steered_import_answers_for_its_thread),
	        TEST(a_library_starts_threads_in_a_steered_import),
	        TEST(a_steered_import_answers_for_its_program),
	};

	return cmocka_run_group_tests(tests, setup, judge_teardown);
}
