/* Alike alerts become one finding with a count, and no more findings than the configured rate. */
#include "spool_of.h"

#include <errno.h>

#define MANY 64

static struct mw_spool_entry entries[MANY];

static int put(struct spool_of *s, const char *rule, const char *severity, const char *program)
{
	return spool_put(s, spool_alert(s, rule, severity, "ab", program));
}

/* All that was sent since, which is acknowledged. */
static int take(struct spool_of *s)
{
	int n = mw_spool_next(s->spool, "one", MANY, 64 << 20, entries);

	if (n > 0)
		assert_int_equal(mw_spool_reached(s->spool, "one", entries[n - 1].sequence), 0);
	return n;
}

static int setup(void **state)
{
	static const char *const names[] = {"one"};
	struct spool_of *s;

	if (spool_setup(state))
		return -1;
	s = *state;
	return mw_spool_sinks(s->spool, names, 1);
}

static const char *key_of(const struct mw_spool_entry *entry)
{
	return spool_text(entry, "group", "key");
}

static void sends_the_first_at_once_and_then_counts(void **state)
{
	struct spool_of *s = *state;
	char id[MW_UUID_TEXT], uid[MW_UID_TEXT], last[MW_WHEN_TEXT];
	int64_t at = s->now;

	put(s, "exec", "high", "/bin/sh");
	assert_int_equal(take(s), 1);
	assert_int_equal(spool_number(&entries[0], "update"), 0);
	assert_int_equal(spool_number(&entries[0], "count"), 1);
	strcpy(id, spool_text(&entries[0], "id", NULL));
	strcpy(uid, entries[0].uid);
	mw_spool_free(entries, 1);
	for (int i = 0; i < 9; i++) {
		s->now += SECOND;
		put(s, "exec", "high", "/bin/sh");
	}
	mw_when_text(s->now, last);
	assert_true(mw_spool_tick(s->spool) <= 51001);
	assert_int_equal(take(s), 0);
	s->now = at + MINUTE;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 1);
	assert_string_equal(spool_text(&entries[0], "id", NULL), id);
	assert_string_not_equal(entries[0].uid, uid);
	assert_int_equal(spool_number(&entries[0], "update"), 1);
	assert_int_equal(spool_number(&entries[0], "count"), 10);
	assert_string_equal(spool_text(&entries[0], "group", "last"), last);
	assert_string_equal(spool_text(&entries[0], "group", "first"),
	                    spool_text(&entries[0], "time", NULL));
	mw_spool_free(entries, 1);
}

/* After 1, 3, 7, 15, 31 minutes, then every 60, where the hour is the most. */
static void doubles_the_window(void **state)
{
	static const int minutes[] = {1, 3, 7, 15, 31, 63, 123, 183};
	struct spool_of *s = *state;
	int64_t at = s->now, updates = 0, count = 1;

	put(s, "exec", "high", "/bin/sh");
	take(s);
	mw_spool_free(entries, 1);
	for (int minute = 0; minute < 190; minute++) {
		s->now = at + minute * MINUTE + MINUTE / 2;
		put(s, "exec", "high", "/bin/sh");
		s->now = at + (minute + 1) * MINUTE;
		count++;
		mw_spool_tick(s->spool);
		if (take(s)) {
			assert_int_equal(minute + 1, minutes[updates++]);
			assert_int_equal(spool_number(&entries[0], "count"), count);
			mw_spool_free(entries, 1);
		}
	}
	assert_int_equal(updates, 8);
}

static void begins_anew_after_a_quiet_window(void **state)
{
	struct spool_of *s = *state;
	char id[MW_UUID_TEXT], key[80];
	struct mw_spool_view view;

	put(s, "exec", "high", "/bin/sh");
	take(s);
	strcpy(id, spool_text(&entries[0], "id", NULL));
	strcpy(key, key_of(&entries[0]));
	mw_spool_free(entries, 1);
	s->now += MINUTE + 1; /* nobody has looked at the clock meanwhile */
	put(s, "exec", "high", "/bin/sh");
	assert_int_equal(take(s), 1);
	assert_string_not_equal(spool_text(&entries[0], "id", NULL), id);
	assert_string_equal(key_of(&entries[0]), key);
	mw_spool_free(entries, 1);
	s->now += 2 * MINUTE;
	mw_spool_tick(s->spool);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.groups, 0);
}

static void set(json_t *record, const char *a, const char *b, const char *c, json_t *value)
{
	json_t *at = record;

	if (b)
		at = json_object_get(at, a);
	if (c)
		at = json_object_get(at, b);
	json_object_set_new(at, c ? c : b ? b : a, value);
}

/* What must not hide behind a finding that is there, and what is the same on every host. */
static void tells_apart_what_is_not_alike(void **state)
{
	struct spool_of *s = *state;
	struct {
		const char *a, *b, *c;
		json_t *value;
		bool apart, same_key;
	} changes[] = {
	        {"process", "pid", NULL, json_integer(7), false, true},
	        {"process", "argv", NULL, json_string("x"), false, true},
	        {"host", NULL, NULL, json_pack("{s:s}", "name", "b"), false, true},
	        {"load", "id", NULL, json_string("x"), false, true},
	        {"load", "artifact", "sha256", json_string("x"), false, true},
	        {"load", "artifact", "path", json_string("/models/b.pt"), true, true},
	        {"user", "uid", NULL, json_integer(1001), true, true},
	        {"container", NULL, NULL, json_pack("{s:s}", "id", "c"), true, true},
	        {"outcome", NULL, NULL, json_string("observed"), true, true},
	        {"evasion", NULL, NULL, json_true(), true, true},
	        {"requested", NULL, NULL, json_string("observe"), true, true},
	        {"reporter", NULL, NULL, json_string("user"), true, true},
	        {"rule", NULL, NULL, json_string("other"), true, false},
	        {"load", "artifact", "stream_sha256", json_string("cd"), true, false},
	        {"load", "call", NULL, json_string("os.execv"), true, false},
	        {"effect", "class", NULL, json_string("connect"), true, false},
	        {"effect", "detail", "path", json_string("/bin/true"), true, false},
	        {"effect", "detail", "argv", json_pack("[s]", "y"), true, false},
	        {"effect", "detail", "op", json_string("execve"), true, false},
	};
	char key[80];

	put(s, "exec", "high", "/bin/sh");
	take(s);
	strcpy(key, key_of(&entries[0]));
	mw_spool_free(entries, 1);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		json_t *record = spool_alert(s, "exec", "high", "ab", "/bin/sh");
		int n;

		set(record, changes[i].a, changes[i].b, changes[i].c, changes[i].value);
		assert_int_equal(spool_put(s, record), 0);
		n = take(s);
		if (n != changes[i].apart)
			fail_msg("%s %s: %d", changes[i].a, changes[i].b ? changes[i].b : "", n);
		if (n && !strcmp(key_of(&entries[0]), key) != changes[i].same_key)
			fail_msg("%s: key", changes[i].a);
		if (n > 0)
			mw_spool_free(entries, (size_t)n);
	}
}

static void breaks_the_group_when_it_becomes_worse(void **state)
{
	struct spool_of *s = *state;
	char low[MW_UUID_TEXT];

	put(s, "exec", "low", "/bin/sh");
	put(s, "exec", "low", "/bin/sh");
	put(s, "exec", "critical", "/bin/sh");
	put(s, "exec", "low", "/bin/sh"); /* no worse than what is known */
	assert_int_equal(take(s), 3);
	strcpy(low, spool_text(&entries[0], "id", NULL));
	assert_string_equal(spool_text(&entries[1], "id", NULL), low);
	assert_int_equal(spool_number(&entries[1], "count"), 2);
	assert_int_equal(entries[2].severity, MW_CRITICAL);
	assert_string_not_equal(spool_text(&entries[2], "id", NULL), low);
	mw_spool_free(entries, 3);
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 1);
	assert_int_equal(entries[0].severity, MW_CRITICAL);
	assert_int_equal(spool_number(&entries[0], "count"), 2);
	mw_spool_free(entries, 1);
}

/* The digest of a large file comes later: for the finding that was sent it is news. */
static void passes_on_updates_of_the_finding(void **state)
{
	struct spool_of *s = *state;
	json_t *first = spool_alert(s, "exec", "high", "ab", "/bin/sh"), *update;
	json_t *second = spool_alert(s, "exec", "high", "ab", "/bin/sh");

	spool_put(s, json_incref(first));
	spool_put(s, json_incref(second));
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 2);
	mw_spool_free(entries, 2);
	spool_put(s, json_incref(second));
	update = json_deep_copy(first);
	set(update, "update", NULL, NULL, json_integer(1));
	set(update, "load", "artifact", "sha256", json_string("digest"));
	spool_put(s, update);
	assert_int_equal(take(s), 1);
	assert_int_equal(spool_number(&entries[0], "update"), 2); /* 1 was the count */
	assert_int_equal(spool_number(&entries[0], "count"), 3);
	assert_string_equal(
	        json_string_value(json_object_get(
	                json_object_get(json_object_get(entries[0].record, "load"), "artifact"),
	                "sha256")),
	        "digest");
	mw_spool_free(entries, 1);
	/* That of one that was only counted is not, and counts no more. */
	update = json_deep_copy(second);
	set(update, "update", NULL, NULL, json_integer(1));
	spool_put(s, update);
	s->now += 2 * MINUTE;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 0);
	/* Long after the group it keeps its count. */
	s->now += 2 * HOUR;
	mw_spool_tick(s->spool);
	set(first, "update", NULL, NULL, json_integer(2));
	spool_put(s, first);
	assert_int_equal(take(s), 1);
	assert_int_equal(spool_number(&entries[0], "update"), 3);
	assert_int_equal(spool_number(&entries[0], "count"), 3);
	mw_spool_free(entries, 1);
	json_decref(second);
}

/* An update says that it was not prevented after all: alike ones that are prevented are none of it,
 * and those that are not are no new finding. */
static void a_finding_can_become_worse(void **state)
{
	struct spool_of *s = *state;
	json_t *first = spool_alert(s, "exec", "high", "ab", "/bin/sh"), *like;
	char id[MW_UUID_TEXT];

	spool_put(s, json_incref(first));
	put(s, "exec", "high", "/bin/sh");
	set(first, "update", NULL, NULL, json_integer(1));
	set(first, "outcome", NULL, NULL, json_string("killed_after_effect"));
	set(first, "severity", NULL, NULL, json_string("critical"));
	spool_put(s, json_incref(first));
	assert_int_equal(take(s), 2);
	assert_int_equal(entries[0].severity, MW_HIGH);
	assert_int_equal(entries[1].severity, MW_CRITICAL);
	assert_int_equal(spool_number(&entries[1], "count"), 2);
	strcpy(id, spool_text(&entries[1], "id", NULL));
	assert_string_equal(spool_text(&entries[0], "id", NULL), id);
	mw_spool_free(entries, 2);
	put(s, "exec", "high", "/bin/sh");
	assert_int_equal(take(s), 1);
	assert_string_equal(spool_text(&entries[0], "outcome", NULL), "prevented");
	assert_string_not_equal(spool_text(&entries[0], "id", NULL), id);
	mw_spool_free(entries, 1);
	like = spool_alert(s, "exec", "critical", "ab", "/bin/sh");
	set(like, "outcome", NULL, NULL, json_string("killed_after_effect"));
	spool_put(s, like);
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 1);
	assert_string_equal(spool_text(&entries[0], "id", NULL), id);
	assert_string_equal(spool_text(&entries[0], "outcome", NULL), "killed_after_effect");
	assert_int_equal(spool_number(&entries[0], "count"), 3);
	mw_spool_free(entries, 1);
	json_decref(first);
}

/* The same when another finding is what it has become: each keeps its own count. */
static void a_finding_can_become_like_another(void **state)
{
	struct spool_of *s = *state;
	json_t *first = spool_alert(s, "exec", "high", "ab", "/bin/sh"), *other, *again;

	other = spool_alert(s, "exec", "critical", "ab", "/bin/sh");
	set(other, "outcome", NULL, NULL, json_string("observed"));
	again = spool_alert(s, "exec", "critical", "ab", "/bin/sh");
	set(again, "outcome", NULL, NULL, json_string("observed"));
	spool_put(s, json_incref(first));
	spool_put(s, json_incref(other));
	spool_put(s, again);
	put(s, "exec", "high", "/bin/sh");
	assert_int_equal(take(s), 2);
	mw_spool_free(entries, 2);
	set(first, "update", NULL, NULL, json_integer(1));
	set(first, "outcome", NULL, NULL, json_string("observed"));
	set(first, "severity", NULL, NULL, json_string("critical"));
	spool_put(s, json_incref(first));
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 2);
	assert_string_equal(spool_text(&entries[0], "id", NULL),
	                    json_string_value(json_object_get(first, "id")));
	assert_int_equal(spool_number(&entries[0], "count"), 2);
	assert_string_equal(spool_text(&entries[1], "id", NULL),
	                    json_string_value(json_object_get(other, "id")));
	assert_int_equal(spool_number(&entries[1], "count"), 2);
	mw_spool_free(entries, 2);
	json_decref(first);
	json_decref(other);
}

static void limits_new_findings(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_view view;
	char program[32];
	int n;

	s->options.per_artifact_minute = 20;
	spool_reopen(s);
	for (int i = 0; i < 100; i++) {
		snprintf(program, sizeof(program), "/bin/%d", i);
		put(s, i % 2 ? "exec" : "other", "high", program);
	}
	mw_spool_tick(s->spool);
	n = take(s);
	assert_int_equal(n, 21);
	assert_string_equal(spool_text(&entries[20], "kind", NULL), "spool-rate");
	assert_int_equal(spool_number(&entries[20], "count"), 80);
	assert_int_equal(spool_number(&entries[20], "lost"), 80);
	assert_string_equal(spool_text(&entries[20], "severity", NULL), "high");
	assert_int_equal(json_integer_value(json_object_get(
	                         json_object_get(entries[20].record, "hooks"), "exec")),
	                 40);
	mw_spool_free(entries, (size_t)n);
	mw_spool_look(s->spool, &view);
	assert_int_equal(view.limited, 80);
	/* Noise does not use up what something worse needs. */
	put(s, "exec", "critical", "/bin/999");
	assert_int_equal(take(s), 1);
	mw_spool_free(entries, 1);
	/* A third of a minute is a third of the tokens. */
	s->now += 20 * SECOND;
	for (int i = 100; i < 200; i++) {
		snprintf(program, sizeof(program), "/bin/%d", i);
		put(s, "exec", "high", program);
	}
	n = take(s);
	assert_int_equal(n, 6);
	mw_spool_free(entries, (size_t)n);
	/* What was limited is told once in a window. */
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 0);
	s->now += 40 * SECOND;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 1);
	assert_int_equal(spool_number(&entries[0], "count"), 94);
	mw_spool_free(entries, 1);
}

static void limits_a_rule_over_all_artifacts(void **state)
{
	struct spool_of *s = *state;
	char stream[32];
	int n;

	s->options.per_rule_minute = 10;
	spool_reopen(s);
	for (int i = 0; i < 30; i++) {
		snprintf(stream, sizeof(stream), "%d", i);
		spool_put(s, spool_alert(s, "exec", "high", stream, "/bin/sh"));
		spool_put(s, spool_alert(s, "other", "high", stream, "/bin/sh"));
	}
	n = take(s);
	assert_int_equal(n, 20);
	mw_spool_free(entries, (size_t)n);
}

/* One that is worse than its group, and more than the rate allows: the count so far is told once.
 */
static void tells_a_count_once_when_what_breaks_it_is_limited(void **state)
{
	struct spool_of *s = *state;

	s->options.per_rule_minute = 1;
	spool_reopen(s);
	put(s, "exec", "critical", "/bin/other");
	put(s, "exec", "low", "/bin/sh");
	put(s, "exec", "low", "/bin/sh");
	put(s, "exec", "critical", "/bin/sh"); /* limited */
	assert_int_equal(take(s), 3);
	assert_int_equal(spool_number(&entries[2], "count"), 2);
	mw_spool_free(entries, 3);
	put(s, "exec", "critical", "/bin/sh"); /* that there is nothing new is not told again */
	assert_int_equal(take(s), 0);
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 1);
	assert_string_equal(spool_text(&entries[0], "kind", NULL), "spool-rate");
	assert_int_equal(spool_number(&entries[0], "lost"), 2);
	mw_spool_free(entries, 1);
}

/* Without windows losses are not told one by one. */
static void tells_few_losses_where_nothing_is_grouped(void **state)
{
	struct spool_of *s = *state;
	int64_t lost = 0;
	int records = 0, n;

	s->options.window_ns = s->options.window_max_ns = 0;
	s->options.per_rule_minute = 1;
	spool_reopen(s);
	for (int i = 0; i < 60; i++) {
		put(s, "exec", "high", "/bin/sh");
		put(s, "exec", "high", "/bin/sh");
		mw_spool_tick(s->spool);
		s->now += SECOND;
	}
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	while ((n = take(s)) > 0) {
		for (int i = 0; i < n; i++)
			if (spool_text(&entries[i], "kind", NULL)) {
				lost += spool_number(&entries[i], "lost");
				records++;
			}
		mw_spool_free(entries, (size_t)n);
	}
	assert_int_equal(records, 2);
	assert_int_equal(lost, 119);
}

/* What was used up in a time that is yet to come is not missed until then. */
static void limits_for_a_minute_when_the_clock_is_set_back(void **state)
{
	struct spool_of *s = *state;
	char program[32];
	int n;

	s->options.per_artifact_minute = 10;
	spool_reopen(s);
	for (int i = 0; i < 20; i++) {
		snprintf(program, sizeof(program), "/bin/%d", i);
		put(s, "exec", "high", program);
	}
	n = take(s);
	assert_int_equal(n, 10);
	mw_spool_free(entries, (size_t)n);
	s->now -= SECOND; /* a small correction is no new minute */
	put(s, "exec", "high", "/bin/100");
	assert_int_equal(take(s), 0);
	s->now -= 24 * HOUR;
	for (int i = 200; i < 220; i++) {
		snprintf(program, sizeof(program), "/bin/%d", i);
		put(s, "exec", "high", program);
	}
	n = take(s);
	assert_int_equal(n, 10);
	mw_spool_free(entries, (size_t)n);
}

/* Rules whose names a process makes up do not make a record, or a table, of any size. */
static void bounds_the_names_in_a_record(void **state)
{
	struct spool_of *s = *state;
	char rule[32];

	s->options.per_artifact_minute = 1;
	spool_reopen(s);
	for (int i = 0; i < 200; i++) {
		snprintf(rule, sizeof(rule), "rule-%d", i);
		put(s, rule, "high", "/bin/sh");
	}
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 2);
	assert_int_equal(spool_number(&entries[1], "count"), 199);
	assert_int_equal(json_object_size(json_object_get(entries[1].record, "hooks")), 32);
	mw_spool_free(entries, 2);
}

/* The alert that an update is made of has left the spool: its count is not forgotten. */
static void tells_a_count_whose_finding_is_gone(void **state)
{
	struct spool_of *s = *state;
	int n;

	put(s, "exec", "low", "/bin/sh");
	for (int i = 0; i < 5; i++)
		put(s, "exec", "low", "/bin/sh");
	s->options.max_bytes = 1;
	spool_reopen(s);
	s->now += MINUTE;
	mw_spool_tick(s->spool); /* the update is written, then all leaves */
	s->options.max_bytes = 1 << 20;
	spool_reopen(s);
	s->now += MINUTE;
	mw_spool_tick(s->spool);
	n = take(s);
	assert_int_equal(n, 1);
	assert_string_equal(spool_text(&entries[0], "kind", NULL), "spool-full");
	assert_true(spool_number(&entries[0], "lost") >= 2);
	mw_spool_free(entries, 1);
	put(s, "exec", "low", "/bin/sh");
	s->now += 2 * MINUTE;
	mw_spool_tick(s->spool);
	n = take(s);
	assert_int_equal(n, 1);
	assert_int_equal(spool_number(&entries[0], "lost"), 1);
	mw_spool_free(entries, 1);
}

/* A run that ends does not leave its count to whoever comes next; a thousand that end one after the
 * other do not send a thousand updates. */
static void tells_counts_when_it_finishes(void **state)
{
	struct spool_of *s = *state;
	int n, updates = 0;
	int64_t count = 0;

	put(s, "exec", "high", "/bin/sh");
	put(s, "exec", "high", "/bin/sh");
	put(s, "exec", "high", "/bin/sh");
	assert_int_equal(mw_spool_finish(s->spool), 0);
	assert_int_equal(mw_spool_finish(s->spool), 0);
	assert_int_equal(take(s), 2);
	assert_int_equal(spool_number(&entries[1], "count"), 3);
	mw_spool_free(entries, 2);
	for (int i = 0; i < 1000; i++) {
		put(s, "exec", "high", "/bin/sh");
		assert_int_equal(mw_spool_finish(s->spool), 0);
	}
	while ((n = take(s)) > 0) {
		updates += n;
		count = spool_number(&entries[n - 1], "count");
		mw_spool_free(entries, (size_t)n);
	}
	assert_true(updates < 20);
	assert_true(count > 500);
	/* Nothing is forgotten. */
	s->now += HOUR;
	mw_spool_tick(s->spool);
	assert_int_equal(take(s), 1);
	assert_int_equal(spool_number(&entries[0], "count"), 1003);
	mw_spool_free(entries, 1);
	put(s, "exec", "high", "/bin/sh");
	mw_spool_finish(s->spool);
	assert_int_equal(take(s), 1);
	assert_int_equal(spool_number(&entries[0], "count"), 1004);
	mw_spool_free(entries, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, spool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(sends_the_first_at_once_and_then_counts),
	        TEST(doubles_the_window),
	        TEST(begins_anew_after_a_quiet_window),
	        TEST(tells_apart_what_is_not_alike),
	        TEST(breaks_the_group_when_it_becomes_worse),
	        TEST(passes_on_updates_of_the_finding),
	        TEST(a_finding_can_become_worse),
	        TEST(a_finding_can_become_like_another),
	        TEST(limits_new_findings),
	        TEST(limits_a_rule_over_all_artifacts),
	        TEST(tells_a_count_once_when_what_breaks_it_is_limited),
	        TEST(tells_few_losses_where_nothing_is_grouped),
	        TEST(limits_for_a_minute_when_the_clock_is_set_back),
	        TEST(bounds_the_names_in_a_record),
	        TEST(tells_counts_when_it_finishes),
	        TEST(tells_a_count_whose_finding_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
