/* The one bounded decoder of what watched processes send. First a walk over the bytes that believes
 * nothing, then the typed extraction, every value held against its range. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include "msgpack_span.h"
#include "wire.h"
#include "wire_keys.h"

#define DEPTH 4 /* a map of arrays of arrays */

static int get_uint(const msgpack_object *o, uint64_t most, uint64_t *ret)
{
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > most)
		return -EBADMSG;
	*ret = o->via.u64;
	return 0;
}

static int get_u32(const msgpack_object *o, uint32_t most, uint32_t *ret)
{
	uint64_t value;
	int error = get_uint(o, most, &value);

	if (!error)
		*ret = (uint32_t)value;
	return error;
}

static int get_bool(const msgpack_object *o, bool *ret)
{
	uint64_t value;
	int error = get_uint(o, 1, &value);

	if (!error)
		*ret = value;
	return error;
}

static int get_int(const msgpack_object *o, int64_t *ret)
{
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
		*ret = (int64_t)o->via.u64;
	else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		*ret = o->via.i64;
	else
		return -EBADMSG;
	return 0;
}

static int get_text(const msgpack_object *o, struct mw_str *ret)
{
	if (o->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (o->type != MSGPACK_OBJECT_BIN || o->via.bin.size > MW_WIRE_TEXT)
		return -EBADMSG;
	*ret = (struct mw_str){o->via.bin.ptr, o->via.bin.size};
	return 0;
}

static int get_texts(const msgpack_object *o, struct mw_str *ret, uint32_t most, uint32_t *count)
{
	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > most)
		return -EBADMSG;
	for (uint32_t i = 0; i < o->via.array.size; i++)
		if (get_text(&o->via.array.ptr[i], &ret[i]))
			return -EBADMSG;
	*count = o->via.array.size;
	return 0;
}

static int get_fd(const msgpack_object *o, int32_t *ret)
{
	int64_t value;

	if (get_int(o, &value) || value < -1 || value > INT32_MAX)
		return -EBADMSG;
	*ret = (int32_t)value;
	return 0;
}

static int get_frames(const msgpack_object *o, struct mw_record *record)
{
	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > MW_WIRE_FRAMES)
		return -EBADMSG;
	for (uint32_t i = 0; i < o->via.array.size; i++) {
		const msgpack_object *f = &o->via.array.ptr[i];
		struct mw_pyframe *frame = &record->frames[i];

		if (f->type != MSGPACK_OBJECT_ARRAY || f->via.array.size != 3 ||
		    get_text(&f->via.array.ptr[0], &frame->function) ||
		    get_text(&f->via.array.ptr[1], &frame->file) ||
		    get_u32(&f->via.array.ptr[2], UINT32_MAX, &frame->line))
			return -EBADMSG;
	}
	record->frame_count = o->via.array.size;
	return 0;
}

static int get_regs(const msgpack_object *o, struct mw_regs *regs)
{
	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != MW_REGS_COUNT)
		return -EBADMSG;
	for (int i = 0; i < MW_REGS_COUNT; i++)
		if (get_uint(&o->via.array.ptr[i], UINT64_MAX, &regs->r[i]))
			return -EBADMSG;
	return 0;
}

static int get_stack(const msgpack_object *o, struct mw_record *record)
{
	if (o->type != MSGPACK_OBJECT_BIN || o->via.bin.size > MW_WIRE_STACK)
		return -EBADMSG;
	record->stack = (const uint8_t *)o->via.bin.ptr;
	record->stack_len = o->via.bin.size;
	return 0;
}

#define ENUM(o, count, field) (get_u32(o, (count)-1, &value) ? -EBADMSG : ((field) = value, 0))

static int get_load(enum mw_key k, const msgpack_object *o, struct mw_record_load *load)
{
	uint32_t value;

	switch (k) {
	case MW_KEY_ID:
		return get_uint(o, UINT64_MAX, &load->id);
	case MW_KEY_ORIGIN:
		return ENUM(o, MW_ORIGIN_COUNT, load->origin);
	case MW_KEY_ENTRY:
		return get_text(o, &load->entry);
	case MW_KEY_PATH:
		return get_text(o, &load->path);
	case MW_KEY_FD:
		return get_fd(o, &load->fd);
	case MW_KEY_DATA:
		return get_uint(o, UINT64_MAX, &load->data);
	case MW_KEY_DATA_LEN:
		return get_uint(o, UINT64_MAX, &load->data_len);
	case MW_KEY_START:
		return get_uint(o, UINT64_MAX, &load->start);
	case MW_KEY_TELL:
		return get_int(o, &load->tell);
	case MW_KEY_TELL_EXACT:
		return get_bool(o, &load->tell_exact);
	case MW_KEY_IMPORTING:
		return get_bool(o, &load->importing);
	case MW_KEY_AFTER:
		return get_bool(o, &load->after);
	case MW_KEY_DEPTH:
		return get_u32(o, UINT32_MAX, &load->depth);
	case MW_KEY_GLOBALS:
		return get_uint(o, UINT64_MAX, &load->globals);
	case MW_KEY_SCOPE:
		return get_uint(o, UINT64_MAX, &load->scope);
	case MW_KEY_SP:
		return get_uint(o, UINT64_MAX, &load->sp);
	case MW_KEY_CALLED:
		return get_bool(o, &load->called);
	case MW_KEY_DEV:
		return get_u32(o, UINT32_MAX, &load->dev);
	case MW_KEY_INO:
		return get_uint(o, UINT64_MAX, &load->ino);
	case MW_KEY_SEEN:
		return get_texts(o, load->seen, MW_WIRE_GLOBALS, &load->seen_count);
	default:
		return 0;
	}
}

static int get_done(enum mw_key k, const msgpack_object *o, struct mw_record_done *done)
{
	uint32_t value;

	switch (k) {
	case MW_KEY_DURATION:
		return get_uint(o, INT64_MAX, &done->duration);
	case MW_KEY_RAISED:
		return get_bool(o, &done->raised);
	case MW_KEY_WEIGHTS_ONLY:
		return ENUM(o, MW_ANSWER_COUNT, done->weights_only);
	case MW_KEY_LOST:
		return get_uint(o, UINT32_MAX, &done->lost);
	default:
		return 0;
	}
}

static int get_effect(enum mw_key k, const msgpack_object *o, struct mw_record_effect *effect)
{
	uint32_t value;

	switch (k) {
	case MW_KEY_CLASS:
		return ENUM(o, MW_CLASS_COUNT, effect->class);
	case MW_KEY_CAUSE:
		return ENUM(o, MW_CAUSE_COUNT, effect->cause);
	case MW_KEY_SENSOR:
		return ENUM(o, MW_SENSOR_COUNT, effect->sensor);
	case MW_KEY_FACTS:
		return get_u32(o, UINT32_MAX, &effect->facts);
	case MW_KEY_NUMBER:
		return get_int(o, &effect->number);
	case MW_KEY_OP:
		return get_text(o, &effect->op);
	case MW_KEY_TARGET:
		return get_text(o, &effect->target);
	case MW_KEY_TARGET2:
		return get_text(o, &effect->target2);
	case MW_KEY_FILE:
		return get_text(o, &effect->file);
	case MW_KEY_FILE2:
		return get_text(o, &effect->file2);
	case MW_KEY_OWNER:
		return get_uint(o, UINT64_MAX, &effect->owner);
	case MW_KEY_ARGV:
		return get_texts(o, effect->argv, MW_WIRE_ARGS, &effect->argc);
	case MW_KEY_ARGV_CUT:
		return get_bool(o, &effect->argv_cut);
	default:
		return 0;
	}
}

static int get_rest(enum mw_key k, const msgpack_object *o, struct mw_record *record)
{
	uint32_t value;

	switch (k) {
	case MW_KEY_VERSION:
		return get_u32(o, UINT32_MAX, &value) ? -EBADMSG
		       : value == MW_WIRE_VERSION     ? 0
		                                      : -EPROTONOSUPPORT;
	case MW_KEY_KIND:
		return ENUM(o, MW_KIND_COUNT, record->kind);
	case MW_KEY_TID:
		return get_u32(o, INT32_MAX, &record->tid);
	case MW_KEY_ALERT:
		return get_text(o, &record->alert);
	case MW_KEY_FRAMES:
		return get_frames(o, record);
	case MW_KEY_INSIDE:
		return get_u32(o, MW_WIRE_FRAMES, &record->inside);
	case MW_KEY_REGS:
		return get_regs(o, &record->regs);
	case MW_KEY_STACK:
		return get_stack(o, record);
	default:
		return 0;
	}
}

/* A key of a later version is passed over; one that comes twice makes the record ambiguous. */
static int get_pair(const msgpack_object_kv *pair, uint64_t *met, struct mw_record *record)
{
	uint64_t k;
	int error;

	if (get_uint(&pair->key, UINT32_MAX, &k))
		return -EBADMSG;
	if (k >= MW_KEY_MAX)
		return 0;
	if (*met >> k & 1)
		return -EBADMSG;
	*met |= (uint64_t)1 << k;
	error = get_load((enum mw_key)k, &pair->val, &record->load);
	if (!error)
		error = get_effect((enum mw_key)k, &pair->val, &record->effect);
	if (!error)
		error = get_done((enum mw_key)k, &pair->val, &record->done);
	return error ? error : get_rest((enum mw_key)k, &pair->val, record);
}

static int get_record(const msgpack_object *o, struct mw_record *record)
{
	uint64_t met = 0;

	if (o->type != MSGPACK_OBJECT_MAP)
		return -EBADMSG;
	record->load.fd = -1;
	record->load.tell = -1;
	for (uint32_t i = 0; i < o->via.map.size; i++) {
		int error = get_pair(&o->via.map.ptr[i], &met, record);

		if (error)
			return error;
	}
	if (!(met >> MW_KEY_VERSION & 1) || record->inside > record->frame_count)
		return -EBADMSG;
	return 0;
}

int mw_wire_unpack(const uint8_t *data, size_t len, struct mw_unpacked *ret)
{
	msgpack_object object;
	msgpack_zone *zone;
	size_t offset = 0;
	int error = -EBADMSG;

	if (!len || len > MW_WIRE_MAX || mw_msgpack_span(data, len, DEPTH) != (ssize_t)len)
		return -EBADMSG;
	zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	if (!zone)
		return -ENOMEM;
	memset(ret, 0, sizeof(*ret));
	if (msgpack_unpack((const char *)data, len, &offset, zone, &object) ==
	    MSGPACK_UNPACK_SUCCESS)
		error = get_record(&object, &ret->record);
	if (error) {
		msgpack_zone_free(zone);
		return error;
	}
	ret->zone = zone;
	return 0;
}

void mw_wire_free(struct mw_unpacked *unpacked)
{
	msgpack_zone_free(unpacked->zone);
	unpacked->zone = NULL;
}
