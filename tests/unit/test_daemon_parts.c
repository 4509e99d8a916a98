/* Events put together from what the kernel sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/daemon_parts.h"

static struct mw_daemon_parts *parts;
static int events;
static struct mw_k_effect last;
static char stack[64], stream[64];

static void take(void *context, const struct mw_programs_event *event)
{
	assert_ptr_equal(context, &events);
	events++;
	memset(&last, 0, sizeof(last));
	memset(stack, 0, sizeof(stack));
	memset(stream, 0, sizeof(stream));
	memcpy(&last, event->head, event->size);
	if (event->stack)
		memcpy(stack, event->stack, event->stack_len);
	if (event->stream)
		memcpy(stream, event->stream, event->stream_len);
}

static int setup(void **state)
{
	(void)state;
	events = 0;
	return mw_daemon_parts_open(-1, take, &events, &parts);
}

static int teardown(void **state)
{
	(void)state;
	mw_daemon_parts_close(parts);
	return 0;
}

static void send_part(uint32_t cpu, uint64_t id, enum mw_k_kind kind, const char *text)
{
	struct {
		struct mw_k_head head;
		char bytes[64];
	} part = {.head = {.kind = kind, .cpu = cpu, .id = id}};
	size_t len = strlen(text);

	memcpy(part.bytes, text, len);
	mw_daemon_parts_take(parts, &part, sizeof(part.head) + len);
}

static void send_effect(uint32_t cpu, uint64_t id, uint64_t load, uint32_t stream_len)
{
	struct mw_k_effect *e = calloc(1, sizeof(*e));

	e->head = (struct mw_k_head){.kind = MW_K_EFFECT, .cpu = cpu, .id = id};
	e->depth = 1;
	e->load[0].id = load;
	e->stream_len = stream_len;
	e->frame_count = 1;
	e->frame[0].frame = 7;
	e->frame[1].frame = 8; /* not sent */
	mw_daemon_parts_take(parts, e, offsetof(struct mw_k_effect, frame) + sizeof(e->frame[0]));
	free(e);
}

static void parts_of_two_processors_are_told_apart(void **state)
{
	(void)state;
	send_part(0, 1, MW_K_STACK_PART, "one's stack");
	send_part(1, 2, MW_K_STACK_PART, "two's stack");
	send_part(0, 1, MW_K_STREAM_PART, "one's");
	send_part(0, 1, MW_K_STRINGS_PART, "names");
	send_effect(1, 2, 20, 0);
	assert_int_equal(last.head.id, 2);
	assert_string_equal(stack, "two's stack");
	assert_string_equal(stream, "");
	send_effect(0, 1, 10, 5);
	assert_int_equal(events, 2);
	assert_string_equal(stack, "one's stack");
	assert_string_equal(stream, "one's");
	assert_string_equal((char *)last.strings, "names");
	assert_int_equal(last.frame[0].frame, 7);
	assert_int_equal(last.frame[1].frame, 0);
}

static void a_stream_comes_once_for_all_effects_of_its_load(void **state)
{
	(void)state;
	send_part(0, 1, MW_K_STREAM_PART, "stream");
	send_effect(0, 1, 10, 6);
	send_effect(1, 2, 10, 6);
	assert_string_equal(stream, "stream");
	send_effect(1, 3, 11, 6); /* of which it was lost */
	assert_string_equal(stream, "");
	send_effect(1, 4, 10, 0);
	assert_string_equal(stream, "");
}

static void parts_of_an_effect_that_was_lost_are_nobody_s(void **state)
{
	(void)state;
	send_part(0, 1, MW_K_STACK_PART, "lost");
	send_part(0, 1, MW_K_STRINGS_PART, "lost");
	send_effect(0, 2, 10, 0);
	assert_string_equal(stack, "");
	assert_string_equal((char *)last.strings, "");
}

static void sizes_that_cannot_be_are_passed_over(void **state)
{
	static uint8_t zeroes[sizeof(struct mw_k_effect) + 64];
	struct mw_k_head *head = (void *)zeroes;

	(void)state;
	mw_daemon_parts_take(parts, zeroes, sizeof(*head) - 1);
	head->kind = MW_K_EFFECT;
	mw_daemon_parts_take(parts, zeroes, sizeof(zeroes));
	assert_int_equal(events, 0);
	head->kind = MW_K_EXEC;
	mw_daemon_parts_take(parts, zeroes, sizeof(struct mw_k_exec));
	assert_int_equal(events, 1);
}

static void the_oldest_stream_leaves(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 100; i++) {
		send_part(0, i, MW_K_STREAM_PART, "stream");
		send_effect(0, i, i, 6);
		assert_string_equal(stream, "stream");
	}
	send_effect(0, 200, 1, 6);
	assert_string_equal(stream, "");
	send_effect(0, 201, 100, 6);
	assert_string_equal(stream, "stream");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(parts_of_two_processors_are_told_apart),
	        TEST(a_stream_comes_once_for_all_effects_of_its_load),
	        TEST(parts_of_an_effect_that_was_lost_are_nobody_s),
	        TEST(sizes_that_cannot_be_are_passed_over),
	        TEST(the_oldest_stream_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
