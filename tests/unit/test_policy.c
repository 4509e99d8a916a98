/* decide(): patterns, the order of rules, mode against verdict, and images that are not to be read.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/policy.h"

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
	        {"", "", true},
	        {"", "a", false},
	        {"*", "", true},
	        {"/tmp/**", "/tmp/a/b", true},
	        {"/tmp/*", "/tmp/a/b", false},
	        {"/tmp/?", "/tmp//", false},
	        {"**/x.pth", "/a/b/x.pth", true},
	        {"a**b*c", "axxb/b1c", true},
	        {"a**b*c", "axxb/b/c", false},
	        {"**/site-packages/*.pth", "/x/site-packages/d/y.pth", false},
	        {"gcc ***", "gcc\x1f-o\x1fx", true},
	        {"gcc **", "gcc\x1f-o\x1fx", false},
	        {"uname -?", "uname\x1f-p", true},
	        {"** -c main(?)", "/bin/python\x1f-c\x1fmain(3)", true},
	        {"** -c main(?)",
	         "/bin/python\x1f-c\x1f"
	         "evil\x1f-c\x1fmain(3)",
	         false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (mw_glob(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("%s against %s", cases[i].pattern, cases[i].text);
}

/* What patterns mean, said without a thought for speed. */
static bool naive(const char *p, const char *t)
{
	int stars = 0;

	while (stars < 3 && p[stars] == '*')
		stars++;
	if (stars) {
		if (naive(p + stars, t))
			return true;
		return *t && (stars > 2 || *t != MW_ARGUMENT) && (stars > 1 || *t != '/') &&
		       naive(p, t + 1);
	}
	if (!*p || !*t)
		return !*p && !*t;
	if (*p == '?' ? *t == '/' || *t == MW_ARGUMENT
	              : *p != *t && !(*p == ' ' && *t == MW_ARGUMENT))
		return false;
	return naive(p + 1, t + 1);
}

static void patterns_agree_with_their_definition(void **state)
{
	static const char alphabet[] = "ab/*? \x1f";
	char pattern[7], text[9];

	(void)state;
	srand(1);
	for (int round = 0; round < 300000; round++) {
		size_t n = (size_t)rand() % sizeof(pattern), m = (size_t)rand() % sizeof(text);

		for (size_t i = 0; i < n; i++)
			pattern[i] = alphabet[rand() % 6];
		for (size_t i = 0; i < m; i++)
			text[i] = "ab/\x1f"[rand() % 4];
		pattern[n] = text[m] = '\0';
		if (n < sizeof(pattern) && m < sizeof(text) &&
		    mw_glob(pattern, text) != naive(pattern, text))
			fail_msg("'%s' against '%s'", pattern, text);
	}
}

static void a_pattern_of_stars_takes_no_time(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(mw_glob("*a*a*a*a*a*a*a*a*a*a**a**a**a**a**a***a***a***b", text));
}

static struct {
	struct mw_policy header;
	struct mw_rule rules[2];
	char strings[64];
} image;

static void make(enum mw_verdict mode, enum mw_verdict first)
{
	const uint32_t strings = offsetof(__typeof__(image), strings);

	memset(&image, 0, sizeof(image));
	image.header = (struct mw_policy){.magic = MW_POLICY_MAGIC,
	                                  .version = MW_POLICY_VERSION,
	                                  .size = sizeof(image),
	                                  .mode = mode,
	                                  .rule_count = 2,
	                                  .rules = offsetof(__typeof__(image), rules)};
	memcpy(image.strings + 1, "first\0second\0/tmp/**\0", 22);
	for (int i = 0; i < 2; i++)
		image.rules[i] = (struct mw_rule){.classes = 1u << MW_WRITE,
		                                  .causes = ~0u,
		                                  .origins = ~0u,
		                                  .verdict = MW_DENY,
		                                  .severity = MW_HIGH,
		                                  .name = strings + (i ? 7 : 1)};
	image.rules[0].verdict = (uint8_t)first;
	image.rules[0].targets = strings + 14;
	image.rules[0].none = MW_FACT_CALLED;
}

static struct mw_decision decide(const char *target, uint32_t facts)
{
	const struct mw_load_view load = {MW_FROM_FILE, NULL};
	const struct mw_effect effect = {.class = MW_WRITE, .target = target, .facts = facts};
	struct mw_decision d;

	assert_int_equal(mw_policy_check(&image.header, sizeof(image)), 0);
	mw_decide(&image.header, &load, &effect, &d);
	return d;
}

static void the_first_rule_that_matches_decides(void **state)
{
	(void)state;
	make(MW_DENY, MW_ALLOW);
	assert_string_equal(decide("/tmp/x", 0).rule, "first");
	assert_int_equal(decide("/tmp/x", 0).verdict, MW_ALLOW);
	assert_string_equal(decide("/etc/x", 0).rule, "second");
	assert_string_equal(decide("/tmp/x", MW_FACT_CALLED).rule, "second");
	assert_string_equal(decide(NULL, 0).rule, "second");
}

static void the_mode_is_a_ceiling(void **state)
{
	static const struct {
		enum mw_verdict mode, rule, verdict;
		bool record;
	} cases[] = {{MW_OBSERVE, MW_DENY, MW_OBSERVE, true},
	             {MW_ALERT, MW_DENY, MW_ALERT, true},
	             {MW_DENY, MW_DENY, MW_DENY, true},
	             {MW_KILL, MW_DENY, MW_KILL, true},
	             {MW_DENY, MW_KILL, MW_DENY, true},
	             {MW_DENY, MW_OBSERVE, MW_OBSERVE, false},
	             {MW_OBSERVE, MW_OBSERVE, MW_OBSERVE, true},
	             {MW_KILL, MW_ALERT, MW_ALERT, true},
	             {MW_KILL, MW_ALLOW, MW_ALLOW, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mw_decision d;

		make(cases[i].mode, cases[i].rule);
		d = decide("/tmp/x", 0);
		assert_int_equal(d.verdict, cases[i].verdict);
		assert_int_equal(d.requested, cases[i].rule);
		assert_int_equal(d.record, cases[i].record);
	}
}

static void an_evasion_is_at_least_an_alert(void **state)
{
	(void)state;
	make(MW_DENY, MW_OBSERVE);
	assert_int_equal(decide("/tmp/x", MW_FACT_UNANNOUNCED).verdict, MW_ALERT);
}

static void what_no_rule_names_is_denied(void **state)
{
	(void)state;
	make(MW_DENY, MW_ALLOW);
	image.header.rule_count = 0;
	assert_int_equal(decide("/tmp/x", 0).verdict, MW_DENY);
}

static void images_that_are_not_to_be_read(void **state)
{
	(void)state;
	make(MW_DENY, MW_ALLOW);
	assert_int_equal(mw_policy_check(&image.header, sizeof(image) - 1), -EINVAL);
	assert_int_equal(mw_policy_check(&image.header, 4), -EINVAL);
	image.header.rule_count = 1000;
	assert_int_equal(mw_policy_check(&image.header, sizeof(image)), -EINVAL);
	make(MW_DENY, MW_ALLOW);
	image.rules[0].name = sizeof(image);
	assert_int_equal(mw_policy_check(&image.header, sizeof(image)), -EINVAL);
	make(MW_DENY, MW_ALLOW);
	image.rules[1].targets = sizeof(image) - 1;
	memset(image.strings + 30, 'x', sizeof(image.strings) - 30);
	assert_int_equal(mw_policy_check(&image.header, sizeof(image)), -EINVAL);
	make(MW_ALLOW, MW_ALLOW);
	assert_int_equal(mw_policy_check(&image.header, sizeof(image)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(patterns),
	        cmocka_unit_test(patterns_agree_with_their_definition),
	        cmocka_unit_test(a_pattern_of_stars_takes_no_time),
	        cmocka_unit_test(the_first_rule_that_matches_decides),
	        cmocka_unit_test(the_mode_is_a_ceiling),
	        cmocka_unit_test(an_evasion_is_at_least_an_alert),
	        cmocka_unit_test(what_no_rule_names_is_denied),
	        cmocka_unit_test(images_that_are_not_to_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
