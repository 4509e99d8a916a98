#include "unpack.h"

#include <errno.h>
#include <string.h>

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#define LZMA_MEMORY (64u << 20)
#define ANY_WRAPPER (15 + 32) /* zlib.h, inflateInit2: a gzip or a zlib header */

static void inflate_all(const uint8_t *data, size_t len, uint8_t *out, size_t room,
                        struct mw_unpacked_bytes *ret)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)data,
	              .avail_in = (uInt)len,
	              .next_out = out,
	              .avail_out = (uInt)room};
	int status = inflateInit2(&z, ANY_WRAPPER);

	while (status == Z_OK && z.avail_out)
		status = inflate(&z, Z_NO_FLUSH);
	ret->len = room - z.avail_out;
	ret->cut = status != Z_STREAM_END;
	inflateEnd(&z);
}

static void unbzip_all(const uint8_t *data, size_t len, uint8_t *out, size_t room,
                       struct mw_unpacked_bytes *ret)
{
	bz_stream b = {.next_in = (char *)(uintptr_t)data,
	               .avail_in = (unsigned)len,
	               .next_out = (char *)out,
	               .avail_out = (unsigned)room};
	int status = BZ2_bzDecompressInit(&b, 0, 0);
	unsigned before = b.avail_out + 1;

	while (status == BZ_OK && b.avail_out && (b.avail_in || b.avail_out != before)) {
		before = b.avail_out;
		status = BZ2_bzDecompress(&b);
	}
	ret->len = room - b.avail_out;
	ret->cut = status != BZ_STREAM_END;
	BZ2_bzDecompressEnd(&b);
}

static void unxz_all(const uint8_t *data, size_t len, uint8_t *out, size_t room,
                     struct mw_unpacked_bytes *ret)
{
	lzma_stream l = LZMA_STREAM_INIT;
	lzma_ret status = lzma_auto_decoder(&l, LZMA_MEMORY, 0);

	l.next_in = data;
	l.avail_in = len;
	l.next_out = out;
	l.avail_out = room;
	while (status == LZMA_OK && l.avail_out)
		status = lzma_code(&l, LZMA_RUN);
	ret->len = room - l.avail_out;
	ret->cut = status != LZMA_STREAM_END;
	lzma_end(&l);
}

typedef void unpacker(const uint8_t *, size_t, uint8_t *, size_t, struct mw_unpacked_bytes *);

/* RFC 1952; RFC 1950 with its usual window; bzip2's header and first block; the .xz and .lzma file
 * formats. */
static const struct {
	const char *magic;
	size_t len;
	unpacker *unpack;
} formats[] = {
        {"\x1f\x8b\x08", 3, inflate_all},
        {"\x78\x01", 2, inflate_all},
        {"\x78\x5e", 2, inflate_all},
        {"\x78\x9c", 2, inflate_all},
        {"\x78\xda", 2, inflate_all},
        {"BZh", 3, unbzip_all},
        {"\xfd"
         "7zXZ",
         6, unxz_all},
        {"\x5d\x00\x00", 3, unxz_all},
};
#define FORMATS (sizeof(formats) / sizeof(*formats))

static size_t format_of(const uint8_t *data, size_t len)
{
	static const char block[] = "1AY&SY"; /* bzip2's, behind the level */
	size_t i = 0;

	while (i < FORMATS &&
	       (len < formats[i].len || memcmp(data, formats[i].magic, formats[i].len)))
		i++;
	if (i < FORMATS && formats[i].unpack == unbzip_all &&
	    (len < 10 || memcmp(data + 4, block, 6)))
		return FORMATS;
	return i;
}

bool mw_is_packed(const uint8_t *data, size_t len)
{
	return format_of(data, len) < FORMATS;
}

int mw_unpack(const uint8_t *data, size_t len, uint8_t *out, size_t room,
              struct mw_unpacked_bytes *ret)
{
	size_t i = format_of(data, len);

	if (i == FORMATS)
		return -ENOTSUP;
	formats[i].unpack(data, len, out, room, ret);
	return 0;
}
