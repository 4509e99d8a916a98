/* The inventory: loads that are alike are one record, of the file that was read, and what there is
 * no room for is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/inventory.h"
#include "../../tools/sha256.h"

/* An empty dictionary; behind it lies what is no part of the stream. */
static const char pickle[] = "\x80\x04}.more";
static char directory[] = "/tmp/test_inventory.XXXXXX";
static char model[64];

static json_t *written;
static struct mw_record record;
static struct mw_inventory_options options;
static struct mw_inventory_load load;
static struct mw_inventory *inventory;
static uint64_t lost;

static struct mw_str str(const char *s)
{
	return (struct mw_str){s, (uint32_t)strlen(s)};
}

static void take(void *context, const char *line, size_t len)
{
	json_t *json = json_loadb(line, len, 0, NULL);

	(void)context;
	assert_int_equal(line[len - 1], '\n');
	assert_non_null(json);
	assert_int_equal(json_array_append_new(written, json), 0);
}

static void write_model(const char *data, size_t len)
{
	FILE *out = fopen(model, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

static void fill(void)
{
	struct stat st;

	write_model(pickle, sizeof(pickle) - 1);
	assert_int_equal(stat(model, &st), 0);
	record = (struct mw_record){
	        .kind = MW_LOADED,
	        .tid = (uint32_t)gettid(),
	        .load = {.origin = MW_FROM_FILE,
	                 .entry = str("pickle.load"),
	                 .path = str(model),
	                 .fd = -1,
	                 .tell = -1,
	                 .globals = 2,
	                 .dev = major(st.st_dev) << 20 | (minor(st.st_dev) & 0xfffff),
	                 .ino = st.st_ino},
	        .done = {.duration = 1000},
	};
}

static void lose(void *context, uint64_t count)
{
	(void)context;
	lost += count;
}

static void add(pid_t pid, int64_t now)
{
	static struct mw_identity_hint who;

	who = (struct mw_identity_hint){
	        .pid = pid, .tid = (pid_t)record.tid, .uid = MW_IDENTITY_NO_UID};
	load.record = &record;
	load.who = &who;
	mw_inventory_add(inventory, &load, now);
}

static void start(void)
{
	options.write = take;
	options.lost = lose;
	options.policy_digest = "abcd";
	load = (struct mw_inventory_load){.begins = false};
	lost = 0;
	json_decref(written);
	written = json_array();
	fill();
	assert_int_equal(mw_inventory_open(&options, &inventory), 0);
}

static json_t *at(size_t i, const char *object, const char *name)
{
	json_t *from = json_array_get(written, i);

	if (*object)
		from = json_object_get(from, "load");
	if (!strcmp(object, "artifact"))
		from = json_object_get(from, "artifact");
	return json_object_get(from, name);
}

static void alike_loads_are_one_record(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 100000; i++)
		add(getpid(), i / 10);
	record.done.raised = true;
	add(getpid(), 1);
	record.done.raised = false;
	record.done.weights_only = MW_YES;
	add(getpid(), 1);
	record.load.entry = str("torch.load");
	add(getpid(), 1);
	assert_true(mw_inventory_waits(inventory));
	mw_inventory_close(inventory);
	assert_int_equal(json_array_size(written), 4);
	assert_int_equal(json_integer_value(at(0, "", "count")), 100000);
	assert_int_equal(json_integer_value(at(0, "load", "duration_ns")), 100000000);
	assert_int_equal(json_integer_value(at(0, "load", "globals")), 2);
	assert_string_equal(json_string_value(at(0, "load", "outcome")), "returned");
	assert_true(json_is_null(at(0, "load", "weights_only")));
	assert_string_equal(json_string_value(at(1, "load", "outcome")), "raised");
	assert_true(json_is_true(at(2, "load", "weights_only")));
	assert_string_equal(json_string_value(at(3, "load", "entry")), "torch.load");
}

static void a_minute_ends_a_record(void **state)
{
	(void)state;
	start();
	add(getpid(), 1000);
	mw_inventory_poll(inventory, 1000 + MW_INVENTORY_WINDOW_MS - 1);
	assert_int_equal(json_array_size(written), 0);
	mw_inventory_poll(inventory, 1000 + MW_INVENTORY_WINDOW_MS);
	assert_int_equal(json_array_size(written), 1);
	assert_false(mw_inventory_waits(inventory));
	add(getpid(), 1000 + MW_INVENTORY_WINDOW_MS);
	mw_inventory_close(inventory);
	assert_int_equal(json_array_size(written), 2);
	assert_string_not_equal(json_string_value(at(0, "", "id")),
	                        json_string_value(at(1, "", "id")));
}

static void the_file_that_was_read_is_the_one_that_is_hashed(void **state)
{
	char whole[MW_SHA256_HEX], stream[MW_SHA256_HEX];

	(void)state;
	start();
	add(getpid(), 0);
	/* Another one has its name by now. */
	record.load.ino++;
	add(getpid(), 0);
	mw_inventory_close(inventory);
	mw_sha256(pickle, sizeof(pickle) - 1, whole);
	mw_sha256(pickle, 4, stream);
	assert_string_equal(json_string_value(at(0, "artifact", "sha256")), whole);
	assert_string_equal(json_string_value(at(0, "artifact", "stream_sha256")), stream);
	assert_string_equal(json_string_value(at(1, "artifact", "path")), model);
	assert_string_equal(json_string_value(at(1, "artifact", "digest_state")), "unavailable");
	assert_true(json_is_null(at(1, "artifact", "sha256")));
	assert_true(json_is_null(at(1, "artifact", "stream_sha256")));
}

/* What lies at that address by now is somebody else's. */
static void memory_is_not_read_once_the_load_has_ended(void **state)
{
	(void)state;
	start();
	record.load.data = (uint64_t)(uintptr_t)pickle;
	record.load.data_len = sizeof(pickle) - 1;
	add(getpid(), 0);
	mw_inventory_close(inventory);
	assert_true(json_is_string(at(0, "artifact", "sha256")));
	assert_true(json_is_null(at(0, "artifact", "stream_sha256")));
}

static void several_streams_of_a_file_have_no_digest(void **state)
{
	(void)state;
	start();
	add(getpid(), 0);
	record.load.start = 3;
	add(getpid(), 0);
	mw_inventory_close(inventory);
	assert_int_equal(json_integer_value(at(0, "", "count")), 2);
	assert_true(json_is_null(at(0, "artifact", "stream_sha256")));
	assert_true(json_is_string(at(0, "artifact", "sha256")));
}

static void what_has_no_room_is_told(void **state)
{
	char path[80];

	(void)state;
	start();
	record.done.lost = 5; /* the process could not send so many */
	add(getpid(), 0);
	record.done.lost = 0;
	for (int i = 1; i < MW_INVENTORY_OPEN + 7; i++) {
		snprintf(path, sizeof(path), "/nowhere/%d", i);
		record.load.path = str(path);
		add(getpid(), 0);
	}
	assert_int_equal(json_array_size(written) + lost, 0);
	mw_inventory_poll(inventory, MW_INVENTORY_WINDOW_MS);
	assert_int_equal(json_array_size(written), MW_INVENTORY_OPEN);
	mw_inventory_close(inventory);
	assert_int_equal(lost, 12);
}

/* Whoever keeps them knows of a load before its file is touched, and of the file as soon as that
 * is. */
static void early_records_come_before_the_file(void **state)
{
	char digest[MW_SHA256_HEX];

	(void)state;
	options.early = true;
	start();
	options.early = false;
	load.begins = true;
	add(getpid(), 0);
	assert_int_equal(json_array_size(written), 2);
	assert_string_equal(json_string_value(at(0, "artifact", "path")), model);
	assert_string_equal(json_string_value(at(0, "artifact", "digest_state")), "pending");
	assert_true(json_is_object(at(0, "", MW_INVENTORY_UNFINISHED)));
	mw_sha256(pickle, sizeof(pickle) - 1, digest);
	assert_string_equal(json_string_value(at(1, "artifact", "sha256")), digest);
	assert_true(json_is_object(at(1, "", MW_INVENTORY_UNFINISHED)));
	add(getpid(), 1);
	mw_inventory_close(inventory);
	assert_int_equal(json_array_size(written), 3);
	assert_null(at(2, "", MW_INVENTORY_UNFINISHED));
	for (size_t i = 1; i < 3; i++)
		assert_string_equal(json_string_value(at(i, "", "id")),
		                    json_string_value(at(0, "", "id")));
	assert_int_equal(json_integer_value(at(2, "", "count")), 2);
}

/* How a load goes on is not known to who hears of its beginning. */
static void what_begins_has_no_outcome(void **state)
{
	static const char *const unknown[] = {"outcome", "weights_only", "globals", "duration_ns"};

	(void)state;
	start();
	add(getpid(), 0);
	load.begins = true;
	record.load.path = str("/nowhere");
	add(getpid(), 0);
	mw_inventory_close(inventory);
	assert_string_equal(json_string_value(at(0, "", "sensor")), "python");
	assert_string_equal(json_string_value(at(1, "", "sensor")), "kernel");
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		assert_true(json_is_null(at(1, "load", unknown[i])));
}

/* What is in it now may not be what was read. */
static void a_file_that_has_changed_since_has_no_digest(void **state)
{
	struct stat st;
	int64_t changed;

	(void)state;
	start();
	assert_int_equal(stat(model, &st), 0);
	changed = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
	load.since = changed;
	add(getpid(), 0);
	load.since = changed - 1;
	record.load.entry = str("another");
	add(getpid(), 0);
	load.since = 0;
	load.hands_off = true;
	record.load.entry = str("a third");
	add(getpid(), 0);
	mw_inventory_close(inventory);
	assert_string_equal(json_string_value(at(0, "artifact", "digest_state")), "done");
	for (size_t i = 1; i < 3; i++) {
		assert_string_equal(json_string_value(at(i, "artifact", "digest_state")),
		                    "unavailable");
		assert_true(json_is_null(at(i, "artifact", "stream_sha256")));
		assert_string_equal(json_string_value(at(i, "artifact", "path")), model);
	}
}

static void hostile_words_make_a_record(void **state)
{
	(void)state;
	start();
	record.load.entry = (struct mw_str){"\x1b[2J\xff\n", 6};
	record.load.path = (struct mw_str){"/a\0b", 4};
	record.load.fd = INT32_MAX;
	record.load.globals = UINT64_MAX;
	record.load.data = UINT64_MAX;
	record.load.data_len = UINT64_MAX;
	record.load.start = UINT64_MAX;
	record.done.duration = INT64_MAX;
	add(INT32_MAX, 0);
	add(INT32_MAX, INT64_MAX);
	memset(&record, 0, sizeof(record));
	record.load.fd = -1;
	add(-1, 0);
	mw_inventory_close(inventory);
	assert_int_equal(json_array_size(written), 2);
	assert_int_equal(json_integer_value(at(0, "load", "globals")), INT64_MAX);
	assert_true(json_is_null(at(1, "load", "entry")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(alike_loads_are_one_record),
	        cmocka_unit_test(a_minute_ends_a_record),
	        cmocka_unit_test(the_file_that_was_read_is_the_one_that_is_hashed),
	        cmocka_unit_test(memory_is_not_read_once_the_load_has_ended),
	        cmocka_unit_test(several_streams_of_a_file_have_no_digest),
	        cmocka_unit_test(what_has_no_room_is_told),
	        cmocka_unit_test(early_records_come_before_the_file),
	        cmocka_unit_test(what_begins_has_no_outcome),
	        cmocka_unit_test(a_file_that_has_changed_since_has_no_digest),
	        cmocka_unit_test(hostile_words_make_a_record),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(model, sizeof(model), "%s/model.pkl", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(written);
	unlink(model);
	rmdir(directory);
	return failed;
}
