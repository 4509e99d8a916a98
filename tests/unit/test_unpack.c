/* Compressed streams: whole, cut, damaged, and bombs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#include "../../tools/unpack.h"

#define PLAIN (1u << 20)

static uint8_t plain[PLAIN], packed[2 * PLAIN], out[2 * PLAIN];

typedef size_t packer(void);

static size_t by_zlib(void)
{
	uLongf len = sizeof(packed);

	assert_int_equal(compress(packed, &len, plain, PLAIN), Z_OK);
	return len;
}

static size_t by_gzip(void)
{
	z_stream z = {.next_in = plain,
	              .avail_in = PLAIN,
	              .next_out = packed,
	              .avail_out = sizeof(packed)};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return sizeof(packed) - z.avail_out;
}

static size_t by_bzip2(void)
{
	unsigned len = sizeof(packed);

	assert_int_equal(
	        BZ2_bzBuffToBuffCompress((char *)packed, &len, (char *)plain, PLAIN, 9, 0, 0),
	        BZ_OK);
	return len;
}

static size_t by_xz(void)
{
	size_t len = 0;

	assert_int_equal(lzma_easy_buffer_encode(3, LZMA_CHECK_CRC32, NULL, plain, PLAIN, packed,
	                                         &len, sizeof(packed)),
	                 LZMA_OK);
	return len;
}

static packer *const packers[] = {by_zlib, by_gzip, by_bzip2, by_xz};

static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < PLAIN; i++) {
		x = x * 1664525 + 1013904223;
		plain[i] = (uint8_t)(x >> 28);
	}
}

static void whole_streams_come_out_whole(void **state)
{
	struct mw_unpacked_bytes got;

	(void)state;
	fill();
	for (size_t i = 0; i < sizeof(packers) / sizeof(*packers); i++) {
		size_t len = packers[i]();

		assert_true(mw_is_packed(packed, len));
		assert_int_equal(mw_unpack(packed, len, out, sizeof(out), &got), 0);
		assert_int_equal(got.len, PLAIN);
		assert_memory_equal(out, plain, PLAIN);
		assert_false(got.cut);
	}
}

static void a_small_room_cuts(void **state)
{
	struct mw_unpacked_bytes got;

	(void)state;
	fill();
	for (size_t i = 0; i < sizeof(packers) / sizeof(*packers); i++) {
		size_t len = packers[i]();

		assert_int_equal(mw_unpack(packed, len, out, 1000, &got), 0);
		assert_int_equal(got.len, 1000);
		assert_memory_equal(out, plain, 1000);
		assert_true(got.cut);
	}
}

static void half_a_stream_is_cut(void **state)
{
	struct mw_unpacked_bytes got;

	(void)state;
	fill();
	for (size_t i = 0; i < sizeof(packers) / sizeof(*packers); i++) {
		size_t len = packers[i]();

		assert_int_equal(mw_unpack(packed, len / 2, out, sizeof(out), &got), 0);
		assert_true(got.len < PLAIN);
		assert_memory_equal(out, plain, got.len);
		assert_true(got.cut);
	}
}

static void damage_ends_it(void **state)
{
	struct mw_unpacked_bytes got;

	(void)state;
	fill();
	for (size_t i = 0; i < sizeof(packers) / sizeof(*packers); i++) {
		size_t len = packers[i]();

		memset(packed + len / 2, 0xa5, 64);
		assert_int_equal(mw_unpack(packed, len, out, sizeof(out), &got), 0);
		assert_true(got.cut);
	}
}

static void pickles_are_not_taken_for_packed(void **state)
{
	static const char *const streams[] = {"\x80\x04N.", "(dp0\n.",  "cposix\nsystem\n",
	                                      "]\x94.",     "BZh9....", "",
	                                      "\x1f\x8b",   "\x5d\x00"};
	struct mw_unpacked_bytes got;

	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		const uint8_t *data = (const uint8_t *)streams[i];

		assert_false(mw_is_packed(data, strlen(streams[i])));
		assert_int_equal(mw_unpack(data, strlen(streams[i]), out, 10, &got), -ENOTSUP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(whole_streams_come_out_whole),
	        cmocka_unit_test(a_small_room_cuts),
	        cmocka_unit_test(half_a_stream_is_cut),
	        cmocka_unit_test(damage_ends_it),
	        cmocka_unit_test(pickles_are_not_taken_for_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
