/* Records as bytes: what goes in comes out, nothing else does, and the longest one fits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/wire.h"

static char text[2 * MW_WIRE_TEXT];
#define LONG ((struct mw_str){text, sizeof(text)})

static void fill(struct mw_record *r)
{
	memset(text, 'x', sizeof(text));
	memset(r, 0, sizeof(*r));
	r->kind = MW_EFFECT;
	r->tid = 4321;
	r->load = (struct mw_record_load){.id = UINT64_MAX,
	                                  .origin = MW_FROM_FOREIGN,
	                                  .fd = 7,
	                                  .data = UINT64_MAX,
	                                  .data_len = 5,
	                                  .start = 3,
	                                  .tell = -1,
	                                  .tell_exact = true,
	                                  .importing = true,
	                                  .after = true,
	                                  .depth = 9,
	                                  .globals = 77,
	                                  .sp = UINT64_MAX,
	                                  .called = true,
	                                  .entry = LONG,
	                                  .path = LONG,
	                                  .seen_count = MW_WIRE_GLOBALS};
	for (int i = 0; i < MW_WIRE_GLOBALS; i++)
		r->load.seen[i] = LONG;
	r->effect = (struct mw_record_effect){.class = MW_CODE,
	                                      .cause = MW_BY_UNKNOWN,
	                                      .sensor = MW_KERNEL,
	                                      .facts = UINT32_MAX,
	                                      .number = INT64_MIN,
	                                      .op = LONG,
	                                      .target = LONG,
	                                      .target2 = LONG,
	                                      .file = LONG,
	                                      .file2 = LONG,
	                                      .owner = UINT64_MAX,
	                                      .argc = MW_WIRE_ARGS,
	                                      .argv_cut = true};
	for (int i = 0; i < MW_WIRE_ARGS; i++)
		r->effect.argv[i] = LONG;
	r->frame_count = r->inside = MW_WIRE_FRAMES;
	for (int i = 0; i < MW_WIRE_FRAMES; i++)
		r->frames[i] = (struct mw_pyframe){LONG, LONG, UINT32_MAX};
	for (int i = 0; i < MW_REGS_COUNT; i++)
		r->regs.r[i] = UINT64_MAX;
	r->stack_len = MW_WIRE_STACK;
}

static uint32_t length(const uint8_t *frame)
{
	return (uint32_t)frame[0] << 24 | (uint32_t)frame[1] << 16 | (uint32_t)frame[2] << 8 |
	       frame[3];
}

static void the_longest_record_fits_and_comes_back(void **state)
{
	uint8_t *frame = calloc(1, MW_WIRE_HEAD + MW_WIRE_STACK);
	static struct mw_record r;
	struct mw_unpacked u;
	int n;

	(void)state;
	fill(&r);
	n = mw_wire_pack(&r, frame, MW_WIRE_HEAD);
	assert_true(n > 0);
	assert_int_equal(length(frame), (uint32_t)n - 4 + MW_WIRE_STACK);
	assert_true(length(frame) <= MW_WIRE_MAX);
	assert_int_equal(mw_wire_unpack(frame + 4, length(frame), &u), 0);
	assert_int_equal(u.record.tid, 4321);
	assert_true(u.record.load.id == UINT64_MAX && u.record.load.tell == -1);
	assert_true(u.record.load.importing && u.record.load.after && u.record.effect.argv_cut);
	assert_int_equal(u.record.load.origin, MW_FROM_FOREIGN);
	assert_true(u.record.effect.owner == UINT64_MAX);
	assert_true(u.record.effect.number == INT64_MIN);
	assert_int_equal(u.record.effect.op.len, MW_WIRE_TEXT);
	assert_int_equal(u.record.frame_count, MW_WIRE_FRAMES);
	assert_int_equal(u.record.stack_len, MW_WIRE_STACK);
	mw_wire_free(&u);
	free(frame);
}

static void an_empty_record_has_no_values(void **state)
{
	const struct mw_record r = {.kind = MW_HELLO, .load = {.fd = -1, .tell = -1}};
	uint8_t frame[MW_WIRE_HEAD];
	struct mw_unpacked u;

	(void)state;
	assert_true(mw_wire_pack(&r, frame, sizeof(frame)) > 0);
	assert_int_equal(mw_wire_unpack(frame + 4, length(frame), &u), 0);
	assert_null(u.record.load.entry.s);
	assert_int_equal(u.record.load.fd, -1);
	assert_int_equal(u.record.effect.argc, 0);
	mw_wire_free(&u);
}

static void how_a_load_went_comes_back(void **state)
{
	static struct mw_record r;
	uint8_t frame[MW_WIRE_HEAD];
	struct mw_unpacked u;

	(void)state;
	fill(&r);
	r.kind = MW_LOADED;
	r.load.dev = UINT32_MAX;
	r.load.ino = UINT64_MAX;
	r.done = (struct mw_record_done){INT64_MAX, true, MW_YES, UINT32_MAX};
	assert_true(mw_wire_pack(&r, frame, sizeof(frame)) > 0);
	assert_int_equal(mw_wire_unpack(frame + 4, length(frame), &u), 0);
	assert_true(u.record.load.dev == UINT32_MAX && u.record.load.ino == UINT64_MAX);
	assert_true(u.record.done.duration == INT64_MAX && u.record.done.raised);
	assert_true(u.record.done.weights_only == MW_YES && u.record.done.lost == UINT32_MAX);
	assert_int_equal(u.record.effect.argc, 0); /* it is of no effect, and brings no stack */
	assert_int_equal(u.record.stack_len, 0);
	mw_wire_free(&u);
}

static void no_prefix_is_a_record(void **state)
{
	uint8_t frame[MW_WIRE_HEAD];
	static struct mw_record r;
	struct mw_unpacked u;

	(void)state;
	fill(&r);
	r.stack_len = 0;
	assert_true(mw_wire_pack(&r, frame, sizeof(frame)) > 0);
	for (uint32_t cut = 0; cut < length(frame); cut++) {
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, frame + 4, cut);
		assert_int_equal(mw_wire_unpack(copy, cut, &u), -EBADMSG);
		free(copy);
	}
}

/* The same bytes, where a map that begins with version 1 begins with this one. */
static int unpack(const char *bytes, size_t len, struct mw_unpacked *ret)
{
	const uint8_t version[] = {0xce, MW_WIRE_VERSION >> 24 & 0xff, MW_WIRE_VERSION >> 16 & 0xff,
	                           MW_WIRE_VERSION >> 8 & 0xff, MW_WIRE_VERSION & 0xff};
	uint8_t whole[64];

	if (len < 3 || memcmp(bytes + 1, "\0\1", 2) != 0)
		return mw_wire_unpack((const uint8_t *)bytes, len, ret);
	memcpy(whole, bytes, 2);
	memcpy(whole + 2, version, sizeof(version));
	memcpy(whole + 2 + sizeof(version), bytes + 3, len - 3);
	return mw_wire_unpack(whole, len + sizeof(version) - 1, ret);
}

/* Bytes that promise much, nest deep, say a thing twice, or belong to another version. */
static void hostile_bytes_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int error;
	} cases[] = {
	        {"", 0, -EBADMSG},
	        {"\xc1", 1, -EBADMSG},
	        {"\xdd\xff\xff\xff\xff", 5, -EBADMSG},
	        {"\xdf\xff\xff\xff\xff", 5, -EBADMSG},
	        {"\xc6\xff\xff\xff\xff", 5, -EBADMSG},
	        {"\x91\x91\x91\x91\x91\x91\x91\x91\xc0", 9, -EBADMSG},
	        {"\x81\x00\x01\x00", 4, -EBADMSG},
	        {"\x82\x00\x01\x00\x01", 5, -EBADMSG},
	        {"\x81\x00\x02", 3, -EPROTONOSUPPORT},
	        {"\x80", 1, -EBADMSG},
	        {"\x82\x00\x01\x01\x63", 5, -EBADMSG},
	        {"\x82\x00\x01\x0c\x01", 5, -EBADMSG},
	        {"\x82\x00\x01\x3d\x01", 5, -EBADMSG},
	        {"\x82\x00\x01\x0e\xfe", 5, -EBADMSG},
	        {"\x82\x00\x01\x20\x03", 5, -EBADMSG}, /* weights only: neither yes nor no */
	        {"\x82\x00\x01\x1f\x02", 5, -EBADMSG},
	        {"\x82\x00\x01\x1e\xff", 5, -EBADMSG}, /* a load that took -1 ns */
	};
	struct mw_unpacked u;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(unpack(cases[i].bytes, cases[i].len, &u), cases[i].error);
}

static void a_later_version_may_say_more(void **state)
{
	struct mw_unpacked u;

	(void)state;
	assert_int_equal(unpack("\x82\x00\x01\xcc\xc8\xa1x", 7, &u), 0);
	mw_wire_free(&u);
}

static void what_exceeds_a_limit_is_not_packed(void **state)
{
	static uint8_t frame[MW_WIRE_HEAD];
	static struct mw_record r;

	(void)state;
	fill(&r);
	r.stack_len = MW_WIRE_STACK + 1;
	assert_int_equal(mw_wire_pack(&r, frame, sizeof(frame)), -ENOSPC);
	fill(&r);
	assert_int_equal(mw_wire_pack(&r, frame, sizeof(frame) - 1), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_longest_record_fits_and_comes_back),
	        cmocka_unit_test(an_empty_record_has_no_values),
	        cmocka_unit_test(how_a_load_went_comes_back),
	        cmocka_unit_test(no_prefix_is_a_record),
	        cmocka_unit_test(hostile_bytes_are_refused),
	        cmocka_unit_test(a_later_version_may_say_more),
	        cmocka_unit_test(what_exceeds_a_limit_is_not_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
