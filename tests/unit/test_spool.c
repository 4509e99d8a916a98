/* The spool: what is put in comes out for every sink, in order, and stays until it is to go. */
#include "spool_of.h"

#include <errno.h>

#define MANY 64

static struct mw_spool_entry entries[MANY];

static int next(struct spool_of *s, const char *sink)
{
	return mw_spool_next(s->spool, sink, MANY, 1 << 20, entries);
}

static void put_distinct(struct spool_of *s, const char *rule, const char *severity, int from,
                         int to)
{
	char program[32];

	for (int i = from; i < to; i++) {
		snprintf(program, sizeof(program), "/bin/%d", i);
		assert_int_equal(spool_put(s, spool_alert(s, rule, severity, "ab", program)), 0);
	}
}

static void want(struct spool_of *s, const char *a, const char *b)
{
	const char *const names[] = {a, b};

	assert_int_equal(mw_spool_sinks(s->spool, names, b ? 2 : 1), 0);
}

static void comes_out_in_order_for_each_sink(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;
	char first[MW_UID_TEXT];

	want(s, "one", "two");
	put_distinct(s, "exec", "high", 0, 5);
	assert_int_equal(next(s, "one"), 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(entries[i].sequence, i + 1);
		assert_int_equal(entries[i].severity, MW_HIGH);
		assert_string_equal(entries[i].rule, "exec");
		assert_false(entries[i].observed);
		assert_int_equal(entries[i].uid[14], '7');
	}
	strcpy(first, entries[3].uid);
	mw_spool_free(entries, 5);
	assert_int_equal(mw_spool_reached(s->spool, "one", 3), 0);
	spool_reopen(s);
	assert_int_equal(next(s, "one"), 2);
	assert_string_equal(entries[0].uid, first);
	mw_spool_free(entries, 2);
	assert_int_equal(next(s, "two"), 5);
	mw_spool_free(entries, 5);
	assert_int_equal(mw_spool_look(s->spool, &view), 0);
	assert_int_equal(view.sink_count, 2);
	assert_string_equal(view.sinks[0].name, "one");
	assert_int_equal(view.sinks[0].pending, 2);
	assert_int_equal(view.sinks[0].reached, 3);
	assert_int_equal(view.sinks[0].last_success, START);
	assert_int_equal(view.sinks[1].pending, 5);
	assert_int_equal(view.sinks[1].oldest, START);
	assert_int_equal(view.records, 5);
	assert_int_equal(view.added, 5);
}

static void bounds_what_comes_out(void **state)
{
	struct spool_of *s = *state;

	want(s, "one", NULL);
	put_distinct(s, "exec", "high", 0, 10);
	assert_int_equal(mw_spool_next(s->spool, "one", 3, 1 << 20, entries), 3);
	mw_spool_free(entries, 3);
	assert_int_equal(mw_spool_next(s->spool, "one", MANY, 1, entries), 1);
	mw_spool_free(entries, 1);
}

static void begins_with_what_comes_from_now_on(void **state)
{
	struct spool_of *s = *state;

	put_distinct(s, "exec", "high", 0, 3);
	want(s, "late", NULL);
	assert_int_equal(next(s, "late"), 0);
	put_distinct(s, "exec", "high", 3, 4);
	assert_int_equal(next(s, "late"), 1);
	assert_int_equal(entries[0].sequence, 4);
	mw_spool_free(entries, 1);
}

static void takes_each_record_of_a_source_once(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_source source = {"01a20955-c65f-733b-a1ea-34009747f4b2", 1};
	struct mw_spool_view view;
	json_t *records[6];
	char program[32];

	for (int i = 0; i < 6; i++) {
		snprintf(program, sizeof(program), "/bin/%d", i);
		records[i] = spool_alert(s, "exec", "high", "ab", program);
	}
	assert_int_equal(mw_spool_add(s->spool, &source, records, 4), 0);
	spool_reopen(s);
	source.first = 3; /* 3 and 4 again, then 5 and 6 */
	assert_int_equal(mw_spool_add(s->spool, &source, records + 2, 4), 0);
	source.first = 1;
	assert_int_equal(mw_spool_add(s->spool, &source, records, 6), 0);
	strcpy(source.id, "another");
	source.first = 100;
	s->now += 2 * HOUR; /* no group is open any more */
	mw_spool_tick(s->spool);
	assert_int_equal(mw_spool_add(s->spool, &source, records, 1), 0);
	assert_int_equal(mw_spool_look(s->spool, &view), 0);
	assert_int_equal(view.records, 7);
	for (int i = 0; i < 6; i++)
		json_decref(records[i]);
}

static void refuses_what_is_no_record(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;
	json_t *records[] = {json_null(),
	                     json_integer(3),
	                     json_pack("{s:s}", "schema", "other/1"),
	                     json_pack("{s:i}", "schema", 1),
	                     json_pack("{s:s}", "schema", "modelwatch.heartbeat/1"),
	                     json_array()};

	want(s, "one", NULL);
	assert_int_equal(mw_spool_add(s->spool, NULL, records, 6), 0);
	assert_int_equal(mw_spool_look(s->spool, &view), 0);
	assert_int_equal(view.refused, 5);
	assert_int_equal(view.records, 1);
	assert_int_equal(next(s, "one"), 1);
	assert_string_equal(spool_text(&entries[0], "schema", NULL), "modelwatch.heartbeat/1");
	mw_spool_free(entries, 1);
	for (int i = 0; i < 6; i++)
		json_decref(records[i]);
}

/* Nothing in a record keeps the spool from taking it, or the next one. */
static void takes_hostile_records(void **state)
{
	static const char *const texts[] = {
	        "{\"schema\":\"modelwatch.alert/1\"}",
	        "{\"schema\":\"modelwatch.alert/1\",\"id\":5,\"update\":\"x\",\"time\":[],"
	        "\"rule\":{},\"severity\":null,\"effect\":[],\"load\":\"x\",\"count\":-3}",
	        "{\"schema\":\"modelwatch.alert/1\",\"id\":\"'; DROP TABLE entries; --\","
	        "\"update\":9223372036854775807,\"count\":9223372036854775807,"
	        "\"rule\":\"x\",\"severity\":\"apocalyptic\",\"group\":7,\"time\":\"1969-01-01T00:"
	        "00:00Z\"}",
	        "{\"schema\":\"modelwatch.loss/1\",\"count\":-9223372036854775808}",
	};
	struct spool_of *s = *state;
	char rule[200];
	json_t *json;

	want(s, "one", NULL);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(spool_put(s, json_loads(texts[i], 0, NULL)), 0);
	/* Cut after 95 bytes, this ends in the middle of a character. */
	for (int i = 0; i < 66; i++)
		memcpy(rule + 3 * i, "\xe2\x82\xac", 4);
	assert_int_equal(spool_put(s, spool_alert(s, rule, "low", "ab", "/bin/x")), 0);
	json = spool_alert(s, "exec", "low", "ab", "/bin/x");
	json_object_set_new(json, "title", json_string("\x1b[2J\n"));
	assert_int_equal(spool_put(s, json), 0);
	assert_int_equal(next(s, "one"), 6);
	assert_int_equal(strlen(spool_text(&entries[0], "id", NULL)), 36);
	assert_int_equal(entries[2].severity, MW_CRITICAL);
	assert_int_equal(strlen(entries[4].rule), 93);
	mw_spool_free(entries, 6);
	s->now += HOUR;
	assert_true(mw_spool_tick(s->spool) >= 0);
}

static void tells_of_dead_letters(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;

	want(s, "one", NULL);
	put_distinct(s, "exec", "high", 0, 2);
	mw_spool_tick(s->spool);
	assert_int_equal(mw_spool_dead(s->spool, "one", 1, "no"), 0);
	assert_int_equal(mw_spool_dead(s->spool, "one", 2, "no"), 0);
	assert_int_equal(mw_spool_reached(s->spool, "one", 2), 0);
	mw_spool_tick(s->spool);
	assert_int_equal(next(s, "one"), 1);
	assert_string_equal(spool_text(&entries[0], "kind", NULL), "sink-refused");
	assert_int_equal(spool_number(&entries[0], "count"), 2);
	assert_int_equal(json_integer_value(json_object_get(
	                         json_object_get(entries[0].record, "hooks"), "one")),
	                 2);
	/* The receiver refuses that, too: nobody goes in circles. */
	assert_int_equal(mw_spool_dead(s->spool, "one", entries[0].sequence, "no"), 0);
	assert_int_equal(mw_spool_reached(s->spool, "one", entries[0].sequence), 0);
	mw_spool_free(entries, 1);
	s->now += 2 * HOUR;
	mw_spool_tick(s->spool);
	assert_int_equal(next(s, "one"), 0);
	assert_int_equal(mw_spool_look(s->spool, &view), 0);
	assert_int_equal(view.sinks[0].dead, 3);
	/* Dead letters stay although everything has been delivered. */
	s->now += 80 * HOUR;
	mw_spool_tick(s->spool);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.records, 3);
	/* ... and are sent again when that is asked for. */
	assert_int_equal(mw_spool_replay(s->spool, "one", 0), 3);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.sinks[0].dead, 0);
	assert_int_equal(view.sinks[0].pending, 3);
}

static void replays(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;

	want(s, "one", "two");
	put_distinct(s, "exec", "high", 0, 2);
	s->now += HOUR;
	put_distinct(s, "exec", "high", 2, 5);
	assert_int_equal(next(s, "one"), 5);
	mw_spool_free(entries, 5);
	assert_int_equal(mw_spool_reached(s->spool, "one", 5), 0);
	assert_int_equal(next(s, "one"), 0);
	assert_int_equal(mw_spool_replay(s->spool, "nobody", START), -ENOENT);
	assert_int_equal(mw_spool_replay(s->spool, "one", START + 1), 3);
	/* What was on its way meanwhile does not undo it. */
	assert_int_equal(mw_spool_reached(s->spool, "one", 5), 0);
	assert_int_equal(next(s, "one"), 3);
	assert_int_equal(entries[0].sequence, 3);
	mw_spool_free(entries, 3);
	assert_int_equal(mw_spool_reached(s->spool, "one", 5), 0);
	assert_int_equal(next(s, "one"), 0);
	assert_int_equal(next(s, "two"), 5); /* it had sent nothing */
	mw_spool_free(entries, 5);
	assert_int_equal(mw_spool_replay(s->spool, NULL, 0), 5);
	assert_int_equal(mw_spool_replay(s->spool, NULL, s->now + 1), 0);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.sinks[0].pending, 5);
	assert_int_equal(view.sinks[1].pending, 5);
	assert_int_equal(view.sinks[0].reached, 8);
}

static void keeps_after_the_acknowledgement(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;

	want(s, "one", "two");
	put_distinct(s, "exec", "high", 0, 3);
	mw_spool_reached(s->spool, "one", 3);
	s->now += 73 * HOUR;
	mw_spool_tick(s->spool);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.records, 3); /* `two` has none of them */
	mw_spool_reached(s->spool, "two", 2);
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.records, 1);
	/* A sink that is no longer wanted holds nothing back. */
	want(s, "one", NULL);
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.records, 0);
	assert_int_equal(view.evicted, 0);
	assert_int_equal(view.bytes, 0);
	assert_int_equal(view.sink_count, 1);
}

/* Two programs with other sinks share the spool: who sends to a sink wants it. */
static void whoever_sends_wants_the_sink(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;

	want(s, "one", NULL);
	put_distinct(s, "exec", "high", 0, 1);
	want(s, "two", NULL);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.sink_count, 1);
	assert_int_equal(next(s, "one"), 1);
	mw_spool_free(entries, 1);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.sink_count, 2);
	assert_int_equal(view.sinks[0].pending, 1);
}

static void survives_a_clock_that_is_set_back(void **state)
{
	struct spool_of *s = *state;

	want(s, "one", NULL);
	s->now += 365 * 24 * HOUR;
	for (int i = 0; i < 2; i++)
		put_distinct(s, "exec", "high", 0, 1);
	mw_spool_tick(s->spool);
	s->now = START;
	assert_int_equal(mw_spool_tick(s->spool), 10000);
	assert_int_equal(next(s, "one"), 2);
	assert_int_equal(spool_number(&entries[1], "count"), 2);
	mw_spool_free(entries, 2);
	put_distinct(s, "exec", "high", 1, 2);
	assert_int_equal(next(s, "one"), 3);
	mw_spool_free(entries, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(comes_out_in_order_for_each_sink),
	        TEST(bounds_what_comes_out),
	        TEST(begins_with_what_comes_from_now_on),
	        TEST(takes_each_record_of_a_source_once),
	        TEST(refuses_what_is_no_record),
	        TEST(takes_hostile_records),
	        TEST(tells_of_dead_letters),
	        TEST(replays),
	        TEST(keeps_after_the_acknowledgement),
	        TEST(whoever_sends_wants_the_sink),
	        TEST(survives_a_clock_that_is_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
