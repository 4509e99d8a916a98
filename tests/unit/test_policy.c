/* decide(): patterns, the order of rules, mode against verdict, and images that are not to be read.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/address.h"
#include "../../core/glob.h"
#include "policy_of.h"

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
	        {"[a-c]x[!/]", "bxy", true},
	        {"[a-c]x", "dx", false},
	        {"[!a]", "/", false},
	        {"[]x]*", "]b", true},
	        {"[x", "[x", true},
	        {"\\*\\?\\[", "*?[", true},
	        {"\\*", "a", false},
	        {"a\\ b", "a b", true},
	        {"a\\ b",
	         "a\x1f"
	         "b",
	         false},
	        {"/tmp/[ab]**/x", "/tmp/bc/d/x", true},
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

/* The sets of the patterns that are made below. */
static bool set_has(const char *p, char c)
{
	if (c == '/' || c == MW_ARGUMENT)
		return false;
	return !strncmp(p, "[!a]", 4) ? c != 'a' : c == 'a' || c == 'b';
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
	if (*p == '\\' && p[1])
		return p[1] == *t && naive(p + 2, t + 1);
	if (*p == '[')
		return set_has(p, *t) && naive(p + 4, t + 1);
	if (*p == '?' ? *t == '/' || *t == MW_ARGUMENT
	              : *p != *t && !(*p == ' ' && *t == MW_ARGUMENT))
		return false;
	return naive(p + 1, t + 1);
}

/* A text of up to `most` of the pieces, of which there are `count`. */
static void make_text(char *out, const char *const *pieces, int count, int most)
{
	out[0] = '\0';
	for (int n = rand() % (most + 1); n > 0; n--)
		strcat(out, pieces[rand() % count]);
}

static void make_pattern(char *out)
{
	static const char *const pieces[] = {"a", "b", "/",   "*",   "**",   "***",
	                                     "?", " ", "\\a", "\\*", "[!a]", "[ab]"};

	make_text(out, pieces, 12, 6);
}

static void make_subject(char *out)
{
	static const char *const pieces[] = {"a", "b", "/", "\x1f"};

	make_text(out, pieces, 4, 8);
}

static void patterns_agree_with_their_definition(void **state)
{
	char pattern[32], text[16];

	(void)state;
	srand(1);
	for (int round = 0; round < 300000; round++) {
		make_pattern(pattern);
		make_subject(text);
		if (mw_glob(pattern, text) != naive(pattern, text))
			fail_msg("'%s' against '%s'", pattern, text);
	}
}

/* What one pattern failed by is not tried again in the next. */
static void a_list_matches_when_one_of_it_does(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 300000; round++) {
		char list[8 * 32], one[32] = "", text[16], *end = list;
		bool expected = false;

		make_subject(text);
		for (int n = rand() % 6; n > 0; n--) {
			size_t same = strlen(one) ? (size_t)rand() % strlen(one) : 0;

			same = strcspn(one, "[\\") < same ? 0 : same; /* nothing cut in two */
			make_pattern(one + same);
			expected |= *one && mw_glob(one, text);
			end += *one ? sprintf(end, "%s", one) + 1 : 0;
		}
		*end = '\0';
		if (mw_glob_any(list, text) != expected)
			fail_msg("'%s'... against '%s'", list, text);
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

static void an_escaped_text_matches_itself_alone(void **state)
{
	static const char text[] = "a*b?c[d]e\\f g{h}";
	char pattern[64], cut[4];
	size_t len = mw_glob_escape(text, strlen(text), pattern, sizeof(pattern));

	(void)state;
	assert_int_equal(len, strlen(pattern));
	assert_true(mw_glob(pattern, text));
	assert_true(mw_glob_is_literal(pattern));
	assert_false(mw_glob(pattern, "aXb?c[d]e\\f g{h}"));
	assert_int_equal(mw_glob_escape("***", 3, cut, sizeof(cut)), 6);
	assert_string_equal(cut, "\\*\\");
}

static void wrong_patterns_are_told(void **state)
{
	(void)state;
	assert_null(mw_glob_complaint("[ab]*/\\[x"));
	assert_non_null(mw_glob_complaint("[ab"));
	assert_non_null(mw_glob_complaint("a\\"));
	assert_non_null(mw_glob_complaint("****"));
}

static void addresses_are_split(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
		const char *digits;
	} cases[] = {
	        {"1.2.3.4:80", "1.2.3.4", 80, "=4:01020304"},
	        {"[::1]:443", "::1", 443, "=6:00000000000000000000000000000001"},
	        {"[::ffff:1.2.3.4]:1", "::ffff:1.2.3.4", 1, "=4:01020304"},
	        {"::1", "::1", -1, "=6:00000000000000000000000000000001"},
	        {"example.com:x", "example.com:x", -1, NULL},
	        {"example.com:99999", "example.com:99999", -1, NULL},
	        {"example.com", "example.com", -1, NULL},
	        {"", "", -1, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mw_address address;
		char digits[MW_ADDRESS_DIGITS];

		mw_address_split(cases[i].text, &address);
		assert_string_equal(address.host, cases[i].host);
		assert_int_equal(address.port, cases[i].port);
		assert_int_equal(mw_address_digits(address.host, digits), !!cases[i].digits);
		if (cases[i].digits)
			assert_string_equal(digits, cases[i].digits);
	}
}

static struct mw_policy *image;
static size_t size;
static char error[300];

static void take(const char *rules, enum mw_verdict mode)
{
	char text[4096];

	snprintf(text, sizeof(text), "version: 1\nrules:\n%s", rules);
	free(image);
	image = policy_of(text, strlen(text), MW_SITE, mode, &size, error);
	if (!image)
		fail_msg("%s", error);
	assert_int_equal(mw_policy_check(image, size), 0);
}

/* What all questions have in common; tests change a field and set it back by asking with another.
 */
static const struct mw_load_view file_load = {.origin = MW_FROM_FILE, .now = 1000};

static struct mw_decision ask(const struct mw_effect *effect, const struct mw_load_view *load)
{
	struct mw_decision decision;

	mw_decide(image, load, effect, &decision);
	return decision;
}

static struct mw_decision ask_write(const char *path, uint32_t facts)
{
	const struct mw_effect effect = {
	        .class = MW_WRITE, .target = path, .file = path, .facts = facts};

	return ask(&effect, &file_load);
}

#define OWN "reason: r, owner: o"
#define TWO(first)                                                                                 \
	"- {name: first, effect: write, path: /tmp/**, unless: called, " OWN ", verdict: " first   \
	"}\n- {name: second, effect: write, verdict: deny}\n"

static void the_first_rule_that_matches_decides(void **state)
{
	(void)state;
	take(TWO("allow"), MW_DENY);
	assert_string_equal(ask_write("/tmp/x", 0).rule, "first");
	assert_int_equal(ask_write("/tmp/x", 0).verdict, MW_ALLOW);
	assert_string_equal(ask_write("/etc/x", 0).rule, "second");
	assert_string_equal(ask_write("/tmp/x", MW_FACT_CALLED).rule, "second");
	assert_string_equal(ask_write(NULL, 0).rule, "second");
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

		take(TWO("allow"), cases[i].mode);
		((struct mw_rule *)(uintptr_t)mw_policy_rules(image))->verdict =
		        (uint8_t)cases[i].rule;
		d = ask_write("/tmp/x", 0);
		assert_int_equal(d.verdict, cases[i].verdict);
		assert_int_equal(d.requested, cases[i].rule);
		assert_int_equal(d.record, cases[i].record);
	}
}

static void an_evasion_is_at_least_an_alert(void **state)
{
	(void)state;
	take(TWO("observe"), MW_DENY);
	assert_int_equal(ask_write("/tmp/x", MW_FACT_UNANNOUNCED).verdict, MW_ALERT);
}

static void what_no_rule_names_is_denied(void **state)
{
	const struct mw_effect effect = {.class = MW_MAP};

	(void)state;
	take(TWO("allow"), MW_DENY);
	assert_int_equal(ask(&effect, &file_load).verdict, MW_DENY);
	assert_string_equal(ask(&effect, &file_load).rule, "none");
	assert_int_equal(ask(&effect, &file_load).index, 2);
}

static void what_would_decide_next_is_told(void **state)
{
	const struct mw_effect effect = {.class = MW_WRITE, .file = "/tmp/x"};
	struct mw_decision decision;

	(void)state;
	take(TWO("allow"), MW_DENY);
	mw_decide_after(image, ask(&effect, &file_load).index + 1, &file_load, &effect, &decision);
	assert_string_equal(decision.rule, "second");
}

static void what_the_monitor_knows_is_left_to_it(void **state)
{
	const struct mw_effect effect = {.class = MW_WRITE, .file = "/tmp/x"};
	struct mw_load_view load = file_load;

	(void)state;
	take("- {name: by-call, call: a.b.c, module: a.b, path: /tmp/*, verdict: observe}\n"
	     "- {name: rest, verdict: deny}\n",
	     MW_DENY);
	load.unknown = MW_FIELDS_OF_MONITOR;
	assert_true(ask(&effect, &load).ask);
	assert_string_equal(ask(&effect, &load).rule, "rest");
	load.unknown = 0;
	load.call = "a.b.c";
	assert_false(ask(&effect, &load).ask);
	assert_string_equal(ask(&effect, &load).rule, "by-call");
	load.call = "a.x.c";
	assert_string_equal(ask(&effect, &load).rule, "rest");
	load.unknown = MW_FIELDS_OF_MONITOR;
	assert_false(ask(&(struct mw_effect){.class = MW_WRITE, .file = "/x"}, &load).ask);
}

static void a_rule_that_has_expired_is_named(void **state)
{
	struct mw_load_view load = file_load;
	const struct mw_effect effect = {.class = MW_WRITE, .file = "/x"};

	(void)state;
	take("- {name: old, verdict: allow, expires: 2026-01-31, " OWN "}\n"
	     "- {name: rest, verdict: deny}\n",
	     MW_DENY);
	load.now = INT64_C(1769903999); /* the last second of that day */
	assert_string_equal(ask(&effect, &load).rule, "old");
	assert_null(ask(&effect, &load).expired);
	load.now++;
	assert_string_equal(ask(&effect, &load).rule, "rest");
	assert_string_equal(ask(&effect, &load).expired, "old");
}

/* Each field with one value that matches and one that does not. */
static void every_field_is_asked(void **state)
{
	static const char *const argv[] = {"gcc", "-o", "a b"};
	static const char sha[] =
	        "aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11";
	static const struct mw_effect exec = {.class = MW_EXEC,
	                                      .op = "os.system",
	                                      .target = "gcc",
	                                      .file = "/usr/bin/gcc",
	                                      .argv = argv,
	                                      .argc = 3,
	                                      .owner = 1001};
	static const struct mw_effect out = {.class = MW_CONNECT, .target = "10.1.2.3:8080"};
	static const struct mw_effect named = {.class = MW_CONNECT, .target = "a.example.com:443"};
	static const struct mw_effect local = {
	        .class = MW_CONNECT, .target = "/run/x", .facts = MW_FACT_UNIX};
	static const struct mw_effect file = {
	        .class = MW_WRITE, .target = "x/../y", .file = "/models/m/y"};
	static const struct mw_effect spelled = {.class = MW_WRITE, .target = "/t/../etc/x"};
	static const struct mw_effect half = {
	        .class = MW_WRITE, .target = "/t/a", .target2 = "/t/b", .file = "/t/a"};
	static const struct mw_effect move = {.class = MW_WRITE,
	                                      .target = "/t/a",
	                                      .target2 = "/t/b",
	                                      .file = "/t/a",
	                                      .file2 = "/u/b"};
	static const struct {
		const struct mw_effect *effect;
		const char *yes, *no;
	} cases[] = {
	        {&exec, "op: os.*", "op: os.popen"},
	        {&exec, "target: gcc", "target: /usr/bin/gcc"},
	        {&exec, "executable: /usr/bin/gcc", "executable: gcc"},
	        {&exec, "executable_owner: 1000", "executable_owner: root"},
	        {&exec, "argv: gcc -o a\\ b", "argv: gcc -o a b c"},
	        {&exec, "argv: 'gcc -o **'", "argv: 'gcc **'"},
	        {&exec, "entry: torch.*", "entry: joblib.load"},
	        {&exec, "artifact: /models/**.pt", "artifact: /models/*.pt"},
	        {&exec, "global: posix.system", "global: posix"},
	        {&exec, "call: posix.system", "call: nt.system"},
	        {&exec, "module: posix", "module: posix.system"},
	        {&exec, "sha256: aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11",
	         "sha256: bb11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"},
	        {&exec,
	         "stream_sha256: "
	         "sha256:AA11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11",
	         "stream_sha256: bb11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"},
	        {&out, "address: 10.0.0.0/8", "address: 10.128.0.0/9"},
	        {&out, "address: 10.1.2.2/31", "address: 10.1.2.4/30"},
	        {&out, "address: 10.1.2.3", "address: 10.1.2.30"},
	        {&out, "address: '::ffff:10.1.2.3'", "address: '::/0'"},
	        {&out, "address: 0.0.0.0/0", "address: '*.example.com'"},
	        {&out, "port: [1, 8000-8999]", "port: [80, 8081-9000]"},
	        {&named, "address: '*.example.com'", "address: 0.0.0.0/0"},
	        {&named, "port: 443", "port: 80"},
	        {&local, "unix: /run/*", "unix: /var/run/*"},
	        {&file, "path: /models/m/*", "path: x/**"},
	        {&file, "path: '{artifact_dir}/y'", "path: '{artifact_dir}/../y'"},
	        {&move, "path: ['/t/*', '/u/*']", "path: '/t/*'"},
	        {&file, "target: x/../y", "path: /models/y"},
	        {&spelled, "target: /t/**", "path: /t/**"},
	        {&half, "target: /t/*", "path: ['/t/*', '/u/*']"},
	        {&exec, "effect: exec", "address: '*'"},
	        {&exec, "cause: call", "cause: [import, native]"},
	        {&exec, "origin: file", "origin: bytes"},
	};
	const struct mw_load_view load = {.origin = MW_FROM_FILE,
	                                  .entry = "torch.load",
	                                  .artifact = "/models/m/x.pt",
	                                  .global = "posix.system",
	                                  .call = "posix.system",
	                                  .stream_sha256 = sha,
	                                  .sha256 = sha};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		const char *field = i % 2 ? cases[i / 2].no : cases[i / 2].yes;
		char rules[512];

		snprintf(rules, sizeof(rules), "- name: it\n  verdict: observe\n  %s\n", field);
		take(rules, MW_DENY);
		if (strcmp(ask(cases[i / 2].effect, &load).rule, i % 2 ? "none" : "it"))
			fail_msg("%s", field);
	}
}

static void the_directory_of_the_artifact_is_taken_as_it_is(void **state)
{
	const struct mw_effect effect = {.class = MW_WRITE, .file = "/m/ax/y"};
	struct mw_load_view load = file_load;

	(void)state;
	take("- {name: it, path: '{artifact_dir}/**', verdict: observe}\n", MW_DENY);
	load.artifact = "/m/*/m.pt";
	assert_string_equal(ask(&effect, &load).rule, "none");
	load.artifact = "/m/ax/m.pt";
	assert_string_equal(ask(&effect, &load).rule, "it");
	load.artifact = NULL;
	assert_string_equal(ask(&effect, &load).rule, "none");
}

static void arguments_that_were_cut_match_only_an_open_end(void **state)
{
	static const char *const argv[] = {"ls", "-l"};
	struct mw_effect effect = {.class = MW_EXEC, .argv = argv, .argc = 2, .argv_cut = true};

	(void)state;
	take("- {name: exact, argv: ls -l, verdict: observe}\n"
	     "- {name: open, argv: ls -l***, verdict: observe}\n",
	     MW_DENY);
	assert_string_equal(ask(&effect, &file_load).rule, "open");
	effect.argv_cut = false;
	assert_string_equal(ask(&effect, &file_load).rule, "exact");
}

static void is_refused(void *place, uint32_t value)
{
	uint32_t before;

	memcpy(&before, place, sizeof(before));
	memcpy(place, &value, sizeof(value));
	assert_int_equal(mw_policy_check(image, size), -EINVAL);
	memcpy(place, &before, sizeof(before));
	assert_int_equal(mw_policy_check(image, size), 0);
}

static void images_that_are_not_to_be_read(void **state)
{
	struct mw_rule *rules;
	struct mw_condition *conditions;
	struct mw_index_entry *entries;
	char *bytes;

	(void)state;
	take(TWO("allow") "- {name: third, port: 80, verdict: deny}\n", MW_DENY);
	bytes = (char *)image;
	rules = (void *)(bytes + image->rules);
	conditions = (void *)(bytes + rules[0].conditions);
	entries = (void *)(bytes + image->index[MW_WRITE].entries);
	assert_int_equal(mw_policy_check(image, size - 1), -EINVAL);
	assert_int_equal(mw_policy_check(image, 4), -EINVAL);
	assert_int_equal(rules[0].severity, MW_BY_TABLE);
	rules[0].severity = MW_BY_TABLE + 1;
	assert_int_equal(mw_policy_check(image, size), -EINVAL);
	rules[0].severity = MW_BY_TABLE;
	is_refused(&image->version, MW_POLICY_VERSION - 1);
	is_refused(&image->rule_count, 1000);
	is_refused(&image->rules, 3);
	is_refused(&image->mode, MW_ALLOW);
	is_refused(&image->index[MW_MAP].count, 1u << 30);
	is_refused(&image->index[MW_MAP].entries, (uint32_t)size + 8);
	is_refused(&entries[0].rule, 77);
	is_refused(&entries[0].key_field, MW_FIELD_COUNT);
	is_refused(&entries[0].prefix_len, MW_KEY_PREFIX + 1);
	assert_true(entries[0].prefix_len);
	is_refused(entries[0].prefix, 0); /* a text's end is no part of what it begins with */
	is_refused(&rules[0].name, (uint32_t)size);
	is_refused(&rules[1].conditions, 1);
	is_refused(&rules[0].condition_count, 1u << 30);
	is_refused(&conditions[0].field, MW_FIELD_COUNT);
	is_refused(&conditions[0].values, (uint32_t)size - 1 + !bytes[size - 1]);
	conditions = (void *)(bytes + rules[2].conditions);
	is_refused(&conditions[0].values, (uint32_t)size - 4);
	is_refused(bytes + conditions[0].values, 1u << 29);
}

static int teardown(void **state)
{
	(void)state;
	free(image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(patterns),
	        cmocka_unit_test(patterns_agree_with_their_definition),
	        cmocka_unit_test(a_list_matches_when_one_of_it_does),
	        cmocka_unit_test(a_pattern_of_stars_takes_no_time),
	        cmocka_unit_test(an_escaped_text_matches_itself_alone),
	        cmocka_unit_test(wrong_patterns_are_told),
	        cmocka_unit_test(addresses_are_split),
	        cmocka_unit_test(the_first_rule_that_matches_decides),
	        cmocka_unit_test(the_mode_is_a_ceiling),
	        cmocka_unit_test(an_evasion_is_at_least_an_alert),
	        cmocka_unit_test(what_no_rule_names_is_denied),
	        cmocka_unit_test(what_would_decide_next_is_told),
	        cmocka_unit_test(what_the_monitor_knows_is_left_to_it),
	        cmocka_unit_test(a_rule_that_has_expired_is_named),
	        cmocka_unit_test(every_field_is_asked),
	        cmocka_unit_test(the_directory_of_the_artifact_is_taken_as_it_is),
	        cmocka_unit_test(arguments_that_were_cut_match_only_an_open_end),
	        cmocka_unit_test(images_that_are_not_to_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
