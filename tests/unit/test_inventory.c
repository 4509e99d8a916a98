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

#include "../../tools/alert.h"
#include "../../tools/inventory.h"

/* An empty dictionary; behind it lies what is no part of the stream. */
static const char pickle[] = "\x80\x04}.more";
static char directory[] = "/tmp/test_inventory.XXXXXX";
static char model[64], alerts_path[64];

static json_t *written;
static struct mw_record record;

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

static struct mw_inventory *start(struct mw_alerts *alerts)
{
	const struct mw_inventory_options options = {
	        .policy_digest = "abcd", .labels = NULL, .alerts = alerts, .write = take};
	struct mw_inventory *inventory;

	json_decref(written);
	written = json_array();
	fill();
	assert_int_equal(mw_inventory_open(&options, &inventory), 0);
	return inventory;
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
	struct mw_inventory *inventory = start(NULL);

	(void)state;
	for (int i = 0; i < 100000; i++)
		mw_inventory_add(inventory, getpid(), &record, i / 10);
	record.done.raised = true;
	mw_inventory_add(inventory, getpid(), &record, 1);
	record.done.raised = false;
	record.done.weights_only = MW_YES;
	mw_inventory_add(inventory, getpid(), &record, 1);
	record.load.entry = str("torch.load");
	mw_inventory_add(inventory, getpid(), &record, 1);
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
	struct mw_inventory *inventory = start(NULL);

	(void)state;
	mw_inventory_add(inventory, getpid(), &record, 1000);
	mw_inventory_poll(inventory, 1000 + MW_INVENTORY_WINDOW_MS - 1);
	assert_int_equal(json_array_size(written), 0);
	mw_inventory_poll(inventory, 1000 + MW_INVENTORY_WINDOW_MS);
	assert_int_equal(json_array_size(written), 1);
	assert_false(mw_inventory_waits(inventory));
	mw_inventory_add(inventory, getpid(), &record, 1000 + MW_INVENTORY_WINDOW_MS);
	mw_inventory_close(inventory);
	assert_int_equal(json_array_size(written), 2);
	assert_string_not_equal(json_string_value(at(0, "", "id")),
	                        json_string_value(at(1, "", "id")));
}

static void the_file_that_was_read_is_the_one_that_is_hashed(void **state)
{
	struct mw_inventory *inventory = start(NULL);
	char whole[MW_SHA256_HEX], stream[MW_SHA256_HEX];

	(void)state;
	mw_inventory_add(inventory, getpid(), &record, 0);
	/* Another one has its name by now. */
	record.load.ino++;
	mw_inventory_add(inventory, getpid(), &record, 0);
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
	struct mw_inventory *inventory = start(NULL);

	(void)state;
	record.load.data = (uint64_t)(uintptr_t)pickle;
	record.load.data_len = sizeof(pickle) - 1;
	mw_inventory_add(inventory, getpid(), &record, 0);
	mw_inventory_close(inventory);
	assert_true(json_is_string(at(0, "artifact", "sha256")));
	assert_true(json_is_null(at(0, "artifact", "stream_sha256")));
}

static void several_streams_of_a_file_have_no_digest(void **state)
{
	struct mw_inventory *inventory = start(NULL);

	(void)state;
	mw_inventory_add(inventory, getpid(), &record, 0);
	record.load.start = 3;
	mw_inventory_add(inventory, getpid(), &record, 0);
	mw_inventory_close(inventory);
	assert_int_equal(json_integer_value(at(0, "", "count")), 2);
	assert_true(json_is_null(at(0, "artifact", "stream_sha256")));
	assert_true(json_is_string(at(0, "artifact", "sha256")));
}

static json_t *last_line(const char *path)
{
	char *line = NULL;
	size_t room = 0;
	FILE *in = fopen(path, "r");
	json_t *json = NULL;

	assert_non_null(in);
	while (getline(&line, &room, in) > 0) {
		json_decref(json);
		json = json_loads(line, 0, NULL);
	}
	free(line);
	fclose(in);
	return json;
}

static void what_has_no_room_is_told(void **state)
{
	struct mw_alert_options options = {
	        .alerts_path = alerts_path, .quiet = true, .policy_digest = "abcd"};
	struct mw_inventory *inventory;
	struct mw_alerts *alerts;
	json_t *loss;
	char path[80];

	(void)state;
	assert_int_equal(mw_alerts_open(&options, &alerts), 0);
	inventory = start(alerts);
	record.done.lost = 5; /* the process could not send so many */
	mw_inventory_add(inventory, getpid(), &record, 0);
	record.done.lost = 0;
	for (int i = 1; i < MW_INVENTORY_OPEN + 7; i++) {
		snprintf(path, sizeof(path), "/nowhere/%d", i);
		record.load.path = str(path);
		mw_inventory_add(inventory, getpid(), &record, 0);
	}
	assert_int_equal(json_array_size(written), 0);
	mw_inventory_poll(inventory, MW_INVENTORY_WINDOW_MS);
	assert_int_equal(json_array_size(written), MW_INVENTORY_OPEN);
	mw_inventory_close(inventory);
	mw_alerts_close(alerts);
	loss = last_line(alerts_path);
	assert_string_equal(json_string_value(json_object_get(loss, "kind")), "inventory");
	assert_int_equal(json_integer_value(json_object_get(loss, "count")), 12);
	assert_int_equal(json_integer_value(json_object_get(loss, "lost")), 0);
	json_decref(loss);
}

static void hostile_words_make_a_record(void **state)
{
	struct mw_inventory *inventory = start(NULL);

	(void)state;
	record.load.entry = (struct mw_str){"\x1b[2J\xff\n", 6};
	record.load.path = (struct mw_str){"/a\0b", 4};
	record.load.fd = INT32_MAX;
	record.load.globals = UINT64_MAX;
	record.load.data = UINT64_MAX;
	record.load.data_len = UINT64_MAX;
	record.load.start = UINT64_MAX;
	record.done.duration = INT64_MAX;
	mw_inventory_add(inventory, INT32_MAX, &record, 0);
	mw_inventory_add(inventory, INT32_MAX, &record, INT64_MAX);
	memset(&record, 0, sizeof(record));
	record.load.fd = -1;
	mw_inventory_add(inventory, -1, &record, 0);
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
	        cmocka_unit_test(hostile_words_make_a_record),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(model, sizeof(model), "%s/model.pkl", directory);
	snprintf(alerts_path, sizeof(alerts_path), "%s/alerts.jsonl", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(written);
	unlink(model);
	unlink(alerts_path);
	rmdir(directory);
	return failed;
}
