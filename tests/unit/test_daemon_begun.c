/* What the kernel tells of a load that begins, as a record: whatever it says of itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../tools/daemon_begun.h"
#include "daemon_event.h"

static struct mw_k_begun b;
static struct mw_daemon_begun *got;
static char directory[] = "/tmp/test_daemon_begun.XXXXXX";

static size_t size(void)
{
	return offsetof(struct mw_k_begun, strings) + b.strings_len;
}

static void fill(const char *path)
{
	event(MW_K_HOOK_ENTRY, 0); /* the strings are put where an effect has them */
	memset(&b, 0, sizeof(b));
	b.head = e.head;
	b.head.kind = MW_K_BEGUN;
	b.load = 7;
	b.entry = MW_K_PICKLE_LOAD;
	b.fd = -1;
	b.comm = put("python");
	if (path)
		b.file = put_path(path);
}

static void settle(void)
{
	b.strings_len = used;
	memcpy(b.strings, e.strings, used);
}

static void write_file(const char *name, const char *bytes, char ret[static 128])
{
	FILE *out;

	snprintf(ret, 128, "%s/%s", directory, name);
	out = fopen(ret, "w");
	assert_non_null(out);
	fputs(bytes, out);
	fclose(out);
}

static void assert_path(const char *path)
{
	assert_int_equal(got->record.load.path.len, strlen(path));
	assert_memory_equal(got->record.load.path.s, path, strlen(path));
}

static void a_file_of_the_kernel(void **state)
{
	char path[128];

	(void)state;
	write_file("a.pkl", "\x80\x04N.", path);
	fill(path);
	b.start = 3;
	settle();
	assert_int_equal(mw_k_check_begun(&b, size()), 0);
	assert_true(mw_daemon_begun(got, &b));
	assert_path(path);
	assert_int_equal(got->record.load.ino, b.file.ino);
	assert_int_equal(got->record.load.start, 3);
	assert_int_equal(got->record.load.origin, MW_FROM_FILE);
	assert_string_equal(got->comm, "python");
	/* Of another one nothing is left. */
	fill(NULL);
	settle();
	assert_false(mw_daemon_begun(got, &b));
}

/* A reader of a kind that is not known: the only open file that holds a pickle is the one. */
static void one_of_the_open_files(void **state)
{
	char pickle[128], other[128];

	(void)state;
	write_file("b.pkl", "\x80\x04N.", pickle);
	write_file("c.txt", "no pickle", other);
	fill(NULL);
	b.open[0] = put_path(other);
	b.open[1] = put_path(pickle);
	settle();
	assert_true(mw_daemon_begun(got, &b));
	assert_path(pickle);
	fill(NULL);
	b.open[0] = put_path(other);
	settle();
	assert_false(mw_daemon_begun(got, &b));
}

static void the_path_of_a_reader(void **state)
{
	(void)state;
	fill(NULL);
	b.entry = MW_K_TORCHSCRIPT;
	b.reader = put("/models/s.pt");
	settle();
	assert_true(mw_daemon_begun(got, &b));
	assert_path("/models/s.pt");
	assert_true(got->record.load.archive);
	fill(NULL);
	b.reader = put("s.pt"); /* from where the process is */
	settle();
	assert_true(mw_daemon_begun(got, &b));
	assert_path("s.pt");
}

#define BAD(change)                                                                                \
	do {                                                                                       \
		fill("/models/a.pkl");                                                             \
		settle();                                                                          \
		assert_int_equal(mw_k_check_begun(&b, size()), 0);                                 \
		change;                                                                            \
		assert_int_equal(mw_k_check_begun(&b, size()), -EBADMSG);                          \
	} while (0)

static void what_is_out_of_bounds(void **state)
{
	size_t whole;

	(void)state;
	BAD(b.head.kind = MW_K_EFFECT);
	BAD(b.load = 0);
	BAD(b.entry = MW_K_ENTRY_COUNT);
	BAD(b.file.names.len = (uint16_t)(b.strings_len + 1));
	BAD((b.open[3].names = (struct mw_k_str){65535, 65535}));
	BAD(b.reader.at = (uint16_t)(b.strings_len + 1));
	BAD((b.comm = (struct mw_k_str){1, UINT16_MAX}));
	fill("/models/a.pkl");
	settle();
	whole = size();
	b.strings_len++;
	assert_int_equal(mw_k_check_begun(&b, whole), -EBADMSG);
	assert_int_equal(mw_k_check_begun(&b, sizeof(b) + 1), -EBADMSG);
	assert_int_equal(mw_k_check_begun(&b, 0), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_file_of_the_kernel),
	        cmocka_unit_test(one_of_the_open_files),
	        cmocka_unit_test(the_path_of_a_reader),
	        cmocka_unit_test(what_is_out_of_bounds),
	};
	int failed;
	char command[64];

	got = calloc(1, sizeof(*got));
	if (!got || !mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(got);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command) ? 1 : failed;
}
