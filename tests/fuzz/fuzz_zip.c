/* A hostile archive, searched for a member; and its bytes as the text that a process chose. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/text.h"
#include "../../tools/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fd = -1;

static void find(const uint8_t *data, size_t size)
{
	uint64_t at = 0, len = 0;
	char name[64];

	if (fd < 0)
		fd = memfd_create("archive", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	/* The first byte says how long the stream is; it lies where the seed's first member does.
	 */
	if (size > 40 && *data <= size - 40 &&
	    !mw_zip_find(fd, size, data + 40, *data, name, sizeof(name)) &&
	    (!name[0] || !memchr(name, 0, sizeof(name))))
		abort();
	if (!mw_zip_pickle(fd, size, &at, &len) && (at > size || len > size - at))
		abort();
}

static void show(const uint8_t *data, size_t size)
{
	char clean[256], out[64];
	struct mw_text t;
	uint32_t code;
	size_t len = mw_utf8_clean((const char *)data, size, clean, sizeof(clean));

	if (len >= sizeof(clean) || clean[len])
		abort();
	for (size_t i = 0; i < len;) {
		size_t n = mw_utf8_next(clean + i, len - i, &code);

		if (n == 1 && (uint8_t)clean[i] >= 0x80)
			abort(); /* no UTF-8 after all */
		i += n;
	}
	mw_text_start(&t, out, sizeof(out));
	mw_text_shown(&t, (const char *)data, size, *data);
	mw_text_tail(&t, (const char *)data, size, 20);
	if (t.len >= sizeof(out) || out[t.len])
		abort();
	for (size_t i = 0; i < t.len; i++)
		if ((uint8_t)out[i] < ' ' || out[i] == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512];

	if (!size || size > 1 << 16)
		return 0;
	find(data, size);
	show(data, size);
	mw_utf8_clean((const char *)data, size, text, sizeof(text));
	return 0;
}
