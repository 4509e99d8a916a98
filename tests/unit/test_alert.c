/* Alerts of a record that names this very process, as a reader of the alerts file sees them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include "../../core/effect.h"
#include "../../tools/alert.h"
#include "../../tools/alert_parts.h"
#include "../../tools/artifact.h"
#include "../../tools/text.h"
#include "../../tools/zip.h"

#define STR(s)                                                                                     \
	(struct mw_str)                                                                            \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}

/* posix.system('id') */
static const char pickle[] = "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.";
#define REDUCE_AT 23

static char directory[] = "/tmp/test_alert.XXXXXX";
static char model[64], alerts_path[64], stderr_path[64];
static int real_stderr;

static struct mw_alert_options options = {.mode = MW_DENY, .policy_digest = "abcd"};
static struct mw_record record;
static char id[40], title[600];

static struct mw_decision decision;

static void fill(void)
{
	static const struct mw_str argv[] = {{"sh", 2}, {"-c", 2}, {"id", 2}};

	decision = (struct mw_decision){.verdict = MW_DENY,
	                                .requested = MW_DENY,
	                                .own_severity = MW_BY_TABLE,
	                                .rule = "load-exec"};
	memset(&record, 0, sizeof(record));
	record.kind = MW_EFFECT;
	record.tid = (uint32_t)gettid();
	record.load = (struct mw_record_load){
	        .id = 0x1234,
	        .origin = MW_FROM_FILE,
	        .entry = STR("torch.load"),
	        .path = {model, (uint32_t)strlen(model)},
	        .fd = -1,
	        .data = (uint64_t)(uintptr_t)pickle,
	        .data_len = sizeof(pickle) - 1,
	        .tell = sizeof(pickle) - 2,
	        .tell_exact = true,
	        .globals = 1,
	        .seen = {STR("posix system")},
	        .seen_count = 1,
	};
	record.effect = (struct mw_record_effect){
	        .class = MW_EXEC,
	        .cause = MW_BY_CALL,
	        .sensor = MW_PYTHON,
	        .facts = MW_FACT_PINNED | MW_FACT_UNANNOUNCED,
	        .op = STR("os.system"),
	        .target = STR("/bin/sh"),
	        .argc = 3,
	};
	memcpy(record.effect.argv, argv, sizeof(argv));
	record.frames[0] = (struct mw_pyframe){STR("load"), STR("/v/site-packages/torch/s.py"), 9};
	record.frames[1] = (struct mw_pyframe){STR("main\x1b[31m\xff"), STR("/home/u/train.py"), 3};
	record.frame_count = 2;
	record.inside = 0;
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

/* A new reference: the lines of a JSON Lines file. */
static json_t *lines_of(const char *path)
{
	json_t *list = json_array();
	char *line = NULL;
	size_t room = 0;
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	while (getline(&line, &room, in) > 0)
		assert_int_equal(json_array_append_new(list, json_loads(line, 0, NULL)), 0);
	free(line);
	fclose(in);
	return list;
}

static void make(struct mw_alerts *a)
{
	struct mw_location at;

	mw_locate(getpid(), &record, &at);
	mw_alerts_effect(a, getpid(), &record, &record.load, &at, &decision, id, title);
}

/* One alert of `record`: its lines. */
static json_t *lines_of_one(void)
{
	struct mw_alerts *a;
	json_t *lines;

	options.alerts_path = alerts_path;
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	make(a);
	mw_alerts_close(a);
	lines = lines_of(alerts_path);
	unlink(alerts_path);
	return lines;
}

static char *text_of(const char *path)
{
	static char text[16384];
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return text;
}

static void catch_stderr(void)
{
	int fd = open(stderr_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static const char *text_on_stderr(void)
{
	dup2(real_stderr, STDERR_FILENO);
	return text_of(stderr_path);
}

static const char *word(json_t *object, const char *a, const char *b, const char *c)
{
	object = json_object_get(object, a);
	object = b ? json_object_get(object, b) : object;
	object = c ? json_object_get(object, c) : object;
	return json_string_value(object) ? json_string_value(object) : "(no string)";
}

static const char *const required[] = {
        "schema",       "id",      "update",  "time",  "rule",      "title",
        "severity",     "effect",  "verdict", "mode",  "requested", "outcome",
        "sensor",       "seen_by", "evasion", "load",  "cause",     "python_stack",
        "native_stack", "process", "user",    "job",   "container", "host",
        "policy",       "version", "labels",  "count", "reporter",  "reports"};

static void alert_has_every_field(void **state)
{
	json_t *lines, *alert, *load;
	struct stat st;
	struct mw_alerts *a;

	(void)state;
	fill();
	options.quiet = true;
	lines = lines_of_one();
	assert_int_equal(json_array_size(lines), 1);
	alert = json_array_get(lines, 0);
	for (size_t i = 0; i < sizeof(required) / sizeof(*required); i++)
		if (!json_object_get(alert, required[i]))
			fail_msg("no field %s", required[i]);
	assert_string_equal(word(alert, "id", NULL, NULL), id);
	assert_string_equal(word(alert, "title", NULL, NULL), title);
	assert_int_equal(strlen(id), 36);
	assert_int_equal(id[14], '7');
	assert_string_equal(word(alert, "outcome", NULL, NULL), "prevented");
	assert_string_equal(word(alert, "effect", "detail", "op"), "os.system");
	assert_string_equal(word(alert, "effect", "class", NULL), "exec");
	assert_true(json_is_true(json_object_get(alert, "evasion")));
	assert_string_equal(word(alert, "severity", NULL, NULL), "critical");
	assert_true(json_is_null(json_object_get(json_object_get(alert, "policy"), "severity")));
	load = json_object_get(alert, "load");
	assert_string_equal(word(load, "call", NULL, NULL), "posix.system");
	assert_string_equal(word(load, "args", NULL, NULL), "('id',)");
	assert_int_equal(json_integer_value(json_object_get(load, "offset")), REDUCE_AT);
	assert_true(json_is_null(json_object_get(load, "offset_range")));
	assert_string_equal(word(load, "id", NULL, NULL), "0000000000001234");
	assert_string_equal(word(load, "artifact", "path", NULL), model);
	assert_string_equal(word(load, "artifact", "digest_state", NULL), "done");
	assert_string_equal(word(load, "artifact", "stream_sha256", NULL),
	                    word(load, "artifact", "sha256", NULL));
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(alert, "process"), "pid")),
	        getpid());
	json_decref(lines);

	assert_int_equal(mw_alerts_open(&options, &a), 0);
	assert_int_equal(stat(alerts_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	mw_alerts_close(a);
}

static void unknown_is_null(void **state)
{
	json_t *lines, *alert, *load, *artifact;

	(void)state;
	fill();
	record.load = (struct mw_record_load){.id = 7, .fd = -1, .tell = -1, .after = true};
	record.frame_count = 0;
	lines = lines_of_one();
	alert = json_array_get(lines, 0);
	load = json_object_get(alert, "load");
	artifact = json_object_get(load, "artifact");
	assert_true(json_is_null(json_object_get(load, "entry")));
	assert_true(json_is_null(json_object_get(load, "origin")));
	assert_true(json_is_null(json_object_get(load, "call")));
	assert_true(json_is_null(json_object_get(load, "offset")));
	assert_true(json_is_true(json_object_get(load, "after_load")));
	assert_true(json_is_null(json_object_get(artifact, "path")));
	assert_true(json_is_null(json_object_get(artifact, "size")));
	assert_true(json_is_null(json_object_get(artifact, "sha256")));
	assert_true(json_is_null(json_object_get(artifact, "stream_sha256")));
	assert_string_equal(word(artifact, "digest_state", NULL, NULL), "unavailable");
	assert_int_equal(json_array_size(json_object_get(alert, "python_stack")), 0);
	json_decref(lines);
}

static void a_dead_process_still_gives_an_alert(void **state)
{
	struct mw_location at;
	struct mw_alerts *a;
	json_t *lines;

	(void)state;
	fill();
	options.alerts_path = alerts_path;
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	mw_locate(0x3fffffff, &record, &at);
	mw_alerts_effect(a, 0x3fffffff, &record, &record.load, &at, &decision, id, title);
	mw_alerts_close(a);
	lines = lines_of(alerts_path);
	unlink(alerts_path);
	assert_int_equal(json_array_size(lines), 1);
	assert_true(json_is_null(
	        json_object_get(json_object_get(json_array_get(lines, 0), "process"), "exe")));
	json_decref(lines);
}

static void text_is_fit_for_a_terminal(void **state)
{
	const char *text, *line;
	struct mw_alerts *a;
	int count = 0;

	(void)state;
	fill();
	record.effect.argv[2] = STR("touch \033]0;x\a\xe2\x80\xae evil\nrm \xc2\x9b");
	options.quiet = false;
	options.alerts_path = NULL;
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	catch_stderr();
	make(a);
	text = text_on_stderr();
	mw_alerts_close(a);
	assert_non_null(strstr(text, model));
	assert_non_null(strstr(text, id));
	assert_non_null(strstr(text, "PREVENTED"));
	assert_non_null(strstr(text, "byte 23"));
	assert_non_null(strstr(text, "torch/s.py:9"));
	assert_non_null(strstr(text, "weights_only=True"));
	assert_non_null(strstr(text, "\\x1b]0;x\\x07\\u202e evil\\nrm \\u009b"));
	assert_non_null(strstr(title, "\\x1b]0;x\\x07\\u202e evil\\nrm \\u009b"));
	for (const char *p = text; *p; p++)
		assert_true(*p == '\n' || ((unsigned char)*p >= ' ' && *p != 0x7f));
	for (line = text; *line; line = strchr(line, '\n') + 1)
		count++;
	assert_in_range(count, 10, 25);
	options.quiet = true;
}

static void observing_takes_one_line(void **state)
{
	struct mw_alerts *a;
	const char *text;

	(void)state;
	fill();
	decision.verdict = MW_OBSERVE;
	options.quiet = false;
	options.mode = MW_OBSERVE;
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	catch_stderr();
	make(a);
	text = text_on_stderr();
	mw_alerts_close(a);
	assert_non_null(strstr(text, "not prevented"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	options.quiet = true;
	options.mode = MW_DENY;
}

static void large_files_are_hashed_later(void **state)
{
	json_t *lines, *first, *second;
	int fd = open(model, O_WRONLY);

	(void)state;
	fill();
	assert_int_equal(ftruncate(fd, 5 << 20), 0);
	close(fd);
	lines = lines_of_one();
	assert_int_equal(json_array_size(lines), 2);
	first = json_array_get(lines, 0);
	second = json_array_get(lines, 1);
	assert_string_equal(word(first, "id", NULL, NULL), word(second, "id", NULL, NULL));
	assert_string_equal(word(json_object_get(first, "load"), "artifact", "digest_state", NULL),
	                    "pending");
	assert_string_equal(word(json_object_get(second, "load"), "artifact", "digest_state", NULL),
	                    "done");
	assert_int_equal(json_integer_value(json_object_get(second, "update")), 1);
	json_decref(lines);
	write_file(model, pickle, sizeof(pickle) - 1);
}

static json_t *held;

static bool hold(void *context, pid_t pid, const struct mw_record *of, json_t *alert)
{
	assert_ptr_equal(context, &held);
	assert_int_equal(pid, getpid());
	assert_ptr_equal(of, &record);
	held = json_incref(alert);
	return true;
}

static bool set_evasion(void *context, json_t *alert)
{
	(void)context;
	json_object_set_new(alert, "evasion", json_false());
	return true;
}

static bool set_happened(void *context, json_t *alert)
{
	(void)context;
	json_object_set_new(alert, "outcome", json_string("killed_after_effect"));
	return true;
}

/* The severities of the alert of `record`, and of its update after `change`. */
static void severities(mw_alert_change *change, const char *first, const char *second)
{
	const char *expect[] = {first, second};
	const struct mw_tally *tally;
	struct mw_alerts *a;
	json_t *lines;

	options.alerts_path = alerts_path;
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	make(a);
	assert_int_equal(mw_alerts_amend(a, (struct mw_str){id, 36}, change, NULL), 0);
	tally = mw_alerts_tally(a);
	assert_int_equal(tally->count, 1); /* by what was written first */
	assert_string_equal(mw_severity_name(tally->row[0].severity), first);
	mw_alerts_close(a);
	lines = lines_of(alerts_path);
	unlink(alerts_path);
	assert_int_equal(json_array_size(lines), 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(word(json_array_get(lines, i), "severity", NULL, NULL),
		                    expect[i]);
	json_decref(lines);
}

static void severity_follows_what_became_of_it(void **state)
{
	json_t *lines;

	(void)state;
	fill();
	record.effect.class = MW_WRITE;
	record.effect.facts = 0;
	severities(set_happened, "high", "critical");
	record.effect.class = MW_LIMIT;
	severities(set_happened, "medium", "high");
	record.effect.facts = MW_FACT_UNANNOUNCED;
	severities(set_happened, "high", "critical");
	decision.own_severity = MW_LOW;
	severities(set_happened, "low", "low");
	lines = lines_of_one();
	assert_string_equal(word(json_array_get(lines, 0), "policy", "severity", NULL), "low");
	json_decref(lines);
	decision.own_severity = MW_BY_TABLE;
	decision.verdict = MW_ALERT; /* the mode, or the rule */
	severities(set_happened, "critical", "critical");
	decision.requested = decision.verdict = MW_OBSERVE;
	severities(set_happened, "info", "info");
}

/* What is kept back is written as it has become; updates wait until then. */
static void an_alert_can_be_kept_back(void **state)
{
	struct mw_str name = {id, 36};
	struct mw_alerts *a;
	json_t *lines;
	int fd = open(model, O_WRONLY);

	(void)state;
	fill();
	assert_int_equal(ftruncate(fd, 5 << 20), 0); /* its digest is an update */
	close(fd);
	options.alerts_path = alerts_path;
	options.hold = hold;
	options.hold_context = &held;
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	make(a);
	sleep(1);
	mw_alerts_poll(a);
	assert_int_equal(mw_alerts_amend(a, name, set_evasion, NULL), -ENOENT);
	lines = lines_of(alerts_path);
	assert_int_equal(json_array_size(lines), 0);
	json_decref(lines);
	json_array_append_new(json_object_get(held, "reports"), json_string("theirs"));
	mw_alerts_write(a, held);
	assert_int_equal(mw_alerts_amend(a, name, set_evasion, NULL), 0);
	mw_alerts_close(a);
	options.hold = NULL;
	lines = lines_of(alerts_path);
	unlink(alerts_path);
	assert_int_equal(json_array_size(lines), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *line = json_array_get(lines, i);

		assert_string_equal(word(line, "id", NULL, NULL), id);
		assert_int_equal(json_integer_value(json_object_get(line, "update")), i);
		assert_int_equal(json_array_size(json_object_get(line, "reports")), 1);
	}
	assert_string_equal(word(json_object_get(json_array_get(lines, 1), "load"), "artifact",
	                         "digest_state", NULL),
	                    "done");
	assert_true(json_is_false(json_object_get(json_array_get(lines, 2), "evasion")));
	json_decref(lines);
	write_file(model, pickle, sizeof(pickle) - 1);
}

/* Another file, and labels that nobody else keeps; who sees alerts first stays. */
static void a_reopened_stream_is_the_same(void **state)
{
	struct mw_alert_options first = options;
	struct mw_alert_options other = {.mode = MW_ALERT, .policy_digest = "ef01", .quiet = true};
	char other_path[80];
	struct mw_alerts *a;
	json_t *lines, *line;

	(void)state;
	fill();
	snprintf(other_path, sizeof(other_path), "%s.2", alerts_path);
	first.alerts_path = alerts_path;
	first.hold = hold;
	first.hold_context = &held;
	first.labels = json_pack("{s:s}", "site", "north");
	assert_int_equal(mw_alerts_open(&first, &a), 0);
	json_decref(first.labels);
	other.alerts_path = other_path;
	other.labels = json_pack("{s:s}", "site", "south");
	assert_int_equal(mw_alerts_reopen(a, &other), 0);
	json_decref(other.labels);
	make(a);
	lines = lines_of(other_path);
	assert_int_equal(json_array_size(lines), 0);
	json_decref(lines);
	mw_alerts_write(a, held);
	mw_alerts_close(a);
	lines = lines_of(other_path);
	assert_int_equal(json_array_size(lines), 1);
	line = json_array_get(lines, 0);
	assert_string_equal(word(line, "mode", NULL, NULL), "alert");
	assert_string_equal(word(line, "policy", "digest", NULL), "ef01");
	assert_string_equal(word(line, "labels", "site", NULL), "south");
	json_decref(lines);
	lines = lines_of(alerts_path);
	assert_int_equal(json_array_size(lines), 0);
	json_decref(lines);
	unlink(alerts_path);
	unlink(other_path);
}

static void huge_files_do_not_hold_up_the_end(void **state)
{
	struct timespec before, after;
	json_t *lines;

	(void)state;
	fill();
	if (truncate(model, 1LL << 40) < 0)
		skip(); /* a file system without such files */
	clock_gettime(CLOCK_MONOTONIC, &before);
	lines = lines_of_one();
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_in_range(after.tv_sec - before.tv_sec, 0, 3);
	assert_int_equal(json_array_size(lines), 2);
	assert_string_equal(word(json_object_get(json_array_get(lines, 1), "load"), "artifact",
	                         "digest_state", NULL),
	                    "unavailable");
	json_decref(lines);
	write_file(model, pickle, sizeof(pickle) - 1);
}

static void lost_alerts_are_told(void **state)
{
	struct mw_alerts *a;
	const char *text;
	json_t *lines;

	(void)state;
	fill();
	options.alerts_path = "/dev/full";
	catch_stderr();
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	make(a);
	make(a);
	mw_alerts_close(a);
	text = text_on_stderr();
	assert_non_null(strstr(text, "cannot write alerts to /dev/full: No space left on device; "
	                             "enforcement goes on\n"));
	assert_null(strstr(strstr(text, "cannot write") + 1, "cannot write"));
	assert_non_null(strstr(text, "2 alerts were not written"));

	mkdir(alerts_path, 0700);
	options.alerts_path = alerts_path;
	catch_stderr();
	assert_int_equal(mw_alerts_open(&options, &a), 0);
	make(a);
	rmdir(alerts_path);
	make(a);
	mw_alerts_close(a);
	text_on_stderr();
	lines = lines_of(alerts_path);
	unlink(alerts_path);
	assert_int_equal(json_array_size(lines), 2);
	assert_string_equal(word(json_array_get(lines, 0), "schema", NULL, NULL),
	                    "modelwatch.loss/1");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 0), "lost")), 1);
	json_decref(lines);
}

static void paths_are_told_plainly(void **state)
{
	char winding[128], plain[128];
	struct mw_artifact artifact;
	const char *name = strrchr(directory, '/') + 1;

	(void)state;
	fill();
	snprintf(winding, sizeof(winding), "%s/../%s/model.pt", directory, name);
	record.load.path = (struct mw_str){winding, (uint32_t)strlen(winding)};
	mw_artifact_open(getpid(), &record.load, &artifact);
	assert_string_equal(artifact.path, model);
	assert_true(artifact.fd >= 0);
	mw_artifact_close(&artifact);
	assert_int_equal(chdir(directory), 0);
	record.load.path = STR("./absent.pt");
	mw_artifact_open(getpid(), &record.load, &artifact);
	snprintf(plain, sizeof(plain), "%s/absent.pt", directory);
	assert_string_equal(artifact.path, plain);
	assert_int_equal(artifact.fd, -ENOENT);
	mw_artifact_close(&artifact);
	assert_int_equal(chdir("/"), 0);
}

static const struct {
	const char *op, *target, *target2;
	int64_t number;
	enum mw_class class;
	uint32_t facts;
	const char *deed;
} deeds[] = {
        {"socket.connect", "[::1]:80", NULL, 0, MW_CONNECT, 0, "connect to [::1]:80"},
        {"socket.getaddrinfo", "a.example", NULL, 0, MW_SEND, 0, "look up a.example"},
        {"bind", "@x", NULL, 0, MW_LISTEN, MW_FACT_UNIX, "listen on @x"},
        {"open", "/a", NULL, 577, MW_WRITE, MW_FACT_NEW, "create /a"},
        {"open", "/a", NULL, 577, MW_WRITE, 0, "write /a"},
        {"os.rename", "/a", "/b", 0, MW_WRITE, 0, "rename /a to /b"},
        {"unlinkat", "/a", NULL, 0, MW_WRITE, 0, "delete /a"},
        {"os.symlink", "/a", "/b", 0, MW_WRITE, 0, "link /a to /b"},
        {"mprotect", NULL, NULL, 5, MW_MAP, MW_FACT_ANONYMOUS, "make memory executable"},
        {"dlopen", "/x.so", NULL, 0, MW_MAP, 0, "load the library /x.so"},
        {"os.putenv", "LD_PRELOAD", NULL, 0, MW_TAMPER, 0,
         "change the environment variable LD_PRELOAD"},
        {"os.kill", NULL, NULL, 9, MW_TAMPER, 0, "send signal 9"},
        {"find_class", "posix.system", NULL, 0, MW_CODE, MW_FACT_DEFERRED,
         "get hold of posix.system"},
        {"compile", "<string>", NULL, 0, MW_CODE, 0, "build and run code"},
        {"open", "/s", NULL, 0, MW_READ, 0, "read the secret file /s"},
        {"execve", "/bin/true", NULL, 0, MW_EXEC, 0, "run `/bin/true`"},
        {"memory", NULL, NULL, 1 << 30, MW_LIMIT, 0, "take more than 1 GiB of memory"},
        {"time", NULL, NULL, 90000, MW_LIMIT, 0, "take longer than 90 s"},
        {"nesting", NULL, NULL, 1, MW_LIMIT, 0, "open more than 1 load inside one another"},
};

static struct mw_str str_of(const char *s)
{
	return (struct mw_str){s, s ? (uint32_t)strlen(s) : 0};
}

static void deeds_are_told_in_words(void **state)
{
	char out[200];
	struct mw_text t;

	(void)state;
	for (size_t i = 0; i < sizeof(deeds) / sizeof(*deeds); i++) {
		struct mw_record_effect effect = {.class = deeds[i].class,
		                                  .op = str_of(deeds[i].op),
		                                  .target = str_of(deeds[i].target),
		                                  .target2 = str_of(deeds[i].target2),
		                                  .number = deeds[i].number,
		                                  .facts = deeds[i].facts};

		mw_text_start(&t, out, sizeof(out));
		mw_alert_deed(&effect, &t, 100);
		assert_string_equal(out, deeds[i].deed);
	}
}

static void addresses_are_taken_apart(void **state)
{
	json_t *lines, *detail;

	(void)state;
	fill();
	record.effect.class = MW_CONNECT;
	record.effect.target = STR("[2001:db8::1]:443");
	lines = lines_of_one();
	detail = json_object_get(json_object_get(json_array_get(lines, 0), "effect"), "detail");
	assert_string_equal(word(detail, "address", NULL, NULL), "2001:db8::1");
	assert_int_equal(json_integer_value(json_object_get(detail, "port")), 443);
	json_decref(lines);
	record.effect.target = STR("2001:db8::1");
	lines = lines_of_one();
	detail = json_object_get(json_object_get(json_array_get(lines, 0), "effect"), "detail");
	assert_string_equal(word(detail, "address", NULL, NULL), "2001:db8::1");
	assert_true(json_is_null(json_object_get(detail, "port")));
	json_decref(lines);
}

static void models_are_told_by_their_path(void **state)
{
	struct mw_model m;

	(void)state;
	mw_model_of("/c/hub/models--org--na-me/snapshots/abc123/sub/w.bin", &m);
	assert_string_equal(m.hub, "huggingface");
	assert_string_equal(m.repo, "org/na-me");
	assert_string_equal(m.revision, "abc123");
	mw_model_of("/c/hub/models--org--name/blobs/0123", &m);
	assert_string_equal(m.repo, "org/name");
	assert_string_equal(m.revision, "");
	mw_model_of("/c/models--/snapshots/x/y", &m);
	assert_null(m.hub);
	mw_model_of("/data/w.bin", &m);
	assert_null(m.hub);
}

static void hostile_text_becomes_harmless(void **state)
{
	char out[64];
	struct mw_text t;

	(void)state;
	assert_int_equal(mw_utf8_clean("a\xff\xc3\xa9\xed\xa0\x80", 7, out, sizeof(out)), 15);
	assert_string_equal(out, "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	mw_utf8_clean("\xc3\xa9\xc3\xa9", 4, out, 4);
	assert_string_equal(out, "\xc3\xa9");
	mw_text_start(&t, out, 12);
	mw_text_shown(&t, "0123456789abcdef", 16, 8);
	assert_string_equal(out, "012345...ef");
	mw_text_start(&t, out, sizeof(out));
	mw_text_tail(&t, "/a/b/c", 6, 4);
	assert_string_equal(out, ".../b/c");
}

static uint8_t *put(uint8_t *to, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = ((const uint8_t *)data)[i];
	return to + len;
}

/* An archive of one stored entry, as zipfile and torch write it. */
static size_t archive_of(const char *name, const void *data, uint32_t len, uint8_t *out)
{
	static const uint8_t zeros[30];
	const uint32_t crc = mw_crc32(data, len), name_len = (uint32_t)strlen(name);
	uint8_t *p = out, *entry, *end;
	uint32_t directory_at;

	p = put(p, zeros, 30);
	put(out, "PK\3\4", 4);
	p = entry = put(p, data, len);
	directory_at = (uint32_t)(p - out);
	p = put(put(p, zeros, 30), zeros, 16);
	put(entry, "PK\1\2", 4);
	put(put(put(entry + 16, &crc, 4), &len, 4), &len, 4);
	put(entry + 28, &name_len, 2);
	p = end = put(p, name, name_len);
	p = put(p, zeros, 22);
	put(end, "PK\5\6", 4);
	end[8] = end[10] = 1;
	put(end + 16, &directory_at, 4);
	return (size_t)(p - out);
}

static void members_are_found(void **state)
{
	uint8_t bytes[512];
	size_t len = archive_of("archive/data.pkl", pickle, sizeof(pickle) - 1, bytes);
	json_t *lines, *load;

	(void)state;
	assert_int_equal(mw_crc32((const uint8_t *)"123456789", 9), 0xcbf43926);
	fill();
	write_file(model, bytes, len);
	lines = lines_of_one();
	load = json_object_get(json_array_get(lines, 0), "load");
	assert_string_equal(word(load, "artifact", "member", NULL), "archive/data.pkl");
	assert_non_null(strstr(title, "at byte 23 of archive/data.pkl"));
	json_decref(lines);
	bytes[len - 22 + 17] ^= 1; /* the directory is somewhere else */
	write_file(model, bytes, len);
	lines = lines_of_one();
	load = json_object_get(json_array_get(lines, 0), "load");
	assert_true(json_is_null(json_object_get(json_object_get(load, "artifact"), "member")));
	json_decref(lines);
	write_file(model, pickle, sizeof(pickle) - 1);
}

static int setup(void **state)
{
	(void)state;
	options.labels = json_object();
	if (!mkdtemp(directory))
		return -1;
	snprintf(model, sizeof(model), "%s/model.pt", directory);
	snprintf(alerts_path, sizeof(alerts_path), "%s/alerts", directory);
	snprintf(stderr_path, sizeof(stderr_path), "%s/stderr", directory);
	real_stderr = dup(STDERR_FILENO);
	write_file(model, pickle, sizeof(pickle) - 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(options.labels);
	unlink(model);
	unlink(alerts_path);
	unlink(stderr_path);
	close(real_stderr);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(alert_has_every_field),
	        cmocka_unit_test(unknown_is_null),
	        cmocka_unit_test(a_dead_process_still_gives_an_alert),
	        cmocka_unit_test(text_is_fit_for_a_terminal),
	        cmocka_unit_test(observing_takes_one_line),
	        cmocka_unit_test(large_files_are_hashed_later),
	        cmocka_unit_test(an_alert_can_be_kept_back),
	        cmocka_unit_test(severity_follows_what_became_of_it),
	        cmocka_unit_test(a_reopened_stream_is_the_same),
	        cmocka_unit_test(huge_files_do_not_hold_up_the_end),
	        cmocka_unit_test(lost_alerts_are_told),
	        cmocka_unit_test(paths_are_told_plainly),
	        cmocka_unit_test(deeds_are_told_in_words),
	        cmocka_unit_test(addresses_are_taken_apart),
	        cmocka_unit_test(models_are_told_by_their_path),
	        cmocka_unit_test(hostile_text_becomes_harmless),
	        cmocka_unit_test(members_are_found),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
