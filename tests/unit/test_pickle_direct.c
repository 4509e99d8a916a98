/* Is all that a stream does with a global to call it? Every "yes" lets the fetch through. */
#include "pickle_ask.h"

#define SYSTEM "cposix\nsystem\n"
#define CALLED SYSTEM ")R0"

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

static void handed_to_what_runs_it_later(void **state)
{
	(void)state;
	assert_false(direct((struct ask){
	        STREAM("\x80\x02"
	               "cconcurrent.futures.thread\n_WorkItem\n(N" SYSTEM "U\x01x\x85}tR."),
	        .seen = {"concurrent.futures.thread _WorkItem", "posix system"}}));
	assert_false(direct((struct ask){STREAM("\x80\x02"
	                                        "cm\nC\n)\x81}U\x01k" SYSTEM "sb."),
	                                 .seen = {"m C", "posix system"}}));
	assert_false(direct((struct ask){STREAM(SYSTEM "Q."), .seen = {"posix system"}}));
	assert_true(
	        direct((struct ask){STREAM("\x80\x02" SYSTEM ")\x81."), .seen = {"posix system"}}));
}

/* MEMOIZE takes the next place by the number of filled ones, not the one behind the highest. */
static void the_memo_counts_as_the_unpickler_does(void **state)
{
	(void)state;
	assert_false(direct((struct ask){STREAM("\x80\x02Nq\x05"
	                                        "0" SYSTEM "\x94U\x01x\x85R0]h\x01"
	                                        "a."),
	                                 .seen = {"posix system"}}));
	assert_true(direct((struct ask){STREAM("\x80\x02Nq\x05"
	                                       "0" SYSTEM "\x94U\x01x\x85R0h\x01U\x01y\x85R."),
	                                .seen = {"posix system"}}));
	assert_false(
	        direct((struct ask){STREAM("\x80\x02" SYSTEM "r\0\0\x10\0U\x01x\x85R0]j\0\0\x10\0"
	                                   "a."),
	                            .seen = {"posix system"}}));
	assert_false(direct(
	        (struct ask){STREAM(SYSTEM "p1_0\n(VX\ntR0]g10\na."), .seen = {"posix system"}}));
}

/* A reader of a file drops what a frame has left and takes the bytes behind it. */
static void an_opcode_across_the_end_of_a_frame_is_in_doubt(void **state)
{
	(void)state;
	assert_false(direct(
	        (struct ask){STREAM("\x80\x04" CALLED "\x95\x06\0\0\0\0\0\0\0X\x04\0\0\0ababcd."),
	                     .seen = {"posix system"}}));
	assert_true(direct(
	        (struct ask){STREAM("\x80\x04" CALLED "\x95\x0b\0\0\0\0\0\0\0X\x04\0\0\0ababN0."),
	                     .seen = {"posix system"}}));
}

/* Seventeen fetches, of which sixteen names are known, behind one that was no event. */
static void the_last_of_many_of_one_name(void **state)
{
#define FOUR CALLED CALLED CALLED CALLED
	struct ask a = {STREAM("ctorch\nFloatStorage\n0" FOUR FOUR FOUR FOUR "]" SYSTEM "a."),
	                .total = 17};

	(void)state;
	for (int i = 0; i < 16; i++)
		a.seen[i] = "posix system";
	assert_false(direct(a));
}

static void what_lies_behind_the_bytes_that_were_read(void **state)
{
	struct ask kept = {STREAM(SYSTEM "p0\n)R0NNN"), .seen = {"posix system"}};
	struct ask gone = {STREAM(CALLED "NNN"), .seen = {"posix system"}};

	(void)state;
	assert_true(direct(kept)); /* the stream itself ends */
	kept.cut = gone.cut = true;
	assert_false(direct(kept));
	assert_true(direct(gone));
	assert_false(direct(
	        (struct ask){STREAM(SYSTEM "(Vx\nt"), .seen = {"posix system"}, .cut = true}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_only_called),
	        cmocka_unit_test(handed_to_what_runs_it_later),
	        cmocka_unit_test(the_memo_counts_as_the_unpickler_does),
	        cmocka_unit_test(an_opcode_across_the_end_of_a_frame_is_in_doubt),
	        cmocka_unit_test(the_last_of_many_of_one_name),
	        cmocka_unit_test(what_lies_behind_the_bytes_that_were_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
