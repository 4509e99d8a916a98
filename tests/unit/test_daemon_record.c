/* Records of perf's side-band: what is read of them, and that nothing beyond them is; the ring they
 * come in, where one goes around its end. */
#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_record.h"
#include "../../tools/daemon_ring.h"

#define TIME UINT64_C(0x1122334455667788)

/* A record as the kernel writes it, each in memory of exactly its size. */
struct record {
	uint8_t *bytes;
	size_t len;
};

static void put(struct record *record, const void *bytes, size_t len)
{
	record->bytes = realloc(record->bytes, record->len + len);
	assert_non_null(record->bytes);
	memcpy(record->bytes + record->len, bytes, len);
	record->len += len;
}

static void put32(struct record *record, uint32_t value)
{
	put(record, &value, sizeof(value));
}

static void put64(struct record *record, uint64_t value)
{
	put(record, &value, sizeof(value));
}

static struct record begin(uint32_t type, uint16_t misc)
{
	struct perf_event_header header = {.type = type, .misc = misc};
	struct record record = {0};

	put(&record, &header, sizeof(header));
	return record;
}

static int end(struct record *record, struct mw_side *side)
{
	struct perf_event_header header;
	int r;

	put32(record, 7);
	put32(record, 8);
	put64(record, TIME);
	put64(record, 1);
	memcpy(&header, record->bytes, sizeof(header));
	header.size = (uint16_t)record->len;
	memcpy(record->bytes, &header, sizeof(header));
	r = mw_side_decode(record->bytes, record->len, side);
	if (r >= 0)
		assert_int_equal(side->time, TIME);
	return r;
}

static struct record mapping(uint32_t prot, uint64_t ino)
{
	struct record record = begin(PERF_RECORD_MMAP2, 0);

	put32(&record, 100);
	put32(&record, 101);
	put64(&record, 0x7f0000001000);
	put64(&record, 0x2000);
	put64(&record, 0x3000);
	put32(&record, 254);
	put32(&record, 3);
	put64(&record, ino);
	put64(&record, 77);
	put32(&record, prot);
	put32(&record, MAP_PRIVATE);
	return record;
}

static void test_mapping(void **state)
{
	struct record record = mapping(PROT_READ | PROT_EXEC, 42);
	struct mw_side side;

	(void)state;
	put(&record, "/bin/x\n\xff", 8);
	put64(&record, 0);
	assert_int_equal(end(&record, &side), 0);
	assert_int_equal(side.kind, MW_SIDE_MAPPED);
	assert_int_equal(side.pid, 100);
	assert_int_equal(side.tid, 101);
	assert_int_equal(side.mapping.pid, 100);
	assert_int_equal(side.mapping.address, 0x7f0000001000);
	assert_int_equal(side.mapping.length, 0x2000);
	assert_int_equal(side.mapping.offset, 0x3000);
	assert_int_equal(side.mapping.dev, makedev(254, 3));
	assert_int_equal(side.mapping.ino, 42);
	assert_int_equal(side.mapping.generation, 77);
	assert_string_equal(side.mapping.path, "/bin/x\n\xff");
	free(record.bytes);
}

static void test_no_code(void **state)
{
	struct record data = mapping(PROT_READ, 42), anonymous = mapping(PROT_EXEC, 0);
	struct mw_side side;

	(void)state;
	put64(&data, 0);
	put64(&anonymous, 0);
	assert_int_equal(end(&data, &side), 0);
	assert_int_equal(side.kind, MW_SIDE_OTHER);
	assert_int_equal(end(&anonymous, &side), 0);
	assert_int_equal(side.kind, MW_SIDE_OTHER);
	free(data.bytes);
	free(anonymous.bytes);
}

/* The sample_id behind it has zeroes that must not end it. */
static void test_endless_path(void **state)
{
	struct record record = mapping(PROT_EXEC, 42);
	struct mw_side side = {.kind = MW_SIDE_LOST};

	(void)state;
	put(&record, "/endless", 8);
	assert_int_equal(end(&record, &side), -EBADMSG);
	assert_int_equal(side.kind, MW_SIDE_LOST);
	free(record.bytes);
}

static void test_exec(void **state)
{
	struct record exec = begin(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
	struct record name = begin(PERF_RECORD_COMM, 0);
	struct mw_side side;

	(void)state;
	put64(&exec, 9);
	put(&exec, "python3\0", 8);
	put64(&name, 9);
	put(&name, "python3\0", 8);
	assert_int_equal(end(&exec, &side), 0);
	assert_int_equal(side.kind, MW_SIDE_EXEC);
	assert_int_equal(side.pid, 9);
	assert_int_equal(end(&name, &side), 0);
	assert_int_equal(side.kind, MW_SIDE_OTHER);
	free(exec.bytes);
	free(name.bytes);
}

static void test_task(void **state)
{
	const uint32_t types[] = {PERF_RECORD_FORK, PERF_RECORD_EXIT};
	const enum mw_side_kind kinds[] = {MW_SIDE_FORK, MW_SIDE_EXIT};
	struct mw_side side;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct record record = begin(types[i], 0);

		put32(&record, 20);
		put32(&record, 10);
		put32(&record, 21);
		put32(&record, 11);
		put64(&record, 1);
		assert_int_equal(end(&record, &side), 0);
		assert_int_equal(side.kind, kinds[i]);
		assert_int_equal(side.pid, 20);
		assert_int_equal(side.tid, 21);
		assert_int_equal(side.parent, 10);
		free(record.bytes);
	}
}

static void test_lost(void **state)
{
	struct record record = begin(PERF_RECORD_LOST, 0);
	struct mw_side side;

	(void)state;
	put64(&record, 1);
	put64(&record, 4711);
	assert_int_equal(end(&record, &side), 0);
	assert_int_equal(side.kind, MW_SIDE_LOST);
	assert_int_equal(side.lost, 4711);
	free(record.bytes);
}

static void test_short(void **state)
{
	const uint32_t types[] = {PERF_RECORD_MMAP2, PERF_RECORD_COMM, PERF_RECORD_FORK,
	                          PERF_RECORD_EXIT, PERF_RECORD_LOST};
	uint8_t bytes[8] = {0};
	struct mw_side side;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct record record = begin(types[i], PERF_RECORD_MISC_COMM_EXEC);

		put32(&record, 1);
		assert_int_equal(end(&record, &side), -EBADMSG);
		free(record.bytes);
	}
	assert_int_equal(mw_side_decode(bytes, sizeof(bytes), &side), -EBADMSG);
}

#define RING 16384u

static void write_ring(uint8_t *data, uint64_t at, const struct record *record)
{
	for (size_t i = 0; i < record->len; i++)
		data[(at + i) & (RING - 1)] = record->bytes[i];
}

/* Two records, the second around the end of the ring. */
static void test_ring(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct perf_event_mmap_page *control = calloc(1, page + RING);
	struct mw_ring ring = {.fd = -1, .memory = control, .size = RING};
	struct record record = begin(PERF_RECORD_LOST, 0);
	uint8_t copy[MW_RECORD_SIDE_MAX];
	struct mw_side side;

	(void)state;
	put64(&record, 1);
	put64(&record, 2);
	assert_int_equal(end(&record, &side), 0);
	ring.tail = 3 * RING - record.len - record.len / 2;
	write_ring((uint8_t *)control + page, ring.tail, &record);
	write_ring((uint8_t *)control + page, ring.tail + record.len, &record);
	control->data_head = ring.tail + 2 * record.len;
	assert_true(mw_ring_begin(&ring));
	for (int i = 0; i < 2; i++) {
		const void *there;

		assert_true(mw_ring_peek(&ring));
		assert_int_equal(ring.time, TIME);
		there = mw_ring_record(&ring, copy);
		assert_int_equal(there == copy, i);
		assert_memory_equal(there, record.bytes, record.len);
		mw_ring_next(&ring);
		assert_int_equal(control->data_tail, ring.tail);
	}
	assert_false(mw_ring_peek(&ring));
	control->data_head = ring.tail + RING - 64;
	assert_false(mw_ring_begin(&ring));
	free(record.bytes);
	free(control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_mapping),      cmocka_unit_test(test_no_code),
	        cmocka_unit_test(test_endless_path), cmocka_unit_test(test_exec),
	        cmocka_unit_test(test_task),         cmocka_unit_test(test_lost),
	        cmocka_unit_test(test_short),        cmocka_unit_test(test_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
