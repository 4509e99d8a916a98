#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../core/policy.h"
#include "../../tools/policy_file.h"

static char path[] = "/tmp/test_policy_file.XXXXXX";
static char error[300];
static struct mw_policy *image;
static size_t size;

static int load_bytes(const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	free(image);
	image = NULL;
	error[0] = '\0';
	return mw_policy_load(path, MW_DENY, &image, &size, error, sizeof(error));
}

static int load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static const struct mw_rule *rule(uint32_t i)
{
	assert_true(i < image->rule_count);
	return (const struct mw_rule *)((const char *)image + image->rules) + i;
}

static const char *text_at(uint32_t offset)
{
	return (const char *)image + offset;
}

static void built_in_policy_compiles(void **state)
{
	struct mw_load_view view = {MW_FROM_FILE, NULL};
	const char *argv[] = {"sh", "-c", "id"};
	struct mw_effect effect = {.class = MW_EXEC,
	                           .cause = MW_BY_CALL,
	                           .op = "os.system",
	                           .target = "/bin/sh",
	                           .argv = argv,
	                           .argc = 3};
	struct mw_decision decision;

	(void)state;
	free(image);
	assert_int_equal(mw_policy_load(NULL, MW_DENY, &image, &size, error, sizeof(error)), 0);
	assert_int_equal(mw_policy_check(image, size), 0);
	assert_int_equal(image->mode, MW_DENY);
	mw_decide(image, &view, &effect, &decision);
	assert_int_equal(decision.verdict, MW_DENY);
	assert_int_equal(decision.severity, MW_CRITICAL);
	assert_string_equal(decision.rule, "load-exec");
}

static void every_field_is_compiled(void **state)
{
	const struct mw_rule *r;

	(void)state;
	setenv("TMPDIR", "/scr*tch/", 1);
	setenv("HOME", "/home/u", 1);
	assert_int_equal(
	        load("version: 1\n"
	             "rules:\n"
	             "  - {name: a, effect: [write, map], cause: call, origin: [file, bytes],\n"
	             "     when: [new], unless: [called, pyc], op: 'open*', argv: ['a b'],\n"
	             "     target: ['{tmp}/**', '{home}/x'], global: ['torch.*', numpy.x],\n"
	             "     verdict: allow, severity: low, reason: why not}\n"
	             "  - name: b\n"
	             "    verdict: alert\n"),
	        0);
	assert_int_equal(mw_policy_check(image, size), 0);
	r = rule(0);
	assert_string_equal(text_at(r->name), "a");
	assert_int_equal(r->classes, 1 << MW_WRITE | 1 << MW_MAP);
	assert_int_equal(r->causes, 1 << MW_BY_CALL);
	assert_int_equal(r->origins, 1 << MW_FROM_FILE | 1 << MW_FROM_BYTES);
	assert_int_equal(r->all, MW_FACT_NEW);
	assert_int_equal(r->none, MW_FACT_CALLED | MW_FACT_PYC);
	assert_memory_equal(text_at(r->ops), "open*\0", 7);
	assert_memory_equal(text_at(r->argv), "a b\0", 5);
	assert_memory_equal(text_at(r->targets), "/scr?tch/**\0/home/u/x\0", 23);
	assert_memory_equal(text_at(r->globals), "torch.*\0numpy.x\0", 17);
	assert_int_equal(r->verdict, MW_ALLOW);
	assert_int_equal(r->severity, MW_LOW);
	r = rule(1);
	assert_int_equal(r->classes, UINT32_MAX);
	assert_int_equal(r->severity, MW_MEDIUM);
	assert_int_equal(r->ops | r->targets | r->argv | r->globals, 0);
	assert_string_equal(text_at(rule(2)->name), "session-message");
	unsetenv("TMPDIR");
}

static void digest_tells_policies_apart(void **state)
{
	uint8_t digest[32];

	(void)state;
	assert_int_equal(load("version: 1\n"), 0);
	memcpy(digest, image->digest, sizeof(digest));
	assert_int_equal(load("version: 1 \n"), 0);
	assert_memory_not_equal(digest, image->digest, sizeof(digest));
	assert_int_equal(load("version: 1\n"), 0);
	assert_memory_equal(digest, image->digest, sizeof(digest));
}

static const struct {
	const char *text, *where, *what;
} wrong[] = {
        {"", ":1:1: ", "empty"},
        {"[]", ":1:1: ", "version: 1"},
        {"rules: []\n", ":2:1: ", "missing"},
        {"version: 2\n", ":1:10: ", "version '2'"},
        {"version: 1\nversion: 1\n", ":2:1: ", "twice"},
        {"version: 1\nrule: []\n", ":2:1: ", "unknown field 'rule'"},
        {"version: 1\nrules: x\n", ":2:8: ", "list"},
        {"version: 1\nrules: [x]\n", ":2:9: ", "mapping"},
        {"version: 1\n---\nversion: 1\n", ":2:1: ", "one document"},
        {"version: 1\nrules: [{verdict: deny}]\n", ":2:9: ", "no name"},
        {"version: 1\nrules: [{name: a}]\n", ":2:9: ", "'a' has no verdict"},
        {"version: 1\nrules: [{name: a, verdict: allow}]\n", ":2:9: ", "needs a reason"},
        {"version: 1\nrules: [{name: a, verdict: maybe}]\n", ":2:28: ", "no such word 'maybe'"},
        {"version: 1\nrules: [{name: a b, verdict: deny}]\n", ":2:16: ", "letters"},
        {"version: 1\nrules: [{name: none, verdict: deny}]\n", ":2:16: ", "no rule matches"},
        {"version: 1\nrules: [{name: load-exec, verdict: deny}]\n", "built-in policy:", "already"},
        {"version: 1\nrules: [{name: a, name: b}]\n", ":2:19: ", "twice"},
        {"version: 1\nrules: [{name: a, colour: red}]\n", ":2:19: ", "unknown field 'colour'"},
        {"version: 1\nrules: [{name: a, effect: [exec, fly]}]\n", ":2:34: ", "'fly'"},
        {"version: 1\nrules: [{name: a, effect: []}]\n", ":2:28: ", "empty list"},
        {"version: 1\nrules: [{name: a, effect: {exec: 1}}]\n", ":2:27: ", "list of values"},
        {"version: 1\nrules: [{name: a, effect: [[exec]]}]\n", ":2:28: ", "single value"},
        {"version: 1\nrules: [{name: a, op: ''}]\n", ":2:23: ", "empty"},
        {"version: 1\nrules: [{name: a, op: \"a\\x01\"}]\n", ":2:23: ", "control"},
        {"version: 1\nrules: [{name: a, target: '{tpm}/x'}]\n", ":2:27: ", "braces"},
        {"version: 1\nrules: [{name: a, when: pyc, unless: pyc, verdict: deny}]\n",
         ":2:9: ", "never holds"},
        {"version: 1\nrules: [{name: &n a, verdict: deny}, {name: *n, verdict: deny}]\n",
         ":2:45: ", "aliases"},
        {"version: 1\nrules: [{name: a, verdict: deny}, {name: a, verdict: deny}]\n",
         ":2:35: ", "already a rule called 'a'"},
        {"version: 1\nrules: [\n", ":3:1: ", "no valid YAML"},
        {"version: 1\n\trules: []\n", ":2:1: ", "no valid YAML"},
        {"version: \xff\n", ":1:", "no valid YAML"},
};

static void mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(load(wrong[i].text), -EINVAL);
		if (!strstr(error, wrong[i].where) || !strstr(error, wrong[i].what))
			fail_msg("%s: %s", wrong[i].text, error);
	}
	assert_int_equal(load("version: 1\nrules: [{\"\\e[31m\": 1}]\n"), -EINVAL);
	assert_null(strchr(error, '\033'));
	assert_int_equal(load_bytes("version: 1\0\n", 12), -EINVAL);
}

static void unreadable_files_are_told(void **state)
{
	(void)state;
	assert_int_equal(
	        mw_policy_load("/nonexistent/p.yaml", MW_DENY, &image, &size, error, sizeof(error)),
	        -ENOENT);
	assert_string_equal(error, "/nonexistent/p.yaml: No such file or directory");
	assert_int_equal(mw_policy_load("/tmp", MW_DENY, &image, &size, error, sizeof(error)),
	                 -EISDIR);
	assert_int_equal(mw_policy_load("/dev/zero", MW_DENY, &image, &size, error, sizeof(error)),
	                 -EFBIG);
}

/* As many rules as `count`, each with `pad` more bytes of patterns. */
static int load_many(unsigned count, const char *pad)
{
	size_t room = 64 + count * (48 + strlen(pad)), len;
	char *text = malloc(room);
	int result;

	assert_non_null(text);
	len = (size_t)sprintf(text, "version: 1\nrules:\n");
	for (unsigned i = 0; i < count; i++)
		len += (size_t)sprintf(text + len, "- {name: r%u, verdict: deny%s}\n", i, pad);
	result = load_bytes(text, len);
	free(text);
	return result;
}

static void limits_hold(void **state)
{
	static char pad[8192] = ", target: '";
	size_t n = strlen(pad);

	(void)state;
	assert_int_equal(load_many(50000, ""), 0);
	assert_int_equal(mw_policy_check(image, size), 0);
	assert_string_equal(text_at(rule(49999)->name), "r49999");
	assert_int_equal(load_many(100001, ""), -EINVAL);
	assert_non_null(strstr(error, "more than 100000 rules"));
	setenv("TMPDIR", "/0123456789/0123456789/0123456789/0123456789/0123456789", 1);
	for (int i = 0; i < 1600; i++)
		n += (size_t)sprintf(pad + n, "{tmp}");
	strcpy(pad + n, "'");
	assert_int_equal(load_many(1500, pad), -EFBIG);
	assert_non_null(strstr(error, "too large"));
	unsetenv("TMPDIR");
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	free(image);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(built_in_policy_compiles),
	        cmocka_unit_test(every_field_is_compiled),
	        cmocka_unit_test(digest_tells_policies_apart),
	        cmocka_unit_test(mistakes_are_told_with_their_place),
	        cmocka_unit_test(unreadable_files_are_told),
	        cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
