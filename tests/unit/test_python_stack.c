/* The walker of Python stacks on recorded memory of each version, as it was and spoilt, and what it
 * stands on: offsets and line tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "../../tools/python_offsets.h"
#include "python_stack.h"

#define RANGES_MAX 8192
#define LINE_MAX_LEN 65536
#define THREADS 12
#define LINES 6                      /* the thread in functions of 60 and 500 lines */
#define LINES_MAX (MW_K_FRAMES + 16) /* of one thread */
#define NOBODY 1                     /* no thread's id */

struct recording {
	struct mw_py_offsets offsets;
	uint64_t runtime;
	struct {
		uint64_t id;
		char *lines[LINES_MAX];
		size_t count;
	} threads[THREADS];
	size_t thread_count;
};

static struct {
	uint64_t at;
	size_t size;
	uint8_t *bytes;
} ranges[RANGES_MAX];
static size_t range_count;
static size_t reads;
static struct mw_k_effect effect;
static struct recording recording;

static int read_memory(void *dst, size_t size, uint64_t address)
{
	reads++;
	for (size_t i = 0; i < range_count; i++) {
		if (address < ranges[i].at || address - ranges[i].at > ranges[i].size ||
		    size > ranges[i].size - (address - ranges[i].at))
			continue;
		memcpy(dst, ranges[i].bytes + (address - ranges[i].at), size);
		return 0;
	}
	return -EFAULT;
}

static void put(uint64_t at, const void *bytes, size_t size)
{
	assert_true(range_count < RANGES_MAX);
	ranges[range_count].at = at;
	ranges[range_count].size = size;
	ranges[range_count].bytes = malloc(size + 1);
	assert_non_null(ranges[range_count].bytes);
	memcpy(ranges[range_count++].bytes, bytes, size);
}

/* Writes over what is there. */
static void spoil(uint64_t at, const void *bytes, size_t size)
{
	for (size_t i = 0; i < range_count; i++)
		for (size_t j = 0; j < size; j++)
			if (at + j >= ranges[i].at && at + j - ranges[i].at < ranges[i].size)
				ranges[i].bytes[at + j - ranges[i].at] =
				        ((const uint8_t *)bytes)[j];
	put(at, bytes, size);
}

static void put_word(uint64_t at, uint64_t word)
{
	spoil(at, &word, sizeof(word));
}

static void take_offsets(const char *text)
{
	uint32_t numbers[sizeof(recording.offsets) / sizeof(uint32_t)] = {0};
	char *end;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++, text = end)
		numbers[i] = (uint32_t)strtoul(text, &end, 10);
	memcpy(&recording.offsets, numbers, sizeof(numbers));
}

static void take_stack_line(const char *line)
{
	size_t i = recording.thread_count - 1, n;

	assert_true(recording.thread_count > 0);
	n = recording.threads[i].count++;
	assert_true(n < LINES_MAX);
	recording.threads[i].lines[n] = strdup(line);
	assert_non_null(recording.threads[i].lines[n]);
}

static void take(char *line)
{
	static uint8_t bytes[LINE_MAX_LEN];
	char *rest;

	if (!strncmp(line, "offsets ", 8)) {
		take_offsets(line + 8);
	} else if (!strncmp(line, "runtime ", 8)) {
		recording.runtime = strtoull(line + 8, NULL, 10);
	} else if (!strncmp(line, "memory ", 7)) {
		uint64_t at = strtoull(line + 7, &rest, 10);

		put(at, bytes, from_hex(rest + 1, bytes));
	} else if (!strncmp(line, "thread ", 7)) {
		assert_true(recording.thread_count < THREADS);
		recording.threads[recording.thread_count++].id = strtoull(line + 7, NULL, 10);
	} else {
		take_stack_line(line);
	}
}

static void load(const char *version)
{
	static char line[LINE_MAX_LEN * 2];
	char path[64];
	gzFile file;

	snprintf(path, sizeof(path), "tests/unit/recorded/python-%s.gz", version);
	file = gzopen(path, "r");
	assert_non_null(file);
	while (gzgets(file, line, sizeof(line))) {
		line[strcspn(line, "\n")] = '\0';
		take(line);
	}
	gzclose(file);
	assert_int_equal(recording.thread_count, THREADS);
}

static int forget(void **state)
{
	(void)state;
	while (range_count)
		free(ranges[--range_count].bytes);
	for (size_t i = 0; i < recording.thread_count; i++)
		while (recording.threads[i].count)
			free(recording.threads[i].lines[--recording.threads[i].count]);
	memset(&recording, 0, sizeof(recording));
	memset(&effect, 0, sizeof(effect));
	return 0;
}

static int walk(size_t thread)
{
	uint64_t state =
	        mw_py_thread(&recording.offsets, recording.runtime, recording.threads[thread].id);
	uint32_t used = 0;
	int r;

	assert_true(mw_py_is_thread(&recording.offsets, state, recording.threads[thread].id));
	r = mw_py_walk(&recording.offsets, state, &effect, &used);
	assert_true(used <= MW_K_STRINGS && effect.frame_count <= MW_K_FRAMES);
	if (effect.frame_count)
		assert_int_equal(mw_py_top(&recording.offsets, state), effect.frame[0].frame);
	return r;
}

static void check_thread(size_t thread)
{
	size_t expected = recording.threads[thread].count;
	char line[2048];

	assert_int_equal(walk(thread), 0);
	assert_int_equal(effect.frame_count + (effect.frames_cut != 0), expected);
	for (uint32_t i = 0; i < effect.frame_count; i++) {
		describe(&recording.offsets, &effect, i, line, sizeof(line));
		assert_string_equal(line, recording.threads[thread].lines[i]);
	}
	if (effect.frames_cut)
		assert_string_equal("cut", recording.threads[thread].lines[expected - 1]);
}

static void every_stack(const char *version)
{
	load(version);
	for (size_t i = 0; i < recording.thread_count; i++)
		check_thread(i);
}

#define STACKS_OF(name, version)                                                                   \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		every_stack(version);                                                              \
	}
STACKS_OF(stacks_of_3_9, "3.9")
STACKS_OF(stacks_of_3_10, "3.10")
STACKS_OF(stacks_of_3_11, "3.11")
STACKS_OF(stacks_of_3_12, "3.12")
STACKS_OF(stacks_of_3_13, "3.13")

static void the_table_of_offsets_is_that_of_the_recordings(void **state)
{
	static const char *const versions[] = {"3.9", "3.10", "3.11", "3.12"};
	struct mw_py_offsets offsets;

	for (uint32_t i = 0; i < 4; i++) {
		load(versions[i]);
		assert_int_equal(mw_python_offsets(0x0309 + i, NULL, 0, &offsets), 0);
		assert_memory_equal(&offsets, &recording.offsets, sizeof(offsets));
		forget(state);
	}
}

static void a_thread_that_is_not_there(void **state)
{
	(void)state;
	load("3.12");
	assert_int_equal(mw_py_thread(&recording.offsets, recording.runtime, NOBODY), 0);
	assert_int_equal(mw_py_thread(&recording.offsets, 8, NOBODY), 0);
	assert_int_equal(mw_py_top(&recording.offsets, 8), 0);
	assert_false(mw_py_is_thread(&recording.offsets, 8, NOBODY));
	assert_false(mw_py_is_thread(&recording.offsets, 0, NOBODY));
}

static void threads_in_a_circle(void **state)
{
	uint64_t first;

	(void)state;
	load("3.13");
	first = mw_py_thread(&recording.offsets, recording.runtime, recording.threads[0].id);
	put_word(first + recording.offsets.thread_next, first);
	reads = 0;
	assert_int_equal(mw_py_thread(&recording.offsets, recording.runtime, NOBODY), 0);
	assert_in_range(reads, MW_PY_THREADS, 2 * (MW_PY_THREADS + MW_PY_INTERPRETERS) + 1);
}

static void interpreters_in_a_circle(void **state)
{
	uint64_t interpreter = 0x1000;

	(void)state;
	load("3.12");
	put_word(recording.runtime + recording.offsets.runtime_interpreters, interpreter);
	put_word(interpreter + recording.offsets.interpreter_next, interpreter);
	put_word(interpreter + recording.offsets.interpreter_threads, 0);
	reads = 0;
	assert_int_equal(mw_py_thread(&recording.offsets, recording.runtime, NOBODY), 0);
	assert_int_equal(reads, 1 + 2 * MW_PY_INTERPRETERS);
}

/* A thread that has yet to start bears the id of the one that makes it, and has no frame. */
static void a_thread_that_has_yet_to_start(void **state)
{
	static const uint8_t nothing[256];
	const struct mw_py_offsets *o;
	uint64_t made = 0x1000, found;

	(void)state;
	load("3.9");
	o = &recording.offsets;
	found = mw_py_thread(o, recording.runtime, recording.threads[0].id);
	put(made, nothing, sizeof(nothing));
	put_word(made + o->thread_id, recording.threads[0].id);
	put_word(0x2000 + o->interpreter_threads, made);
	put_word(0x2000 + o->interpreter_next, 0);
	put_word(made + o->thread_next, found);
	put_word(recording.runtime + o->runtime_interpreters, 0x2000);
	assert_int_equal(mw_py_thread(o, recording.runtime, recording.threads[0].id), found);
	put_word(made + o->thread_next, 0);
	assert_int_equal(mw_py_thread(o, recording.runtime, recording.threads[0].id), made);
}

static void frames_in_a_circle(void **state)
{
	(void)state;
	load("3.11");
	assert_int_equal(walk(0), 0);
	put_word(effect.frame[3].frame + recording.offsets.frame_back, effect.frame[2].frame);
	assert_int_equal(walk(0), 0);
	assert_int_equal(effect.frame_count, MW_K_FRAMES);
	assert_true(effect.frames_cut);
}

/* Frames that stand for C functions are not shown, but followed no longer than the others. */
static void shims_in_a_circle(void **state)
{
	uint8_t shim = 3;
	uint64_t frame;

	(void)state;
	load("3.12");
	assert_int_equal(walk(0), 0);
	frame = effect.frame[1].frame;
	spoil(frame + recording.offsets.frame_owner, &shim, 1);
	put_word(frame + recording.offsets.frame_back, frame);
	reads = 0;
	assert_int_equal(walk(0), 0);
	assert_int_equal(effect.frame_count, 1);
	assert_true(effect.frames_cut);
	assert_in_range(reads, MW_PY_LINKS, 2 * MW_PY_LINKS);
}

static void a_stack_that_ends_in_nothing(void **state)
{
	(void)state;
	load("3.10");
	assert_int_equal(walk(0), 0);
	put_word(effect.frame[3].frame + recording.offsets.frame_back, 0xdead0000);
	assert_int_equal(walk(0), MW_PY_FAULT);
	assert_int_equal(effect.frame_count, 4);
	assert_true(effect.frames_cut);
	put_word(effect.frame[0].frame + recording.offsets.frame_code, 0);
	assert_int_equal(walk(0), MW_PY_FAULT);
	assert_int_equal(effect.frame_count, 0);
}

static void names_and_tables_that_cannot_be_read(void **state)
{
	const struct mw_py_offsets *o = &recording.offsets;
	uint64_t code;

	(void)state;
	load("3.12");
	assert_int_equal(walk(0), 0);
	code = effect.frame[0].code;
	put_word(code + o->code_name, 0xdead0000);
	put_word(code + o->code_table, 0xdead0000);
	assert_int_equal(walk(0), 0);
	assert_int_equal(effect.frame[0].name.len, 0);
	assert_true(effect.frame[0].cut);
	assert_false(effect.frame[1].cut);
	assert_int_equal(effect.frame[0].table_used, 0);
	assert_int_equal(line_of(o, &effect.frame[0]), -ENOENT);
}

/* The line is found during the walk where the start of the table does not do, in a table that is
 * not too long. The others are as they were. */
static void lines_far_down_a_table(void **state)
{
	(void)state;
	load("3.12");
	assert_int_equal(walk(LINES), 0);
	assert_int_equal(effect.frame[1].lasti, -1);
	assert_int_equal(effect.frame[1].first_line, 62);
	assert_int_equal(effect.frame[1].table_len, 0);
	assert_true(effect.frame[4].lasti > 0);
	assert_int_equal(effect.frame[4].first_line, 1);
	assert_true(effect.frame[4].table_len > MW_PY_TABLE);
	assert_int_equal(effect.frame[4].table_used, MW_K_TABLE);
	assert_int_equal(line_of(&recording.offsets, &effect.frame[4]), 502);
}

/* What is looked through in a walk has an end, too. */
static void long_tables_in_every_frame(void **state)
{
	static uint8_t table[MW_PY_TABLE];
	const struct mw_py_offsets *o = &recording.offsets;
	uint64_t at = 0x1000, size = sizeof(table);

	(void)state;
	load("3.11");
	assert_int_equal(walk(2), 0); /* a recursion: one code object */
	put(at + o->bytes_size, &size, sizeof(size));
	put(at + o->bytes_data, table, sizeof(table));
	put_word(effect.frame[2].code + o->code_table, at);
	reads = 0;
	assert_int_equal(walk(2), 0);
	assert_true(effect.frame_count > MW_PY_TABLES / MW_PY_TABLE + 3);
	assert_in_range(reads, MW_PY_TABLES / MW_PY_WINDOW,
	                MW_PY_TABLES / MW_PY_WINDOW + MW_K_FRAMES * 8);
	assert_int_equal(effect.frame[2].table_used, MW_K_TABLE);
	assert_memory_equal(effect.frame[2].table, table, MW_K_TABLE);
}

static void put_string(uint64_t at, uint64_t length, uint32_t flags, const void *text, size_t size)
{
	const struct mw_py_offsets *o = &recording.offsets;
	uint8_t head[20] = {0};

	memcpy(head, &length, sizeof(length));
	memcpy(head + 16, &flags, sizeof(flags));
	spoil(at + o->text_length, head, sizeof(head));
	spoil(at + (flags & 1 << 6 ? o->text_ascii : o->text_wide), text, size);
}

static void check_name(const char *expected, bool cut)
{
	assert_int_equal(walk(0), 0);
	assert_int_equal(effect.frame[0].cut, cut);
	assert_int_equal(effect.frame[0].name.len, strlen(expected));
	assert_memory_equal(effect.strings + effect.frame[0].name.at, expected, strlen(expected));
}

static void strings_that_lie(void **state)
{
	static const uint32_t strange[] = {0xd800, 0x110000, 0x1f600, 'x', 0xffff};
	static const char text[MW_PY_TEXT] = "long";
	uint64_t name = 0x1000;

	(void)state;
	load("3.13");
	assert_int_equal(walk(0), 0);
	put_word(effect.frame[0].code + recording.offsets.code_name, name);
	put_string(name, UINT64_MAX, 1 << 6 | 1 << 5 | 1 << 2, text, sizeof(text));
	assert_int_equal(walk(0), 0);
	assert_int_equal(effect.frame[0].name.len, MW_PY_TEXT);
	assert_true(effect.frame[0].cut);
	put_string(name, 5, 1 << 5 | 4 << 2, strange, sizeof(strange));
	check_name("??\xf0\x9f\x98\x80x\xef\xbf\xbf", false);
	put_string(name, 2, 1 << 5 | 7 << 2, "\xe9z", 2);
	check_name("\xc3\xa9z", false);
	put_string(name, 5, 4 << 2, strange, sizeof(strange));
	check_name("?", true);
}

static void strings_without_end_leave_no_room(void **state)
{
	uint32_t used = MW_K_STRINGS - MW_PY_TEXT + 1;
	uint64_t thread;

	(void)state;
	load("3.11");
	thread = mw_py_thread(&recording.offsets, recording.runtime, recording.threads[0].id);
	assert_int_equal(mw_py_walk(&recording.offsets, thread, &effect, &used), 0);
	assert_int_equal(used, MW_K_STRINGS - MW_PY_TEXT + 1);
	assert_true(effect.frame_count > 3);
	for (uint32_t i = 0; i < effect.frame_count; i++) {
		assert_int_equal(effect.frame[i].name.len, 0);
		assert_true(effect.frame[i].cut);
	}
}

/* A file of one segment that holds what 3.13 says of itself. */
static uint64_t described[71];

static int read_described(void *userdata, uint64_t offset, void *buf, size_t len)
{
	(void)userdata;
	assert_true(offset + len <= sizeof(described));
	memcpy(buf, (uint8_t *)described + offset, len);
	return 0;
}

static int ask(uint32_t version, size_t size, struct mw_py_offsets *ret)
{
	struct mw_elf elf = {.read = read_described, .size = size, .load_count = 1};

	elf.loads[0] = (struct mw_elf_load){.vaddr = 0x1000, .size = size};
	return mw_python_offsets(version, &elf, 0x1000, ret);
}

static void describe_3_13(void)
{
	for (size_t i = 0; i < 71; i++)
		described[i] = 256 + i;
	memcpy(described, "xdebugpy", 8);
	described[1] = 0x030d00f0;
	described[2] = 0;
	for (size_t i = 35; i < 40; i++) /* of a code object: not too far from each other */
		described[i] = 256 + 8 * (i - 35);
	for (size_t i = 29; i < 34; i++) /* of a frame */
		described[i] = 256 + 8 * (i - 29);
	described[68] = described[69] + 16;
	/* sizes */
	described[3] = described[6] = described[19] = described[28] = described[34] =
	        described[64] = described[67] = 4096;
}

static void a_file_describes_its_interpreter(void **state)
{
	struct mw_py_offsets offsets;

	(void)state;
	describe_3_13();
	assert_int_equal(ask(0x030d, sizeof(described), &offsets), 0);
	assert_int_equal(offsets.version, 0x030d);
	assert_int_equal(offsets.code_bytes, 256 + 43);
	assert_int_equal(offsets.bytes_data, 256 + 66);
	assert_int_equal(offsets.text_wide, 256 + 70 + 16);
}

static void versions_that_are_not_known(void **state)
{
	struct mw_py_offsets offsets;

	(void)state;
	describe_3_13();
	assert_int_equal(mw_python_offsets(0x0308, NULL, 0, &offsets), -ENOTSUP);
	assert_int_equal(mw_python_offsets(0x030d, NULL, 0, &offsets), -ENOTSUP);
	described[1] = 0x030e00f0;
	assert_int_equal(ask(0x030e, sizeof(described), &offsets), -ENOTSUP);
	assert_int_equal(ask(0x030d, sizeof(described), &offsets), -EBADMSG);
	describe_3_13();
	described[2] = 1;
	assert_int_equal(ask(0x030d, sizeof(described), &offsets), -ENOTSUP);
}

static void a_file_that_lies_about_its_interpreter(void **state)
{
	static const size_t used[] = {5,  8,  9,  21, 23, 24, 29, 30, 31, 33,
	                              35, 37, 38, 39, 43, 65, 66, 68, 69, 70};
	struct mw_py_offsets offsets;

	(void)state;
	describe_3_13();
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		uint64_t before = described[used[i]];

		described[used[i]] = 4096;
		assert_int_equal(ask(0x030d, sizeof(described), &offsets), -EBADMSG);
		described[used[i]] = UINT64_MAX;
		assert_int_equal(ask(0x030d, sizeof(described), &offsets), -EBADMSG);
		described[used[i]] = before;
	}
	described[29] = described[30] + MW_PY_SPAN_MAX; /* a frame that is too large */
	assert_int_equal(ask(0x030d, sizeof(described), &offsets), -EBADMSG);
	describe_3_13();
	described[39] = described[35] + MW_PY_SPAN_MAX; /* a code object */
	assert_int_equal(ask(0x030d, sizeof(described), &offsets), -EBADMSG);
	describe_3_13();
	described[6] = UINT64_MAX; /* a size */
	assert_int_equal(ask(0x030d, sizeof(described), &offsets), -EBADMSG);
	described[0] = 0;
	assert_int_equal(ask(0x030d, sizeof(described), &offsets), -EBADMSG);
	assert_int_equal(ask(0x030d, sizeof(described) - 1, &offsets), -EFAULT);
}

static void lines_of_strange_tables(void **state)
{
	static const struct {
		uint32_t version;
		int32_t first, lasti, expected;
		const char *bytes;
		uint32_t len, whole;
	} cases[] = {
	        {0x0309, 7, -1, 7, "", 0, 0},
	        {0x0309, 7, 99, 7, "", 0, 0},
	        {0x0309, 7, 0, -ENODATA, "", 0, 2},
	        {0x0309, 7, 6, 8, "\x06\x01", 2, 2},
	        {0x0309, 7, 6, -ENODATA, "\x06\x01", 2, 4},
	        {0x0309, 7, 5, 7, "\x06\x01", 2, 4},
	        {0x0309, 7, 6, -ENOENT, "\x06\x80", 2, 2}, /* below zero */
	        {0x030a, 7, 0, 8, "\x02\x01", 2, 2},
	        {0x030a, 7, 2, -ENOENT, "\x02\x01", 2, 2},
	        {0x030a, 7, 2, -ENODATA, "\x02\x01", 2, 4},
	        {0x030a, 7, 2, 8, "\x02\x80\x02\x01", 4, 4}, /* no line, and then one */
	        {0x030a, 7, 0, -ENOENT, "\x02\x80\x02\x01", 4, 4},
	        {0x030b, 7, 0, 8, "\xd8\x00", 2, 2}, /* one line on */
	        {0x030b, 7, 2, -ENOENT, "\xd8\x00", 2, 2},
	        {0x030b, 7, 2, -ENODATA, "\xd8\x00", 2, 3},
	        {0x030b, 7, 0, -ENOENT, "\xf8", 1, 1},      /* no line */
	        {0x030b, 7, 0, 5, "\xe8\x05", 2, 2},        /* two lines back */
	        {0x030b, 7, 0, -ENODATA, "\xe8\x45", 2, 3}, /* the number goes on */
	        {0x030b, 7, 0, -ENOENT, "\xe8\x45", 2, 2},
	        {0x030b, 7, 0, -ENOENT, "\xe8\x7f\x7f\x7f\x7f\x7f\x7f\x7f", 8,
	         8}, /* no line is that far */
	        {0x030b, INT32_MAX, 0, -ENOENT, "\xd8\x00", 2, 2},
	        {0x030b, -1, -1, -ENOENT, "", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mw_python_table table = {cases[i].version, cases[i].first,
		                                (const uint8_t *)cases[i].bytes, cases[i].len,
		                                cases[i].whole};

		assert_int_equal(mw_python_line(&table, cases[i].lasti), cases[i].expected);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, forget)
	const struct CMUnitTest tests[] = {
	        TEST(stacks_of_3_9),
	        TEST(stacks_of_3_10),
	        TEST(stacks_of_3_11),
	        TEST(stacks_of_3_12),
	        TEST(stacks_of_3_13),
	        TEST(the_table_of_offsets_is_that_of_the_recordings),
	        TEST(a_thread_that_is_not_there),
	        TEST(threads_in_a_circle),
	        TEST(interpreters_in_a_circle),
	        TEST(a_thread_that_has_yet_to_start),
	        TEST(frames_in_a_circle),
	        TEST(shims_in_a_circle),
	        TEST(a_stack_that_ends_in_nothing),
	        TEST(names_and_tables_that_cannot_be_read),
	        TEST(lines_far_down_a_table),
	        TEST(long_tables_in_every_frame),
	        TEST(strings_that_lie),
	        TEST(strings_without_end_leave_no_room),
	        TEST(a_file_describes_its_interpreter),
	        TEST(versions_that_are_not_known),
	        TEST(a_file_that_lies_about_its_interpreter),
	        TEST(lines_of_strange_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
