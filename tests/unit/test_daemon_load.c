/* Where the load of an event stands: its file, its call, its byte, by files made by hand. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>

#include "../../tools/zip.h"
#include "daemon_judge_of.h"

#define OUTSIDE 1000 /* the frame that asked for the load */
#define TAR_HEADER 512

/* posix.system('id'), by the opcode at byte 23 */
#define SYSTEM "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."
#define SYSTEM_AT 23

static int64_t number_at(const char *field)
{
	return json_integer_value(mw_field(last, field));
}

/* A shell is run by a call of posix.system. */
static void runs_a_shell(void)
{
	event(MW_K_HOOK_EXEC, 0);
	e.path = put("/bin/sh");
	e.file = put_path("/bin/sh");
}

static void makes_a_directory(void)
{
	event(MW_K_HOOK_SYSCALL, SYS_mkdir);
	e.path = put("/srv/out");
}

static void make_file_of(const char *name, const void *bytes, size_t len, char ret[static 128])
{
	FILE *file;

	make_file(name, ret);
	file = fopen(ret, "w");
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

/* numpy writes a header first; where the load began is not always known. */
static void behind_a_header(void **state)
{
	static const char bytes[] = "\x93NUMPY header\n" SYSTEM;
	const int64_t start = (int64_t)(sizeof(bytes) - sizeof(SYSTEM));
	char path[128];

	(void)state;
	make_file_of("header.npy", bytes, sizeof(bytes) - 1, path);
	for (int known = 0; known < 2; known++) {
		runs_a_shell();
		add_load(next_load(), MW_K_PICKLE_LOAD, 0, path);
		e.load[0].start = known ? (uint64_t)start : 0;
		add_global("posix system");
		assert_non_null(judged());
		assert_text("load.call", "posix.system");
		assert_int_equal(number_at("load.offset"), start + SYSTEM_AT);
		assert_text("load.artifact.path", path);
	}
}

/* torch unpacks what it wrote in its first days. */
static void member_of_an_open_archive(void **state)
{
	static const uint8_t magic[] = {0x80, 2, 'K', 1, '.'};
	static char bytes[2 * TAR_HEADER + sizeof(SYSTEM)];
	char path[128];

	(void)state;
	memcpy(bytes + 257, "ustar", sizeof("ustar"));
	memcpy(bytes + TAR_HEADER, magic, sizeof(magic));
	memcpy(bytes + (size_t)2 * TAR_HEADER, SYSTEM, sizeof(SYSTEM));
	make_file_of("model.tar", bytes, sizeof(bytes), path);
	runs_a_shell();
	add_load(next_load(), MW_K_UNPICKLER, 0, NULL);
	add_global("posix system");
	e.open[0] = put_path("/etc/passwd");
	e.open[1] = e.open[2] = put_path(path);
	assert_non_null(judged());
	assert_text("load.artifact.path", path);
	assert_int_equal(number_at("load.offset"), 2 * TAR_HEADER + SYSTEM_AT);
	/* Either of two may be the one. */
	make_file_of("another.tar", bytes, sizeof(bytes), path);
	runs_a_shell();
	add_load(next_load(), MW_K_UNPICKLER, 0, NULL);
	add_global("posix system");
	e.open[0] = put_path(path);
	snprintf(path, sizeof(path), "%s/model.tar", scratch);
	e.open[1] = put_path(path);
	assert_non_null(judged());
	assert_null(text_at("load.artifact.path"));
}

/* C++ reads an archive by itself, and fetches nothing that would tell where it is. */
static void torchscript_out_of_an_open_archive(void **state)
{
	static const char bytes[] = "PK\3\4 data.pkl " SYSTEM;
	char path[128];

	(void)state;
	make_file_of("script.pt", bytes, sizeof(bytes) - 1, path);
	makes_a_directory();
	add_load(next_load(), MW_K_TORCHSCRIPT, 0, NULL);
	e.open[0] = put_path(path);
	assert_non_null(judged());
	assert_text("load.entry", "torch.jit.load");
	assert_text("load.artifact.path", path);
	assert_null(text_at("load.call"));
	assert_false(json_is_integer(mw_field(last, "load.offset")));
}

#define LOCAL 30
#define ENTRY 46
#define END 22
#define NAME "a/data.pkl"
#define NAME_LEN (sizeof(NAME) - 1)

/* An archive with one entry, which is not compressed, as APPNOTE.TXT describes it. */
static void make_archive(const char *name, char ret[static 128])
{
	static const uint8_t marks[3][4] = {{'P', 'K', 3, 4}, {'P', 'K', 1, 2}, {'P', 'K', 5, 6}};
	static uint8_t bytes[512];
	const uint8_t len = sizeof(SYSTEM) - 1, directory = LOCAL + NAME_LEN + len;
	uint8_t *entry = bytes + directory, *end = entry + ENTRY + NAME_LEN;
	const uint32_t crc = mw_crc32((const uint8_t *)SYSTEM, len);

	memcpy(bytes, marks[0], 4);
	memcpy(entry, marks[1], 4);
	memcpy(end, marks[2], 4);
	bytes[26] = entry[28] = NAME_LEN;
	memcpy(entry + 16, &crc, sizeof(crc));
	entry[24] = len;
	end[10] = 1;
	end[16] = directory;
	memcpy(bytes + LOCAL, NAME, NAME_LEN);
	memcpy(bytes + LOCAL + NAME_LEN, SYSTEM, len);
	memcpy(entry + ENTRY, NAME, NAME_LEN);
	make_file_of(name, bytes, (size_t)(end + END - bytes), ret);
}

/* torch's own unpicklers say nothing of what they fetch: the call is what the archive holds. */
static void what_libtorch_reads(void **state)
{
	char path[128];

	(void)state;
	make_archive("weights.pt", path);
	for (int script = 0; script < 2; script++) {
		runs_a_shell();
		add_frame("load", "/usr/lib/python3/dist-packages/torch/serialization.py", OUTSIDE);
		add_load(next_load(), script ? MW_K_TORCHSCRIPT : MW_K_TORCH, OUTSIDE, path);
		assert_non_null(judged());
		assert_text("load.artifact.path", path);
		assert_text("load.artifact.member", NAME);
		assert_text("load.call", "posix.system");
		assert_int_equal(number_at("load.offset"), SYSTEM_AT);
	}
}

/* pickle._loads(b'...') */
#define OUTER                                                                                      \
	"\x80\x04\x8c\x06pickle\x8c\x06_loads\x93"                                                 \
	"C\x19" SYSTEM "\x85R."

static void bytes_within_the_outer_stream(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(sizeof(SYSTEM) - 1, 0x19);
	make_file_of("outer.pkl", OUTER, sizeof(OUTER) - 1, path);
	runs_a_shell();
	add_frame("load", "/usr/lib/python3.11/pickle.py", 5);
	add_frame("_loads", "/usr/lib/python3.11/pickle.py", 6);
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, path);
	add_global("pickle _loads");
	add_load(next_load(), MW_K_PURE, 5, NULL);
	add_global("posix system");
	assert_non_null(judged());
	assert_text("load.call", "posix.system");
	assert_int_equal(number_at("load.offset"), SYSTEM_AT);
	assert_true(json_is_true(mw_field(last, "load.nested")));
	assert_text("load.artifact.path", path);
}

/* Of the unpickler that is written in Python only the open files tell what it reads. */
static void bytes_out_of_an_unknown_reader(void **state)
{
	static const char inner[] = SYSTEM;
	char path[128];

	(void)state;
	make_file_of("pure.pkl", OUTER, sizeof(OUTER) - 1, path);
	runs_a_shell();
	add_frame("load", "/usr/lib/python3.11/pickle.py", 5);
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PURE, 5, NULL);
	add_global("pickle loads");
	add_load(next_load(), MW_K_PICKLE_LOADS, 5, NULL);
	e.load[1].data = (uint64_t)(uintptr_t)inner;
	e.load[1].len = sizeof(inner) - 1;
	add_global("posix system");
	e.open[0] = put_path(path);
	assert_non_null(judged());
	assert_text("load.artifact.path", path);
	assert_int_equal(number_at("load.offset"), SYSTEM_AT);
	assert_true(json_is_true(mw_field(last, "load.nested")));
}

/* planted.value, fetched by the opcode at byte 18 */
#define FETCH "\x80\x04\x8c\x07planted\x8c\x05value\x93."

static void event_of_import(const char *path)
{
	add_module_frames("/srv/no/such/planted.py");
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, path);
	e.fetching = true;
	add_global("planted value");
}

/* The body of a module that came with the model is a call; where it is made, is the fetch. */
static void what_an_import_does_is_at_its_fetch(void **state)
{
	char path[128];

	(void)state;
	make_file_of("fetch.pkl", FETCH, sizeof(FETCH) - 1, path);
	makes_a_directory();
	event_of_import(path);
	assert_cause("call");
	assert_text("load.call", "planted.value");
	assert_text("load.opcode", "STACK_GLOBAL");
	assert_int_equal(number_at("load.offset"), 18);
}

static void so_is_what_it_starts(void **state)
{
	char path[128];
	uint64_t birth, scope;

	(void)state;
	make_file_of("fetch.pkl", FETCH, sizeof(FETCH) - 1, path);
	event(MW_K_HOOK_FORK, 4242);
	e.head.kind = MW_K_BIRTH;
	e.other = 4242;
	event_of_import(path);
	birth = e.head.id;
	scope = e.load[0].id;
	assert_no_effect();
	runs_a_shell();
	e.head.tgid = e.head.tid = 4242;
	e.scope = scope;
	e.birth = birth;
	assert_non_null(judged());
	assert_text("load.call", "planted.value");
	assert_int_equal(number_at("load.offset"), 18);
}

/* A child that is a copy goes on in the load: it is no more than in scope for who comes later. */
static void a_forked_child_is_in_the_load(void **state)
{
	char path[128];

	(void)state;
	make_file_of("child.pkl", SYSTEM, sizeof(SYSTEM) - 1, path);
	makes_a_directory();
	add_load(next_load(), MW_K_PICKLE_LOAD, 0, path);
	add_global("posix system");
	e.scope = e.load[0].id;
	e.birth = 77;
	assert_non_null(judged());
	assert_text("load.call", "posix.system");
	assert_int_equal(number_at("load.offset"), SYSTEM_AT);
	assert_true(json_is_false(mw_field(last, "load.after_load")));
}

static void a_global_that_could_not_be_read(void **state)
{
	(void)state;
	makes_a_directory();
	add_load(next_load(), MW_K_PICKLE_LOADS, 0, NULL);
	add_global(" ");
	assert_non_null(judged());
	assert_null(text_at("load.call"));
}

/* m.f(posix.mkdir), both called with the global before */
#define TWO                                                                                        \
	"\x80\x04\x8c\x05posix\x8c\x05mkdir\x93\x8c\x01m\x8c\x01"                                  \
	"f\x93)R0\x8c\x01x\x85R."

/* The system call's name chooses among the calls that may be the one, and leaves the range. */
static void the_system_call_guesses_the_words(void **state)
{
	char path[128];

	(void)state;
	make_file_of("two.pkl", TWO, sizeof(TWO) - 1, path);
	makes_a_directory();
	add_load(next_load(), MW_K_PICKLE_LOAD, 0, path);
	add_global("posix mkdir");
	add_global("m f");
	assert_non_null(judged());
	assert_text("load.call", "posix.mkdir");
	assert_text("load.args", "('x',)");
	assert_false(json_is_integer(mw_field(last, "load.offset")));
	assert_int_equal(json_integer_value(json_array_get(mw_field(last, "load.offset_range"), 0)),
	                 25);
	assert_int_equal(json_integer_value(json_array_get(mw_field(last, "load.offset_range"), 1)),
	                 31);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(behind_a_header),
	        TEST(member_of_an_open_archive),
	        TEST(torchscript_out_of_an_open_archive),
	        TEST(what_libtorch_reads),
	        TEST(bytes_within_the_outer_stream),
	        TEST(bytes_out_of_an_unknown_reader),
	        TEST(what_an_import_does_is_at_its_fetch),
	        TEST(so_is_what_it_starts),
	        TEST(a_forked_child_is_in_the_load),
	        TEST(a_global_that_could_not_be_read),
	        TEST(the_system_call_guesses_the_words),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
