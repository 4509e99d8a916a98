#include "daemon_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#define TURN 256   /* records that are read before others are served */
#define STREAMS 64 /* that are kept for what their loads do later; the oldest leaves */
#define SLOTS 16   /* effects that may be under way at once; a power of two */

struct slot {
	uint64_t id; /* of the effect; 0: none */
	uint8_t *stack, *stream, *strings;
	size_t stack_len, stream_len, strings_len;
};

/* The stream of a load, which was sent with its first effect. */
struct stream {
	uint64_t load; /* 0: none */
	size_t len;
	uint8_t *bytes; /* owned */
};

struct mw_daemon_parts {
	struct ring_buffer *ring;
	void (*event)(void *context, const struct mw_programs_event *event);
	void *context;
	struct slot slot[SLOTS];
	struct stream stream[STREAMS];
	uint32_t next_stream;
	int turn;                 /* records read in this one */
	struct mw_k_effect whole; /* the one that is handed over */
};

static struct slot *slot_of(struct mw_daemon_parts *parts, const struct mw_k_head *head)
{
	return &parts->slot[head->cpu % SLOTS];
}

/* What another effect left there belongs to nobody: the ring was full when it was sent. */
static void start(struct slot *slot, uint64_t id)
{
	if (slot->id == id)
		return;
	slot->id = id;
	slot->stack_len = slot->stream_len = slot->strings_len = 0;
}

/* Room for the largest part is taken once: most CPUs never have one. */
static void keep(uint8_t **room, size_t *ret_len, const struct mw_k_part *part, size_t len,
                 size_t most)
{
	if (!*room)
		*room = malloc(most);
	*ret_len = 0;
	if (!*room || len > most)
		return;
	memcpy(*room, part->bytes, len);
	*ret_len = len;
}

/* The load that the stream of an effect belongs to: the innermost. */
static uint64_t load_of(const struct mw_k_effect *e)
{
	return e->depth && e->depth <= MW_K_LOADS ? e->load[e->depth - 1].id : 0;
}

static void keep_stream(struct mw_daemon_parts *parts, const struct slot *slot, uint64_t load)
{
	struct stream *place = &parts->stream[parts->next_stream % STREAMS];
	uint8_t *bytes = load && slot->stream_len ? malloc(slot->stream_len) : NULL;

	if (!bytes)
		return;
	memcpy(bytes, slot->stream, slot->stream_len);
	free(place->bytes);
	*place = (struct stream){load, slot->stream_len, bytes};
	parts->next_stream++;
}

static const struct stream *find_stream(const struct mw_daemon_parts *parts, uint64_t load)
{
	for (uint32_t i = 0; load && i < STREAMS; i++)
		if (parts->stream[i].load == load)
			return &parts->stream[i];
	return NULL;
}

static void take_parts(struct mw_daemon_parts *parts, struct slot *slot,
                       struct mw_programs_event *event)
{
	const struct stream *stream;

	if (slot->id != parts->whole.head.id || !slot->id)
		slot->stack_len = slot->stream_len = slot->strings_len = 0;
	slot->id = 0;
	if (slot->strings_len)
		memcpy(parts->whole.strings, slot->strings, slot->strings_len);
	event->stack = slot->stack_len ? slot->stack : NULL;
	event->stack_len = slot->stack_len;
	keep_stream(parts, slot, load_of(&parts->whole));
	stream = parts->whole.stream_len ? find_stream(parts, load_of(&parts->whole)) : NULL;
	if (stream) {
		event->stream = stream->bytes;
		event->stream_len = stream->len;
	}
}

/* A whole effect, as both sides know it: what was not sent of it is zero. */
static void hand_over(struct mw_daemon_parts *parts, const struct mw_k_head *head, size_t size)
{
	struct mw_programs_event event = {.head = &parts->whole.head, .size = sizeof(parts->whole)};

	if (size > sizeof(parts->whole))
		return;
	memset(&parts->whole, 0, sizeof(parts->whole));
	memcpy(&parts->whole, head, size);
	take_parts(parts, slot_of(parts, head), &event);
	parts->event(parts->context, &event);
}

/* What is no effect stands for itself. */
static void hand_on(struct mw_daemon_parts *parts, const struct mw_k_head *head, size_t size)
{
	const struct mw_programs_event event = {.head = head, .size = size};

	parts->event(parts->context, &event);
}

void mw_daemon_parts_take(struct mw_daemon_parts *parts, const void *data, size_t size)
{
	const struct mw_k_part *part = data;
	struct slot *slot;
	size_t len;

	if (size < sizeof(part->head))
		return;
	slot = slot_of(parts, &part->head);
	len = size - sizeof(part->head);
	switch (part->head.kind) {
	case MW_K_STACK_PART:
		start(slot, part->head.id);
		keep(&slot->stack, &slot->stack_len, part, len, MW_K_STACK);
		break;
	case MW_K_STREAM_PART:
		start(slot, part->head.id);
		keep(&slot->stream, &slot->stream_len, part, len, MW_K_STREAM);
		break;
	case MW_K_STRINGS_PART:
		start(slot, part->head.id);
		keep(&slot->strings, &slot->strings_len, part, len, MW_K_STRINGS);
		break;
	case MW_K_EFFECT:
	case MW_K_BIRTH:
		hand_over(parts, &part->head, size);
		break;
	default:
		hand_on(parts, &part->head, size);
	}
}

/* Others are waiting to be served, too: what is left is read in the next turn. */
static int take(void *context, void *data, size_t size)
{
	struct mw_daemon_parts *parts = context;

	mw_daemon_parts_take(parts, data, size);
	return ++parts->turn < TURN ? 0 : -EAGAIN;
}

int mw_daemon_parts_open(int map,
                         void (*event)(void *context, const struct mw_programs_event *event),
                         void *context, struct mw_daemon_parts **ret)
{
	struct mw_daemon_parts *parts = calloc(1, sizeof(*parts));

	if (!parts)
		return -ENOMEM;
	parts->event = event;
	parts->context = context;
	if (map >= 0)
		parts->ring = ring_buffer__new(map, take, parts, NULL);
	if (map >= 0 && !parts->ring) {
		free(parts);
		return -errno;
	}
	*ret = parts;
	return 0;
}

void mw_daemon_parts_close(struct mw_daemon_parts *parts)
{
	if (!parts)
		return;
	ring_buffer__free(parts->ring);
	for (size_t i = 0; i < SLOTS; i++) {
		free(parts->slot[i].stack);
		free(parts->slot[i].stream);
		free(parts->slot[i].strings);
	}
	for (size_t i = 0; i < STREAMS; i++)
		free(parts->stream[i].bytes);
	free(parts);
}

int mw_daemon_parts_fd(const struct mw_daemon_parts *parts)
{
	return ring_buffer__epoll_fd(parts->ring);
}

int mw_daemon_parts_poll(struct mw_daemon_parts *parts)
{
	int taken;

	parts->turn = 0;
	taken = ring_buffer__consume(parts->ring);
	return taken == -EAGAIN ? TURN : taken;
}
