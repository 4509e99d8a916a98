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

#include "policy_of.h"

static char path[] = "/tmp/test_policy_file.XXXXXX";
static char error[300];
static struct mw_policy *image;
static size_t size;

/* The policy of a run with --policy=`file`. */
static int load_file(const char *file, json_t *subject)
{
	free(image);
	return policy_of_run(file, subject, &image, &size, error);
}

static void save(const char *file, const char *text, size_t len)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static int load_bytes(const char *text, size_t len)
{
	save(path, text, len);
	return load_file(path, json_object());
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

static const struct mw_condition *condition(const struct mw_rule *r, enum mw_field field)
{
	const struct mw_condition *c = (const void *)((const char *)image + r->conditions);

	for (uint32_t i = 0; i < r->condition_count; i++)
		if (c[i].field == field)
			return &c[i];
	fail_msg("no condition on %s", mw_field_name(field));
	return NULL;
}

static const char *text_at(uint32_t offset)
{
	return (const char *)image + offset;
}

static void built_in_policy_compiles(void **state)
{
	struct mw_load_view view = {.origin = MW_FROM_FILE};
	const char *argv[] = {"sh", "-c", "id"};
	struct mw_effect effect = {.class = MW_EXEC,
	                           .cause = MW_BY_CALL,
	                           .op = "os.system",
	                           .target = "/bin/sh",
	                           .argv = argv,
	                           .argc = 3};
	struct mw_decision decision;

	(void)state;
	assert_int_equal(load_file(NULL, json_object()), 0);
	assert_int_equal(mw_policy_check(image, size), 0);
	assert_int_equal(image->mode, MW_DENY);
	mw_decide(image, &view, &effect, &decision);
	assert_int_equal(decision.verdict, MW_DENY);
	assert_int_equal(decision.own_severity, MW_BY_TABLE);
	assert_string_equal(decision.rule, "load-exec");
}

static void every_field_is_compiled(void **state)
{
	static const char sha[] =
	        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	const struct mw_numbers *ports;
	const struct mw_rule *r;
	char text[2048];

	(void)state;
	assert_int_equal(mkdir("/tmp/scr*tch", 0700) < 0 && errno != EEXIST, 0);
	setenv("TMPDIR", "/tmp/scr*tch/", 1);
	setenv("HOME", "/nowhere/u", 1);
	setenv("PYTHONPYCACHEPREFIX", "/nowhere/c", 1);
	snprintf(text, sizeof(text),
	         "version: 1\n"
	         "mode: kill\n"
	         "labels: {team: vision}\n"
	         "rules:\n"
	         "  - {name: a, effect: [write, map], cause: call, origin: [file, bytes],\n"
	         "     when: [new], unless: [called, pyc], op: 'open*', argv: ['a b'],\n"
	         "     path: ['{tmp}/**', '{home}/x', '{pycache}/y', '{artifact_dir}\\{'],\n"
	         "     global: ['torch.*', numpy.x], port: [1-2, 7], executable_owner: root,\n"
	         "     sha256: %s, verdict: allow, severity: low, reason: why not, owner: me}\n"
	         "  - name: b\n"
	         "    verdict: alert\n",
	         sha);
	assert_int_equal(load(text), 0);
	assert_int_equal(mw_policy_check(image, size), 0);
	assert_int_equal(image->mode, MW_KILL);
	r = rule(0);
	assert_string_equal(text_at(r->name), "a");
	assert_int_equal(r->classes, 1 << MW_WRITE | 1 << MW_MAP);
	assert_int_equal(r->causes, 1 << MW_BY_CALL);
	assert_int_equal(r->origins, 1 << MW_FROM_FILE | 1 << MW_FROM_BYTES);
	assert_int_equal(r->all, MW_FACT_NEW);
	assert_int_equal(r->none, MW_FACT_CALLED | MW_FACT_PYC);
	assert_memory_equal(text_at(condition(r, MW_FIELD_OP)->values), "open*\0", 7);
	assert_memory_equal(text_at(condition(r, MW_FIELD_ARGV)->values), "a b\0", 5);
	assert_memory_equal(text_at(condition(r, MW_FIELD_PATH)->values),
	                    "/tmp/scr\\*tch/**\0/nowhere/u/x\0**/__pycache__/y\0/nowhere/c/y\0"
	                    "\x02\\{\0",
	                    65);
	assert_memory_equal(text_at(condition(r, MW_FIELD_GLOBAL)->values), "torch.*\0numpy.x\0",
	                    17);
	assert_string_equal(text_at(condition(r, MW_FIELD_SHA256)->values), sha);
	assert_int_equal(condition(r, MW_FIELD_SHA256)->hash, mw_policy_hash(sha));
	assert_int_equal(condition(r, MW_FIELD_OP)->hash, 0);
	ports = (const void *)text_at(condition(r, MW_FIELD_PORT)->values);
	assert_int_equal(ports->count, 2);
	assert_int_equal(ports->range[0].high, 2);
	assert_int_equal(ports->range[1].low, 7);
	assert_int_equal(r->verdict, MW_ALLOW);
	assert_int_equal(r->severity, MW_LOW);
	r = rule(1);
	assert_int_equal(r->classes, UINT32_MAX);
	assert_int_equal(r->severity, MW_BY_TABLE);
	assert_int_equal(r->condition_count, 0);
	assert_string_equal(text_at(rule(2)->name), "session-message");
	rmdir("/tmp/scr*tch");
	unsetenv("TMPDIR");
	unsetenv("PYTHONPYCACHEPREFIX");
}

/* A rule of somebody else's is left out of the image. */
static void rules_are_for_whom_they_name(void **state)
{
	static const char *const subject =
	        "{\"user\": {\"uid\": 1000, \"name\": \"ann\", \"groups\": [4, 1000]},"
	        " \"job\": {\"kind\": \"slurm\", \"id\": \"77\"},"
	        " \"container\": {\"image\": \"r/x:1\", \"pod\": {\"namespace\": \"prod\"}},"
	        " \"labels\": {\"team\": \"vision\"}}";
	static const struct {
		const char *field;
		bool match;
	} cases[] = {
	        {"uid: 1000", true},
	        {"uid: [7, ann]", true},
	        {"uid: 100", false},
	        {"group: 4", true},
	        {"group: 5", false},
	        {"job: 'slurm:*'", true},
	        {"job: 'pbs:77'", false},
	        {"image: 'r/**'", true},
	        {"namespace: prod", true},
	        {"namespace: dev", false},
	        {"labels: [a=b, team=v*]", true},
	        {"labels: team", false},
	        {"uid: 1000\n    namespace: dev", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[200];
		bool match;

		snprintf(text, sizeof(text),
		         "version: 1\nrules:\n  - name: it\n    verdict: deny\n    %s\n",
		         cases[i].field);
		save(path, text, strlen(text));
		assert_int_equal(load_file(path, json_loads(subject, 0, NULL)), 0);
		match = !strcmp(text_at(rule(0)->name), "it");
		if (match != cases[i].match)
			fail_msg("%s", cases[i].field);
	}
	assert_int_equal(load("version: 1\nrules: [{name: it, verdict: deny, uid: 1}]\n"), 0);
	assert_string_equal(text_at(rule(0)->name), "session-message");
}

static const struct mw_rule *named(const char *name)
{
	for (uint32_t i = 0; i < image->rule_count; i++)
		if (!strcmp(text_at(rule(i)->name), name))
			return rule(i);
	return NULL;
}

/* The user's own file lies in a directory that a variable names; the site's are tested with the
 * program (tests/test_policy.py), which needs a file system of its own for them. */
static void the_users_file_comes_after_the_command_line(void **state)
{
	char directory[200], file[220];

	(void)state;
	snprintf(directory, sizeof(directory), "%s.d", path);
	setenv("XDG_CONFIG_HOME", directory, 1);
	assert_int_equal(mkdir(directory, 0700), 0);
	snprintf(file, sizeof(file), "%s/modelwatch", directory);
	assert_int_equal(mkdir(file, 0700), 0);
	strcat(file, "/policy.yaml");
	save(file, "version: 1\nrules: [{name: user, verdict: deny}]\n", 48);
	assert_int_equal(load("version: 1\nrules: [{name: mine, verdict: deny}]\n"), 0);
	assert_ptr_equal(named("mine"), rule(0));
	assert_ptr_equal(named("user"), rule(1));
	assert_int_equal(load("version: 1\nrules: [{name: user, verdict: deny}]\n"), -EINVAL);
	assert_non_null(strstr(error, file));
	chmod(file, 0666);
	assert_int_equal(load("version: 1\n"), -EPERM);
	assert_non_null(strstr(error, "everybody can write it"));
	unlink(file);
	*strrchr(file, '/') = '\0';
	rmdir(file);
	rmdir(directory);
	unsetenv("XDG_CONFIG_HOME");
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
        {"version: 1\nrules: [{name: load-exec, verdict: deny}]\n", ":2:9: ", "(built-in policy:"},
        {"version: 1\nmode: allow\n", ":2:7: ", "mode 'allow'"},
        {"version: 1\nlabels: [a]\n", ":2:9: ", "mapping"},
        {"version: 1\nlabels: {a: [b]}\n", ":2:13: ", "single value"},
        {"version: 1\nrules: [{name: a, verdict: allow, reason: r}]\n", ":2:9: ", "needs an owner"},
        {"version: 1\nrules: [{name: a, final: true}]\n", ":2:26: ", "only the site's"},
        {"version: 1\nrules: [{name: a, final: maybe}]\n", ":2:26: ", "true or false"},
        {"version: 1\nrules: [{name: a, expires: soon}]\n", ":2:28: ", "RFC 3339"},
        {"version: 1\nrules: [{name: a, expires: 2020-02-30}]\n", ":2:28: ", "RFC 3339"},
        {"version: 1\nrules: [{name: a, expires: 2020-01-31}]\n", ":2:28: ", "in the past"},
        {"version: 1\nrules: [{name: a, expires: '2020-01-31T12:00:00Z'}]\n",
         ":2:28: ", "in the past"},
        {"version: 1\nrules: [{name: a, op: '[ab'}]\n", ":2:23: ", "bad pattern"},
        {"version: 1\nrules: [{name: a, path: 'a****'}]\n", ":2:25: ", "bad pattern"},
        {"version: 1\nrules: [{name: a, sha256: abc}]\n", ":2:27: ", "64 hexadecimal"},
        {"version: 1\nrules: [{name: a, port: 70000}]\n", ":2:25: ", "no range of ports"},
        {"version: 1\nrules: [{name: a, port: 9-8}]\n", ":2:25: ", "no range of ports"},
        {"version: 1\nrules: [{name: a, port: http}]\n", ":2:25: ", "a port is"},
        {"version: 1\nrules: [{name: a, address: 10.0.0.0/33}]\n", ":2:28: ", "0 to 32"},
        {"version: 1\nrules: [{name: a, address: x/8}]\n", ":2:28: ", "no network"},
        {"version: 1\nrules: [{name: a, executable_owner: nobody-at-all}]\n", ":2:37: ", "no user"},
        {"version: 1\nrules: [{name: a, name: b}]\n", ":2:19: ", "twice"},
        {"version: 1\nrules: [{name: a, colour: red}]\n", ":2:19: ", "unknown field 'colour'"},
        {"version: 1\nrules: [{name: a, effect: [exec, fly]}]\n", ":2:34: ", "'fly'"},
        {"version: 1\nrules: [{name: a, effect: []}]\n", ":2:28: ", "empty list"},
        {"version: 1\nrules: [{name: a, effect: {exec: 1}}]\n", ":2:27: ", "list of values"},
        {"version: 1\nrules: [{name: a, effect: [[exec]]}]\n", ":2:28: ", "single value"},
        {"version: 1\nrules: [{name: a, op: ''}]\n", ":2:23: ", "empty"},
        {"version: 1\nrules: [{name: a, op: \"a\\x01\"}]\n", ":2:23: ", "control"},
        {"version: 1\nrules: [{name: a, target: '{tpm}/x'}]\n", ":2:27: ", "braces"},
        {"version: 1\nfloor: off\n", ":2:8: ", "floor must be a mapping"},
        {"version: 1\nfloor: {io_ring: allow}\n", ":2:18: ", "'io_ring' is not known"},
        {"version: 1\nfloor: {io_uring: yes}\n", ":2:19: ", "it is refuse or allow"},
        {"version: 1\nfloor: {on_death: shut}\n", ":2:19: ", "it is open or closed"},
        {"version: 1\nrules: [{name: a, when: pyc, unless: pyc, verdict: deny}]\n",
         ":2:9: ", "never holds"},
        {"version: 1\nrules: [{name: &n a, verdict: deny}, {name: *n, verdict: deny}]\n",
         ":2:45: ", "aliases"},
        {"version: 1\nrules: [{name: a, verdict: deny}, {name: a, verdict: deny}]\n",
         ":2:35: ", "already a rule called 'a'"},
        {"version: 1\nrules: [\n", ":3:1: ", "no valid YAML"},
        {"version: 1\n\trules: []\n", ":2:1: ", "no valid YAML"},
        {"version: \xff\n", ":1:10: ", "no valid YAML"},
        {"version: 1\nlabels: {\xc3\xa9: \xc3\xa9, b: \xc3(}\n", ":2:20: ", "no valid YAML"},
        {"\xef\xbb\xbfversion: 1\nrule: []\n", ":2:1: ", "unknown field 'rule'"},
        {"\xef\xbb\xbf[]", ":1:1: ", "version: 1"},
        {"version: 1\nrules: [{name: a, expires: 9999-12-31}]\n", ":2:28: ", "until 2261"},
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
	assert_int_equal(load("version: 1\nrules: [{\"\\x9b31m\\u202e\": 1}]\n"), -EINVAL);
	assert_non_null(strstr(error, "'\\u009b31m\\u202e'"));
	assert_int_equal(load_bytes("version: 1\0\n", 12), -EINVAL);
}

static void unreadable_files_are_told(void **state)
{
	(void)state;
	assert_int_equal(load_file("/nonexistent/p.yaml", json_object()), -ENOENT);
	assert_string_equal(error, "/nonexistent/p.yaml: No such file or directory");
	assert_int_equal(load_file("/tmp", json_object()), -EISDIR);
	assert_int_equal(load_file("/dev/zero", json_object()), -EFBIG);
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
	char home[] = "/tmp/test_policy_long.0123456789012345678901234567890123456789";
	size_t n = strlen(pad);

	(void)state;
	assert_int_equal(load_many(50000, ""), 0);
	assert_int_equal(mw_policy_check(image, size), 0);
	assert_string_equal(text_at(rule(49999)->name), "r49999");
	assert_int_equal(load_many(100001, ""), -EINVAL);
	assert_non_null(strstr(error, "more than 100000 rules"));
	setenv("HOME", home, 1);
	for (int i = 0; i < 1300; i++)
		n += (size_t)sprintf(pad + n, "{home}");
	strcpy(pad + n, "'");
	assert_int_equal(load_many(1500, pad), -EFBIG);
	assert_non_null(strstr(error, "too large"));
	setenv("HOME", "/nowhere", 1);
}

static void the_floor_is_compiled(void **state)
{
	(void)state;
	assert_int_equal(load("version: 1\n"), 0);
	assert_int_equal(image->floor.io_uring, 0);
	assert_int_equal(image->floor.closed, 0);
	assert_int_equal(load("version: 1\nfloor: {on_death: closed}\n"), 0);
	assert_int_equal(image->floor.io_uring, 0);
	assert_int_equal(image->floor.closed, 1);
	assert_int_equal(load("version: 1\nfloor: {io_uring: allow, on_death: open}\n"), 0);
	assert_int_equal(image->floor.io_uring, 1);
	assert_int_equal(image->floor.closed, 0);
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	setenv("HOME", "/nowhere", 1);
	unsetenv("XDG_CONFIG_HOME");
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
	        cmocka_unit_test(rules_are_for_whom_they_name),
	        cmocka_unit_test(the_users_file_comes_after_the_command_line),
	        cmocka_unit_test(digest_tells_policies_apart),
	        cmocka_unit_test(mistakes_are_told_with_their_place),
	        cmocka_unit_test(unreadable_files_are_told),
	        cmocka_unit_test(limits_hold),
	        cmocka_unit_test(the_floor_is_compiled),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
