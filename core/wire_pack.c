/* Packing a record: header-only msgpack-c into a caller's buffer, safe in a vfork child. */
#include <errno.h>
#include <string.h>

#include <msgpack/pack.h>
#include <msgpack/sysdep.h>

#include "wire.h"
#include "wire_keys.h"

#define FRAME_FILE 160
#define FRAME_FUNCTION 64
#define GLOBAL 128
#define ARGV_BUDGET 5120 /* with these, the longest record fits in MW_WIRE_HEAD */

struct out {
	uint8_t *buf;
	size_t len, cap;
	uint32_t keys;
	bool full;
	msgpack_packer packer;
};

static int append(void *data, const char *bytes, size_t len)
{
	struct out *out = data;

	if (len > out->cap - out->len) {
		out->full = true;
		return -1;
	}
	memcpy(out->buf + out->len, bytes, len);
	out->len += len;
	return 0;
}

static void key(struct out *out, enum mw_key k)
{
	out->keys++;
	msgpack_pack_uint8(&out->packer, (uint8_t)k);
}

static void put_uint(struct out *out, enum mw_key k, uint64_t value)
{
	if (!value)
		return; /* what is absent is zero */
	key(out, k);
	msgpack_pack_uint64(&out->packer, value);
}

static void put_int(struct out *out, enum mw_key k, int64_t value)
{
	key(out, k);
	msgpack_pack_int64(&out->packer, value);
}

static void text(struct out *out, struct mw_str s, uint32_t most)
{
	uint32_t len = s.len < most ? s.len : most;

	if (!s.s) {
		msgpack_pack_nil(&out->packer);
		return;
	}
	msgpack_pack_bin(&out->packer, len);
	msgpack_pack_bin_body(&out->packer, s.s, len);
}

static void put_text(struct out *out, enum mw_key k, struct mw_str s)
{
	if (!s.s)
		return;
	key(out, k);
	text(out, s, MW_WIRE_TEXT);
}

static void put_load(struct out *out, const struct mw_record_load *load)
{
	put_uint(out, MW_KEY_ID, load->id);
	put_uint(out, MW_KEY_ORIGIN, load->origin);
	put_text(out, MW_KEY_ENTRY, load->entry);
	put_text(out, MW_KEY_PATH, load->path);
	put_int(out, MW_KEY_FD, load->fd);
	put_uint(out, MW_KEY_DATA, load->data);
	put_uint(out, MW_KEY_DATA_LEN, load->data_len);
	put_uint(out, MW_KEY_START, load->start);
	put_int(out, MW_KEY_TELL, load->tell);
	put_uint(out, MW_KEY_TELL_EXACT, load->tell_exact);
	put_uint(out, MW_KEY_IMPORTING, load->importing);
	put_uint(out, MW_KEY_AFTER, load->after);
	put_uint(out, MW_KEY_DEPTH, load->depth);
	put_uint(out, MW_KEY_SCOPE, load->scope);
	put_uint(out, MW_KEY_SP, load->sp);
	put_uint(out, MW_KEY_CALLED, load->called);
	put_uint(out, MW_KEY_GLOBALS, load->globals);
	if (!load->seen_count)
		return;
	key(out, MW_KEY_SEEN);
	msgpack_pack_array(&out->packer, load->seen_count);
	for (uint32_t i = 0; i < load->seen_count; i++)
		text(out, load->seen[i], GLOBAL);
}

static void put_done(struct out *out, const struct mw_record *record)
{
	put_uint(out, MW_KEY_DEV, record->load.dev);
	put_uint(out, MW_KEY_INO, record->load.ino);
	put_uint(out, MW_KEY_DURATION, record->done.duration);
	put_uint(out, MW_KEY_RAISED, record->done.raised);
	put_uint(out, MW_KEY_WEIGHTS_ONLY, record->done.weights_only);
	put_uint(out, MW_KEY_LOST, record->done.lost);
}

static void put_argv(struct out *out, const struct mw_record_effect *effect)
{
	uint32_t budget = ARGV_BUDGET;

	if (!effect->argc)
		return;
	key(out, MW_KEY_ARGV);
	msgpack_pack_array(&out->packer, effect->argc);
	for (uint32_t i = 0; i < effect->argc; i++) {
		uint32_t most = budget < MW_WIRE_TEXT ? budget : MW_WIRE_TEXT;

		text(out, effect->argv[i], most);
		budget -= effect->argv[i].len < most ? effect->argv[i].len : most;
	}
	put_uint(out, MW_KEY_ARGV_CUT, effect->argv_cut);
}

static void put_effect(struct out *out, const struct mw_record_effect *effect)
{
	put_uint(out, MW_KEY_CLASS, effect->class);
	put_uint(out, MW_KEY_CAUSE, effect->cause);
	put_uint(out, MW_KEY_SENSOR, effect->sensor);
	put_uint(out, MW_KEY_FACTS, effect->facts);
	put_int(out, MW_KEY_NUMBER, effect->number);
	put_text(out, MW_KEY_OP, effect->op);
	put_text(out, MW_KEY_TARGET, effect->target);
	put_text(out, MW_KEY_TARGET2, effect->target2);
	put_text(out, MW_KEY_FILE, effect->file);
	put_text(out, MW_KEY_FILE2, effect->file2);
	put_uint(out, MW_KEY_OWNER, effect->owner);
	put_argv(out, effect);
}

static void put_frames(struct out *out, const struct mw_record *record)
{
	if (!record->frame_count)
		return;
	key(out, MW_KEY_FRAMES);
	msgpack_pack_array(&out->packer, record->frame_count);
	for (uint32_t i = 0; i < record->frame_count; i++) {
		msgpack_pack_array(&out->packer, 3);
		text(out, record->frames[i].function, FRAME_FUNCTION);
		text(out, record->frames[i].file, FRAME_FILE);
		msgpack_pack_uint32(&out->packer, record->frames[i].line);
	}
	put_uint(out, MW_KEY_INSIDE, record->inside);
}

static void put_stack(struct out *out, const struct mw_record *record)
{
	if (!record->stack_len)
		return;
	key(out, MW_KEY_REGS);
	msgpack_pack_array(&out->packer, MW_REGS_COUNT);
	for (int i = 0; i < MW_REGS_COUNT; i++)
		msgpack_pack_uint64(&out->packer, record->regs.r[i]);
	key(out, MW_KEY_STACK);
	msgpack_pack_bin(&out->packer, record->stack_len);
}

static void big_endian(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static bool is_legal(const struct mw_record *record)
{
	return record->frame_count <= MW_WIRE_FRAMES && record->effect.argc <= MW_WIRE_ARGS &&
	       record->load.seen_count <= MW_WIRE_GLOBALS && record->stack_len <= MW_WIRE_STACK;
}

static bool has_effect(const struct mw_record *record)
{
	return record->kind == MW_EFFECT || record->kind == MW_PREVIEW || record->kind == MW_PERMIT;
}

/* The map's size is only known at the end: it is packed in its widest form and filled in then. */
int mw_wire_pack(const struct mw_record *record, uint8_t *buf, size_t cap)
{
	enum { PREFIX = 4, MAP32 = 0xdf, MAP_HEADER = 5 };
	struct out out = {.buf = buf, .len = PREFIX + MAP_HEADER, .cap = cap};
	int saved = errno;

	if (cap < MW_WIRE_HEAD || !is_legal(record))
		return -ENOSPC;
	msgpack_packer_init(&out.packer, &out, append);
	put_uint(&out, MW_KEY_VERSION, MW_WIRE_VERSION);
	put_uint(&out, MW_KEY_KIND, record->kind);
	put_uint(&out, MW_KEY_TID, record->tid);
	put_load(&out, &record->load);
	if (record->kind == MW_JOIN) {
		put_text(&out, MW_KEY_ALERT, record->alert);
		put_uint(&out, MW_KEY_SENSOR, record->effect.sensor);
	}
	if (record->kind == MW_LOADED)
		put_done(&out, record);
	put_frames(&out, record);
	if (has_effect(record)) {
		put_effect(&out, &record->effect);
		put_stack(&out, record);
	}
	buf[PREFIX] = MAP32;
	big_endian(buf + PREFIX + 1, out.keys);
	big_endian(buf,
	           (uint32_t)(out.len - PREFIX) + (has_effect(record) ? record->stack_len : 0));
	errno = saved;
	return out.full ? -ENOSPC : (int)out.len;
}
