/* Fetching a stream from where a process says it is, true or not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/stream.h"

static const struct mw_record_load nowhere = {.fd = -1, .tell = -1};

static struct mw_str text(const char *s)
{
	return (struct mw_str){s, (uint32_t)strlen(s)};
}

static void check(const struct mw_record_load *load, const char *expected)
{
	struct mw_stream stream;

	assert_int_equal(mw_stream_read(getpid(), load, MW_STREAM_MAX, &stream), 0);
	assert_int_equal(stream.len, strlen(expected));
	assert_memory_equal(stream.bytes, expected, stream.len);
	assert_false(stream.cut);
	mw_stream_free(&stream);
}

static void refuse(const struct mw_record_load *load, int error)
{
	struct mw_stream stream;

	assert_int_equal(mw_stream_read(getpid(), load, MW_STREAM_MAX, &stream), error);
}

static void test_memory(void **state)
{
	struct mw_record_load load = nowhere;
	static const char bytes[] = "stream";

	(void)state;
	load.data = (uintptr_t)bytes;
	load.data_len = strlen(bytes);
	check(&load, "stream");
	load.data_len = 0;
	refuse(&load, -ENODATA);
	load.data = 8;
	load.data_len = UINT64_MAX;
	refuse(&load, -EFAULT);
}

static void test_file(void **state)
{
	char name[] = "/tmp/test_stream.XXXXXX", relative[64];
	struct mw_record_load load = nowhere;
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "head stream", 11), 11);
	load.fd = fd;
	check(&load, "head stream");
	load.start = 5;
	check(&load, "stream");
	load.start = UINT64_MAX;
	refuse(&load, -ENODATA);
	load.start = 5;
	load.fd = -1;
	load.path = text(name);
	check(&load, "stream");
	assert_int_equal(chdir("/tmp"), 0);
	snprintf(relative, sizeof(relative), "./%s", strrchr(name, '/') + 1);
	load.path = text(relative);
	check(&load, "stream");
	load.fd = 12345; /* closed: the path is what is left */
	check(&load, "stream");
	unlink(name);
	close(fd);
	load.fd = -1;
	refuse(&load, -ENOENT);
}

static void test_huge_file(void **state)
{
	char name[] = "/tmp/test_stream.XXXXXX";
	struct mw_record_load load = nowhere;
	struct mw_stream stream;

	(void)state;
	load.fd = mkstemp(name);
	assert_true(load.fd >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(ftruncate(load.fd, (off_t)10 << 30), 0);
	assert_int_equal(mw_stream_read(getpid(), &load, MW_STREAM_MAX, &stream), 0);
	assert_int_equal(stream.len, MW_STREAM_MAX);
	assert_true(stream.cut);
	mw_stream_free(&stream);
	close(load.fd);
}

static void test_what_is_no_file(void **state)
{
	static const char cut[] = "/dev/null\0/x";
	struct mw_record_load load = nowhere;
	char dir[] = "/tmp/test_stream.XXXXXX", fifo[sizeof(dir) + 5];
	int ends[2];

	(void)state;
	refuse(&load, -ENODATA);
	load.path = text("/dev/zero");
	refuse(&load, -EINVAL);
	load.path = text("/tmp");
	refuse(&load, -EINVAL);
	load.path = (struct mw_str){cut, sizeof(cut) - 1};
	refuse(&load, -EINVAL);
	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	load.path = text(fifo);
	refuse(&load, -EINVAL);
	unlink(fifo);
	rmdir(dir);
	assert_int_equal(pipe(ends), 0);
	load.path = (struct mw_str){0};
	load.fd = ends[0];
	refuse(&load, -EINVAL);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_memory),
	        cmocka_unit_test(test_file),
	        cmocka_unit_test(test_huge_file),
	        cmocka_unit_test(test_what_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
