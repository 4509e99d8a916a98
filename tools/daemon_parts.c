#include "daemon_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#define SLOTS 16 /* effects that may be under way at once; a power of two */

struct slot {
	uint64_t id; /* of the effect; 0: none */
	uint8_t *stack, *stream;
	size_t stack_len, stream_len;
};

struct mw_daemon_parts {
	struct ring_buffer *ring;
	void (*event)(void *context, const struct mw_programs_event *event);
	void *context;
	struct slot slot[SLOTS];
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
	slot->stack_len = slot->stream_len = 0;
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

static void hand_over(struct mw_daemon_parts *parts, const struct mw_k_head *head, size_t size)
{
	struct slot *slot = slot_of(parts, head);
	struct mw_programs_event event = {.head = head, .size = size};

	if (slot->id == head->id && slot->id) {
		event.stack = slot->stack_len ? slot->stack : NULL;
		event.stack_len = slot->stack_len;
		event.stream = slot->stream_len ? slot->stream : NULL;
		event.stream_len = slot->stream_len;
		slot->id = 0;
	}
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
	default:
		hand_over(parts, &part->head, size);
	}
}

static int take(void *context, void *data, size_t size)
{
	mw_daemon_parts_take(context, data, size);
	return 0;
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
	}
	free(parts);
}

int mw_daemon_parts_fd(const struct mw_daemon_parts *parts)
{
	return ring_buffer__epoll_fd(parts->ring);
}

int mw_daemon_parts_poll(struct mw_daemon_parts *parts)
{
	return ring_buffer__consume(parts->ring);
}
