/* What receivers of RELP say, whole, in pieces and wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../courier/relp_frame.h"

static struct mw_relp_frame frame;

static int parse(const char *text)
{
	return mw_relp_parse(text, strlen(text), &frame);
}

static void answers(void **state)
{
	(void)state;
	assert_int_equal(parse("1 rsp 6 200 OK\n2 rsp"), 15);
	assert_int_equal(frame.number, 1);
	assert_true(mw_relp_is(&frame, "rsp"));
	assert_false(mw_relp_is(&frame, "rs"));
	assert_false(mw_relp_is(&frame, "rspx"));
	assert_int_equal(frame.len, 6);
	assert_int_equal(mw_relp_code(&frame), 200);
	assert_int_equal(parse("999999999 rsp 3 500\n"), 20);
	assert_int_equal(frame.number, MW_RELP_NUMBER_MAX);
	assert_int_equal(mw_relp_code(&frame), 500);
	assert_int_equal(parse("0 serverclose 0\n"), 16);
	assert_int_equal(frame.len, 0);
	assert_int_equal(mw_relp_code(&frame), -EPROTO);
}

/* Every beginning of a frame is no more than that. */
static void pieces(void **state)
{
	static const char text[] = "12 rsp 17 200 OK\nmore\nlines\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(mw_relp_parse(text, len, &frame), 0);
	assert_int_equal(parse(text), sizeof(text) - 1);
}

static void what_is_none(void **state)
{
	static const char *const bad[] = {
	        " 1 rsp 0\n", "x",          "1x",       "1  rsp 0\n",     "1 r5p 0\n",
	        "1 rsp x",    "1 rsp 0 \n", "1 rsp 1x", "1 rsp 2 200 \n", "1234567890 rsp 0\n",
	        "\n",         "-1 rsp 0\n", "1 rsp -1", "1 rsp 20000 x",  "1 rsp 1234567890",
	        "1\n",        "1 rsp\n",    "1 rsp \n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse(bad[i]) != -EPROTO)
			fail_msg("'%s' is no frame", bad[i]);
	assert_int_equal(parse("1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), -EPROTO);
}

static void codes(void **state)
{
	static const struct {
		const char *text;
		int code;
	} all[] = {{"1 rsp 6 200 OK\n", 200},   {"1 rsp 4 200\n\n", 200},
	           {"1 rsp 4 2000\n", -EPROTO}, {"1 rsp 2 20\n", -EPROTO},
	           {"1 rsp 3 2x0\n", -EPROTO},  {"1 rsp 3 +20\n", -EPROTO}};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		assert_true(parse(all[i].text) > 0);
		assert_int_equal(mw_relp_code(&frame), all[i].code);
	}
}

static bool offers(const char *data)
{
	char text[200];

	snprintf(text, sizeof(text), "1 rsp %zu %s\n", strlen(data), data);
	assert_true(parse(text) > 0);
	return mw_relp_offers(&frame, "syslog");
}

static void offered_commands(void **state)
{
	(void)state;
	assert_true(offers("200 OK\nrelp_version=0\nrelp_software=x\ncommands=syslog"));
	assert_true(offers("200 OK\ncommands=eventlog,syslog\nrelp_version=0"));
	assert_true(offers("200 OK\ncommands=syslog,eventlog\n"));
	assert_false(offers("200 OK\ncommands=eventlog\nsyslog"));
	assert_false(offers("200 OK\ncommands=syslogs,xsyslog,"));
	assert_false(offers("200 OK\nno commands=syslog"));
	assert_false(offers("200 OK commands"));
	assert_false(offers("200 OK\ncommands="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(answers),          cmocka_unit_test(pieces),
	        cmocka_unit_test(what_is_none),     cmocka_unit_test(codes),
	        cmocka_unit_test(offered_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
