/* The symbolic pickle machine: which opcode makes the call, and is a global only ever called? */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/pickle.h"

struct ask {
	const char *stream;
	size_t len;
	const char *seen[4];
	uint64_t total; /* 0: as many as seen */
	int64_t tell;   /* 0: not known */
	bool importing, fetching;
};

#define STREAM(text) .stream = (text), .len = sizeof(text) - 1

static struct mw_pickle_query query(const struct ask *a, struct mw_str seen[4])
{
	struct mw_pickle_query q = {.data = (const uint8_t *)a->stream,
	                            .len = a->len,
	                            .seen = seen,
	                            .tell = a->tell ? a->tell : -1,
	                            .tell_exact = a->tell != 0,
	                            .importing = a->importing,
	                            .fetching = a->fetching};

	while (q.count < 4 && a->seen[q.count]) {
		seen[q.count] =
		        (struct mw_str){a->seen[q.count], (uint32_t)strlen(a->seen[q.count])};
		q.count++;
	}
	q.total = a->total ? a->total : q.count;
	return q;
}

static struct mw_pickle_answer locate(struct ask a)
{
	struct mw_str seen[4];
	struct mw_pickle_query q = query(&a, seen);
	struct mw_pickle_answer answer;

	assert_int_equal(mw_pickle_locate(&q, &answer), 0);
	return answer;
}

static bool direct(struct ask a)
{
	struct mw_str seen[4];
	struct mw_pickle_query q = query(&a, seen);

	return mw_pickle_called_directly(&q);
}

#define SYSTEM0 "cposix\nsystem\np0\n(Vtouch x\np1\ntp2\nRp3\n."
#define SYSTEM2                                                                                    \
	"\x80\x02"                                                                                 \
	"cposix\nsystem\nq\x00X\x07\x00\x00\x00touch xq\x01\x85q\x02Rq\x03."
#define SYSTEM4                                                                                    \
	"\x80\x04\x95\x22\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x07touch "  \
	"x\x94"                                                                                    \
	"\x85\x94R\x94."
#define TWICE                                                                                      \
	"\x80\x02"                                                                                 \
	"](cposix\nsystem\nq\x00U\x01"                                                             \
	"a\x85Rh\x00U\x01"                                                                         \
	"b\x85Re."

static void finds_the_call_in_every_protocol(void **state)
{
	const struct {
		struct ask ask;
		uint64_t offset;
	} cases[] = {{{STREAM(SYSTEM0), .seen = {"posix system"}}, 34},
	             {{STREAM(SYSTEM2), .seen = {"posix system"}}, 35},
	             {{STREAM(SYSTEM4), .seen = {"posix system"}}, 42}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mw_pickle_answer a = locate(cases[i].ask);

		assert_true(a.found && a.complete);
		assert_int_equal(a.offset, cases[i].offset);
		assert_int_equal(a.offset_end, cases[i].offset);
		assert_string_equal(a.call, "posix.system");
		assert_string_equal(a.args, "('touch x',)");
		assert_string_equal(a.opcode, "REDUCE");
		assert_int_equal(a.stream_len, cases[i].ask.len);
	}
}

static void other_calling_opcodes(void **state)
{
	struct mw_pickle_answer a;

	(void)state;
	a = locate((struct ask){STREAM("(Vid\niposix\nsystem\n."), .seen = {"posix system"}});
	assert_string_equal(a.opcode, "INST");
	assert_int_equal(a.offset, 5);
	assert_string_equal(a.call, "posix.system");
	a = locate((struct ask){STREAM("(cposix\nsystem\nVid\no."), .seen = {"posix system"}});
	assert_string_equal(a.opcode, "OBJ");
	assert_string_equal(a.args, "('id',)");
	a = locate((struct ask){STREAM("\x80\x02"
	                               "csubprocess\nPopen\n]U\x02id"
	                               "a\x85\x81."),
	                        .seen = {"subprocess Popen"}});
	assert_string_equal(a.opcode, "NEWOBJ");
	assert_string_equal(a.args, "(['id'],)");
	a = locate((struct ask){STREAM("\x80\x02"
	                               "cm\nC\n)\x81}b."),
	                        .seen = {"m C"}, .tell = 11});
	assert_string_equal(a.opcode, "BUILD");
	assert_string_equal(a.call, "m.C().__setstate__");
	a = locate((struct ask){STREAM("\x80\x04\x82\x07U\x02id\x85R."), .seen = {"posix system"}});
	assert_string_equal(a.opcode, "REDUCE");
}

static void a_memoised_callable_gives_a_range_unless_the_position_is_known(void **state)
{
	struct mw_pickle_answer a = locate((struct ask){STREAM(TWICE), .seen = {"posix system"}});

	(void)state;
	assert_true(a.found && a.offset < a.offset_end);
	a = locate((struct ask){STREAM(TWICE), .seen = {"posix system"},
	                        .tell = (int64_t)a.offset_end + 1});
	assert_int_equal(a.offset, a.offset_end);
	assert_string_equal(a.args, "('b',)");
}

static void a_framed_stream_ignores_the_position(void **state)
{
	struct mw_pickle_answer a = locate((struct ask){STREAM(SYSTEM4), .seen = {"posix system"},
	                                                .tell = sizeof(SYSTEM4) - 1});

	(void)state;
	assert_int_equal(a.offset, 42);
}

static void aligns_by_name_when_a_subclass_answers_some(void **state)
{
	static const char stream[] = "\x80\x02"
	                             "ctorch\nFloatStorage\n0cposix\nsystem\nU\x01"
	                             "a\x85R.";
	struct mw_pickle_answer a =
	        locate((struct ask){STREAM(stream), .seen = {"posix system"}, .total = 1});

	(void)state;
	assert_string_equal(a.call, "posix.system");
}

static void names_results_of_calls(void **state)
{
	static const char stream[] = "\x80\x02"
	                             "cbuiltins\ngetattr\ncos\n_x\nU\x06system\x86RU\x02id\x85R.";
	struct mw_pickle_answer a = locate((struct ask){
	        STREAM(stream), .seen = {"builtins getattr", "os _x"}, .tell = sizeof(stream) - 2});

	(void)state;
	assert_string_equal(a.call, "builtins.getattr(os._x, 'system')");
	assert_string_equal(a.args, "('id',)");
}

static void an_import_is_at_its_global(void **state)
{
	struct mw_pickle_answer a =
	        locate((struct ask){STREAM(SYSTEM2), .seen = {"posix system"}, .importing = true});

	(void)state;
	assert_int_equal(a.offset, 2);
	assert_string_equal(a.call, "posix.system");
	assert_string_equal(a.opcode, "GLOBAL");
}

/* At the moment of the fetch the call is still to come, maybe behind other globals. */
static void a_fetch_names_what_will_use_it(void **state)
{
	struct mw_pickle_answer a =
	        locate((struct ask){STREAM("\x80\x02"
	                                   "catexit\nregister\ncposix\nsystem\nU\x01x\x86R."),
	                            .seen = {"atexit register"}, .fetching = true});

	(void)state;
	assert_string_equal(a.call, "atexit.register");
	assert_string_equal(a.args, "(posix.system, 'x')");
	assert_string_equal(a.opcode, "REDUCE");
	a = locate((struct ask){STREAM("c__builtin__\neval\n."), .seen = {"__builtin__ eval"},
	                        .fetching = true});
	assert_string_equal(a.opcode, "GLOBAL");
	a = locate(
	        (struct ask){STREAM("c__builtin__\neval\n(Vx\ntR."), .seen = {"__builtin__ eval"}});
	assert_string_equal(a.call, "builtins.eval");
}

static void a_cut_stream_still_tells(void **state)
{
	struct mw_pickle_answer a =
	        locate((struct ask){.stream = SYSTEM2, .len = 36, .seen = {"posix system"}});

	(void)state;
	assert_true(a.found);
	assert_false(a.complete);
	assert_int_equal(a.stream_len, 36);
	assert_false(locate((struct ask){STREAM(""), .seen = {"posix system"}}).found);
	assert_false(locate((struct ask){STREAM("\xff\xff"), .seen = {"posix system"}}).found);
}

static void what_is_only_called(void **state)
{
	(void)state;
	assert_true(direct((struct ask){STREAM(SYSTEM0), .seen = {"posix system"}}));
	assert_true(direct((struct ask){STREAM(SYSTEM4), .seen = {"posix system"}}));
	assert_true(direct((struct ask){STREAM(TWICE), .seen = {"posix system"}}));
	assert_true(
	        direct((struct ask){STREAM("(Vid\niposix\nsystem\n."), .seen = {"posix system"}}));
	/* an argument, a member, the result itself, dropped, not used at all */
	assert_false(direct((struct ask){STREAM("\x80\x02"
	                                        "catexit\nregister\ncposix\nsystem\nU\x01x\x86R."),
	                                 .seen = {"atexit register", "posix system"}}));
	assert_false(direct(
	        (struct ask){STREAM("\x80\x02]cposix\nsystem\na."), .seen = {"posix system"}}));
	assert_false(direct((struct ask){STREAM("\x80\x02"
	                                        "cposix\nsystem\n."),
	                                 .seen = {"posix system"}}));
	assert_false(direct((struct ask){STREAM("\x80\x02"
	                                        "cposix\nsystem\n0N."),
	                                 .seen = {"posix system"}}));
	/* called once, and kept in the memo for another use */
	assert_false(direct((struct ask){STREAM("\x80\x02"
	                                        "cposix\nsystem\nq\x00U\x01x\x85R0]h\x00"
	                                        "a."),
	                                 .seen = {"posix system"}}));
	assert_false(direct((struct ask){STREAM(SYSTEM2), .seen = {"os system"}}));
}

/* A long stream and a deep one: linear, bounded, and the attack behind them is still named. */
static void survives_size(void **state)
{
	size_t len = 1u << 20, tail = sizeof(SYSTEM2) - 1;
	char *stream = malloc(len + tail);
	struct mw_pickle_answer a;

	(void)state;
	assert_non_null(stream);
	memset(stream, ')', len);
	memcpy(stream + len, SYSTEM2, tail);
	a = locate((struct ask){.stream = stream, .len = len + tail, .seen = {"posix system"}});
	assert_int_equal(a.stream_len, len + tail);
	for (size_t i = 0; i < len; i++)
		stream[i] = i % 2 ? '0' : 'N';
	a = locate((struct ask){.stream = stream, .len = len + tail, .seen = {"posix system"}});
	assert_string_equal(a.call, "posix.system");
	assert_int_equal(a.offset, len + 35);
	free(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(finds_the_call_in_every_protocol),
	        cmocka_unit_test(other_calling_opcodes),
	        cmocka_unit_test(a_memoised_callable_gives_a_range_unless_the_position_is_known),
	        cmocka_unit_test(a_framed_stream_ignores_the_position),
	        cmocka_unit_test(aligns_by_name_when_a_subclass_answers_some),
	        cmocka_unit_test(names_results_of_calls),
	        cmocka_unit_test(an_import_is_at_its_global),
	        cmocka_unit_test(a_fetch_names_what_will_use_it),
	        cmocka_unit_test(a_cut_stream_still_tells),
	        cmocka_unit_test(what_is_only_called),
	        cmocka_unit_test(survives_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
