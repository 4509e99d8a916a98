#include "channel_parts.h"

#include <errno.h>
#include <string.h>

static int part(char *out, size_t size, const char *s, size_t len)
{
	if (!len || len >= size)
		return -EINVAL;
	memcpy(out, s, len);
	out[len] = '\0';
	return 0;
}

/* "host:port" or "[v6]:port". */
static int parse_host(const char *text, struct mw_address *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) || memchr(text, '[', len)) {
		return -EINVAL; /* which of the colons is the port's? */
	}
	if (!colon || part(ret->host, sizeof(ret->host), text, len))
		return -EINVAL;
	return part(ret->port, sizeof(ret->port), colon + 1, strlen(colon + 1));
}

int mw_address_parse(const char *text, struct mw_address *ret)
{
	static const struct {
		const char *start;
		bool is_stream;
	} kinds[] = {{"unix:", true}, {"unix-dgram:", false}};

	*ret = (struct mw_address){.family = AF_UNSPEC, .is_stream = true};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].start);

		if (strncmp(text, kinds[i].start, len))
			continue;
		ret->family = AF_UNIX;
		ret->is_stream = kinds[i].is_stream;
		if (text[len] != '/')
			return -EINVAL;
		return part(ret->path, sizeof(ret->path), text + len, strlen(text + len));
	}
	return parse_host(text, ret);
}
