#include "forward_answer.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <msgpack.h>

#include "../core/msgpack_span.h"

#define DEPTH 3 /* HELO's options, and some room for what later versions say */

/* Some send texts as binary, some not. */
static bool get_text(const msgpack_object *o, struct mw_forward_text *ret)
{
	if (o->type == MSGPACK_OBJECT_STR)
		*ret = (struct mw_forward_text){o->via.str.ptr, o->via.str.size};
	else if (o->type == MSGPACK_OBJECT_BIN)
		*ret = (struct mw_forward_text){o->via.bin.ptr, o->via.bin.size};
	else
		return false;
	return true;
}

static bool is_text(const msgpack_object *o, const char *text)
{
	struct mw_forward_text t;

	return get_text(o, &t) && t.len == strlen(text) && !memcmp(t.s, text, t.len);
}

static const msgpack_object *member(const msgpack_object *map, const char *name)
{
	for (uint32_t i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++)
		if (is_text(&map->via.map.ptr[i].key, name))
			return &map->via.map.ptr[i].val;
	return NULL;
}

static bool get_helo(const msgpack_object *options, struct mw_forward_answer *ret)
{
	const msgpack_object *nonce = member(options, "nonce"), *auth = member(options, "auth"),
	                     *keepalive = member(options, "keepalive");

	ret->kind = MW_FORWARD_HELO;
	ret->keepalive =
	        !keepalive || keepalive->type != MSGPACK_OBJECT_BOOLEAN || keepalive->via.boolean;
	if (auth && auth->type != MSGPACK_OBJECT_NIL && !get_text(auth, &ret->auth))
		return false;
	return nonce && get_text(nonce, &ret->nonce);
}

static bool get_pong(const msgpack_object *parts, struct mw_forward_answer *ret)
{
	ret->kind = MW_FORWARD_PONG;
	if (parts[1].type != MSGPACK_OBJECT_BOOLEAN || !get_text(&parts[2], &ret->reason))
		return false;
	ret->ok = parts[1].via.boolean;
	/* Of one that refuses, the rest is of no use. */
	return (get_text(&parts[3], &ret->hostname) && get_text(&parts[4], &ret->digest)) ||
	       !ret->ok;
}

static bool get_answer(const msgpack_object *o, struct mw_forward_answer *ret)
{
	const msgpack_object *chunk = member(o, "ack"), *parts = o->via.array.ptr;

	if (chunk) {
		ret->kind = MW_FORWARD_ACK;
		return get_text(chunk, &ret->chunk);
	}
	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size < 2)
		return false;
	if (is_text(&parts[0], "HELO"))
		return get_helo(&parts[1], ret);
	return o->via.array.size >= 5 && is_text(&parts[0], "PONG") && get_pong(parts, ret);
}

ssize_t mw_forward_answer(const char *data, size_t len, struct mw_forward_answer *ret)
{
	ssize_t span = mw_msgpack_span((const uint8_t *)data, len, DEPTH);
	msgpack_object object;
	msgpack_zone *zone;
	size_t offset = 0;
	bool is_one;

	if (span <= 0)
		return span < 0 || len < MW_FORWARD_ANSWER ? span : -EBADMSG;
	if (span > MW_FORWARD_ANSWER)
		return -EBADMSG;
	zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	if (!zone)
		return -ENOMEM;
	*ret = (struct mw_forward_answer){.keepalive = true};
	is_one = msgpack_unpack(data, (size_t)span, &offset, zone, &object) ==
	                 MSGPACK_UNPACK_SUCCESS &&
	         get_answer(&object, ret);
	msgpack_zone_free(zone); /* texts lie in `data` */
	return is_one ? span : -EBADMSG;
}
