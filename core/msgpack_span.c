#include "msgpack_span.h"

#include <errno.h>
#include <stdbool.h>

struct walk {
	const uint8_t *at, *end;
};

/* Each returns 1, 0 when the bytes end before, or -EBADMSG. */
static int skip(struct walk *w, uint64_t n)
{
	if (n > (uint64_t)(w->end - w->at))
		return 0;
	w->at += n;
	return 1;
}

static int number(struct walk *w, int bytes, uint64_t *ret)
{
	const uint8_t *p = w->at;

	if (!skip(w, (uint64_t)bytes))
		return 0;
	for (*ret = 0; bytes; bytes--)
		*ret = *ret << 8 | *p++;
	return 1;
}

/* How a tag byte is laid out: bytes of length, bytes that follow anyway, values inside each count.
 */
struct layout {
	int length, extra, values;
	uint64_t count;
};

static bool layout_of(uint8_t tag, struct layout *ret)
{
	static const int8_t fixed[] = {/* c0 */ 0, -1, 0, 0, [0x0a] = 4, 8, 1, 2, 4, 8,
	                               1,          2,  4, 8, 2,          3, 5, 9, 17};
	static const struct {
		uint8_t length, extra, values;
	} sized[] = {[0x04] = {1, 0, 0}, {2, 0, 0},          {4, 0, 0}, {1, 1, 0}, {2, 1, 0},
	             {4, 1, 0},          [0x19] = {1, 0, 0}, {2, 0, 0}, {4, 0, 0}, {2, 0, 1},
	             {4, 0, 1},          {2, 0, 2},          {4, 0, 2}};
	int i = tag - 0xc0;

	*ret = (struct layout){0, 0, 0, 0};
	if (tag < 0x80 || tag >= 0xe0)
		return true; /* a small integer */
	if (tag < 0xc0) {
		ret->count = tag < 0xa0 ? tag & 0x0f : tag & 0x1f;
		ret->values = tag < 0x90 ? 2 : tag < 0xa0 ? 1 : 0;
		return true;
	}
	if ((i >= 0x04 && i <= 0x09) || i >= 0x19) {
		ret->length = sized[i].length;
		ret->extra = sized[i].extra;
		ret->values = sized[i].values;
		return true;
	}
	if (fixed[i] < 0)
		return false; /* 0xc1 is never used */
	ret->extra = (uint8_t)fixed[i];
	return true;
}

/* What comes before the values inside, if there are any. */
static int head(struct walk *w, struct layout *ret)
{
	uint64_t tag;

	if (!number(w, 1, &tag))
		return 0;
	if (!layout_of((uint8_t)tag, ret))
		return -EBADMSG;
	if (ret->length && !number(w, ret->length, &ret->count))
		return 0;
	return skip(w, (uint64_t)ret->extra);
}

/* One value; recursion is bounded by `depth`, work by the bytes there are. */
static int value(struct walk *w, int depth)
{
	struct layout layout;
	int state = head(w, &layout);

	if (state <= 0)
		return state;
	if (!layout.values)
		return skip(w, layout.count);
	layout.count *= (uint64_t)layout.values;
	if (!depth)
		return -EBADMSG;
	if (layout.count > (uint64_t)(w->end - w->at))
		return 0;
	while (layout.count-- && state > 0)
		state = value(w, depth - 1);
	return state;
}

ssize_t mw_msgpack_span(const uint8_t *data, size_t len, int depth)
{
	struct walk w = {data, data + len};
	int state = value(&w, depth);

	return state > 0 ? w.at - data : state;
}
