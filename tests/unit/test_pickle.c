/* The symbolic pickle machine: which opcode makes the call, and is a global only ever called? */
#include <time.h>

#include "pickle_ask.h"

#include "../../core/pickle.h"

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

static void protocol_5_and_what_it_frames(void **state)
{
	/* two frames, and the position after the second */
	static const char stream[] = "\x80\x05\x95\x18\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system"
	                             "\x94\x93\x94K\x01\x85R0"
	                             "\x95\x09\0\0\0\0\0\0\0h\x02K\x02\x85R0N.";
	struct mw_pickle_answer a =
	        locate((struct ask){STREAM(stream), .seen = {"posix system"}, .tell = 53});

	(void)state;
	assert_int_equal(sizeof(stream) - 1, 53);
	assert_string_equal(a.args, "(2,)");
	assert_int_equal(a.offset, 49);
	assert_int_equal(a.offset_end, 49);
	a = locate((struct ask){STREAM(stream), .seen = {"posix system"}, .tell = 35});
	assert_string_equal(a.args, "(1,)");
	a = locate((struct ask){STREAM(stream), .seen = {"posix system"}});
	assert_true(a.offset < 49 && a.offset_end == 49);
}

static void a_reader_that_reads_ahead_gives_a_lower_bound(void **state)
{
	struct mw_pickle_answer a = locate((struct ask){STREAM(TWICE), .seen = {"posix system"}});
	int64_t first = (int64_t)a.offset + 1;

	(void)state;
	a = locate((struct ask){STREAM(TWICE), .seen = {"posix system"}, .tell = first + 1,
	                        .reads_ahead = true});
	assert_true(a.offset == a.offset_end && (int64_t)a.offset > first);
	a = locate((struct ask){STREAM(TWICE), .seen = {"posix system"}, .tell = first,
	                        .reads_ahead = true});
	assert_true((int64_t)a.offset == first - 1 && a.offset < a.offset_end);
}

/* torch's unpickler answers the names of storages itself: no event, so no end of the search. */
static void a_storage_in_between_is_no_event(void **state)
{
	static const char stream[] =
	        "\x80\x02"
	        "cm\nload\n(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
	        "0X\x03\0\0\0cpuK\x04tQK\0\x86R.";
	struct mw_pickle_answer a =
	        locate((struct ask){STREAM(stream), .seen = {"m load"}, .hint = "load"});

	(void)state;
	assert_string_equal(a.call, "m.load");
	assert_string_equal(a.args, "(..., 0)");
	assert_string_equal(a.opcode, "REDUCE");
	assert_true(a.complete);
	a = locate((struct ask){STREAM(stream), .seen = {"m load"}, .tell = 62});
	assert_string_equal(a.opcode, "BINPERSID");
	assert_string_equal(a.call, "persistent_load");
	assert_string_equal(a.args, "(('storage', torch.FloatStorage, '0', 'cpu', 4),)");
}

static void python_2_names_match_either_spelling(void **state)
{
	const char *const spelled[] = {"commands getoutput", "subprocess getoutput"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct mw_pickle_answer a = locate((struct ask){
		        STREAM("ccommands\ngetoutput\n(Vid\ntR."), .seen = {spelled[i]}});

		assert_string_equal(a.call, "subprocess.getoutput");
	}
	assert_false(locate((struct ask){STREAM("ccommands\ngetoutput\n(Vid\ntR."),
	                                 .seen = {"os getoutput"}})
	                     .found);
}

static void arguments_as_python_shows_them(void **state)
{
	struct mw_pickle_answer a = locate((struct ask){
	        STREAM("\x80\x03"
	               "cm\nf\n(K\x01I01\nL12L\n\x8a\x01\xffG?\xb9\x99\x99\x99\x99\x99\x9a"
	               "C\x03\xff'\n}U\x01k]NastR."),
	        .seen = {"m f"}});

	(void)state;
	assert_string_equal(a.args, "(1, True, 12, -1, 0.1, b'\\xff\\'\\n', {'k': [None]})");
	a = locate((struct ask){STREAM("cm\nf\n(VA\x1b[2J\nF1.5\ntR."), .seen = {"m f"}});
	assert_string_equal(a.args, "('A\\x1b[2J', 1.5)");
}

/* What the stack does not hold stops every unpickler: nothing behind it has run. */
static void a_broken_stream_ends_where_it_breaks(void **state)
{
	struct mw_pickle_answer a = locate((struct ask){
	        STREAM("cposix\nsystem\nVa\n\x85R00" SYSTEM0), .seen = {"posix system"}});

	(void)state;
	assert_true(a.found);
	assert_int_equal(a.offset, a.offset_end);
	assert_false(a.complete);
	assert_int_equal(a.stream_len, 21);
	assert_false(locate((struct ask){STREAM("(2."), .seen = {"a b"}}).complete);
	assert_false(locate((struct ask){STREAM("Na."), .seen = {"a b"}}).complete);
	assert_false(locate((struct ask){STREAM("Nt."), .seen = {"a b"}}).complete);
	assert_true(locate((struct ask){STREAM("]Na."), .seen = {"a b"}}).complete);
}

static char *nested(size_t depth, size_t *ret_len)
{
	static const char head[] = "\x80\x02"
	                           "cposix\nsystem\n)";
	char *stream = malloc(sizeof(head) + depth + 4);

	assert_non_null(stream);
	memcpy(stream, head, sizeof(head) - 1);
	memset(stream + sizeof(head) - 1, '\x85', depth);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a stream is no string */
	memcpy(stream + sizeof(head) - 1 + depth, "R.", 2);
	*ret_len = sizeof(head) - 1 + depth + 2;
	return stream;
}

static void ten_thousand_deep(void **state)
{
	size_t len;
	char *stream = nested(10000, &len);
	struct mw_pickle_answer a =
	        locate((struct ask){.stream = stream, .len = len, .seen = {"posix system"}});

	(void)state;
	assert_string_equal(a.call, "posix.system");
	assert_string_equal(a.args, "((((((...,),),),),),)");
	free(stream);
}

/* Appending with a full stack below, and calls without number: seconds would be hours if each
 * opcode looked at all there is. */
static void time_is_linear(void **state)
{
	size_t depth = (1u << 18) - 64, len = depth + (6u << 20);
	char *stream = malloc(len);
	clock_t start = clock();

	(void)state;
	assert_non_null(stream);
	memset(stream, 'N', depth);
	for (size_t i = depth; i < len; i += 3)
		memcpy(stream + i, "]Na", len - i < 3 ? len - i : 3);
	locate((struct ask){.stream = stream, .len = len, .seen = {"posix system"}});
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a stream is no string */
	memcpy(stream, "cm\nf\nq\0cm\ng\nq\1", 14);
	for (size_t i = 14; i < len; i += 8)
		memcpy(stream + i, "h\0)Rh\1)R", len - i < 8 ? len - i : 8);
	assert_true(
	        locate((struct ask){.stream = stream, .len = len, .seen = {"m f", "m g"}}).found);
	assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
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
	        cmocka_unit_test(survives_size),
	        cmocka_unit_test(protocol_5_and_what_it_frames),
	        cmocka_unit_test(a_reader_that_reads_ahead_gives_a_lower_bound),
	        cmocka_unit_test(a_storage_in_between_is_no_event),
	        cmocka_unit_test(python_2_names_match_either_spelling),
	        cmocka_unit_test(arguments_as_python_shows_them),
	        cmocka_unit_test(a_broken_stream_ends_where_it_breaks),
	        cmocka_unit_test(ten_thousand_deep),
	        cmocka_unit_test(time_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
