/* The daemon's configuration: what it takes, and what it says about what it does not take. */
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

#include "../../core/decide.h"
#include "../../tools/daemon_config.h"
#include "../../tools/daemon_setup.h"

static void write_text(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int take(struct mw_daemon_config *config, const char *text, char why[static 1024])
{
	assert_int_equal(mw_daemon_config_start(config), 0);
	return mw_daemon_config_text(config, "x.yaml", text, strlen(text), why, 1024);
}

static void has_defaults(void **state)
{
	static const char *const empty[] = {"", "# nothing\n", "\xef\xbb\xbf"};
	struct mw_daemon_config config;
	char why[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		assert_int_equal(take(&config, empty[i], why), 0);
		assert_int_equal(config.mode, MW_OBSERVE);
		assert_null(config.alerts);
		assert_null(config.metrics_listen);
		assert_null(config.metrics_textfile);
		assert_string_equal(config.control_socket, "/run/modelwatch/control.sock");
		assert_string_equal(config.report_socket, "/run/modelwatch/report.sock");
		assert_int_equal(config.reports_per_minute, 600);
		assert_false(config.hold_new_interpreters);
		assert_int_equal(config.outlives, MW_OUTLIVES_CRASH);
		assert_int_equal(config.file_writes, MW_WRITES_AUTO);
		assert_null(config.cri_sockets);
		assert_int_equal(config.ring_bytes, 4 << 20);
		mw_daemon_config_free(&config);
	}
}

static void takes_every_key(void **state)
{
	static const char text[] = "mode: alert\n"
	                           "policy: [/a.yaml, /b.yaml]\n"
	                           "alerts: /var/log/%h.jsonl\n"
	                           "labels: {site: north, tier: gpu}\n"
	                           "metrics:\n"
	                           "  listen: '[::1]:9464'\n"
	                           "  textfile: /var/lib/x.prom\n"
	                           "control: {socket: /run/c.sock}\n"
	                           "reports: {socket: /run/r.sock, per_uid: 0}\n"
	                           "interpreters: {paths: ['/opt/**/bin/app', '**/python-x']}\n"
	                           "hold_new_interpreters: true\n"
	                           "refusing: {outlives: stop, cgroups: [/a, /b/c]}\n"
	                           "file_writes: tracepoints\n"
	                           "cri: {sockets: [/run/a.sock, /run/b.sock]}\n"
	                           "ring: {bytes: 16 MiB}\n";
	struct mw_daemon_config config;
	char why[1024] = "";

	(void)state;
	if (take(&config, text, why))
		fail_msg("%s", why);
	assert_int_equal(config.mode, MW_ALERT);
	assert_int_equal(json_array_size(config.policies), 2);
	assert_string_equal(json_string_value(json_array_get(config.policies, 1)), "/b.yaml");
	assert_string_equal(config.alerts, "/var/log/%h.jsonl");
	assert_string_equal(json_string_value(json_object_get(config.labels, "tier")), "gpu");
	assert_string_equal(config.metrics_listen, "[::1]:9464");
	assert_string_equal(config.metrics_textfile, "/var/lib/x.prom");
	assert_string_equal(config.control_socket, "/run/c.sock");
	assert_string_equal(config.report_socket, "/run/r.sock");
	assert_int_equal(config.reports_per_minute, 0);
	assert_string_equal(json_string_value(json_array_get(config.interpreters, 1)),
	                    "**/python-x");
	assert_true(config.hold_new_interpreters);
	assert_int_equal(config.outlives, MW_OUTLIVES_STOP);
	assert_int_equal(json_array_size(config.cgroups), 2);
	assert_int_equal(config.file_writes, MW_WRITES_TRACEPOINTS);
	assert_int_equal(json_array_size(config.cri_sockets), 2);
	assert_string_equal(json_string_value(json_array_get(config.cri_sockets, 1)),
	                    "/run/b.sock");
	assert_int_equal(config.ring_bytes, 16 << 20);
	mw_daemon_config_free(&config);
}

static const struct {
	const char *text, *why; /* what it begins with */
} wrong[] = {
        {"mode: deny\nmodes: x\n", "x.yaml:2:1: no key 'modes' in the configuration"},
        {"mode: deny\nmode: deny\n", "x.yaml:2:1: the key 'mode' is there twice"},
        {"mode: allow\n", "x.yaml:1:7: mode: 'allow' is none of"},
        {"mode: [deny]\n", "x.yaml:1:7: mode must be a single value"},
        {"metrics:\n  port: 1\n", "x.yaml:2:3: no key 'port' in metrics"},
        {"metrics: on\n", "x.yaml:1:10: metrics must be a mapping"},
        {"metrics:\n  listen: 0.0.0.0:9464\n", "x.yaml:2:11: listen: '0.0.0.0:9464' is reached"},
        {"metrics: {listen: '[::]:9464'}\n", "x.yaml:1:19: listen: '[::]:9464' is reached"},
        {"metrics: {listen: 'localhost:9464'}\n", "x.yaml:1:19: listen: 'localhost:9464' is no"},
        {"metrics: {listen: '127.0.0.1'}\n", "x.yaml:1:19: listen: '127.0.0.1' is no"},
        {"metrics: {listen: '127.0.0.1:0'}\n", "x.yaml:1:19: listen: '127.0.0.1:0' is no"},
        {"metrics: {listen: '127.0.0.1:65536'}\n", "x.yaml:1:19: listen: '127.0.0.1:65536' is no"},
        {"metrics: {textfile: x.prom}\n", "x.yaml:1:21: textfile: 'x.prom' does not begin"},
        {"alerts: a.jsonl\n", "x.yaml:1:9: alerts: 'a.jsonl' does not begin with '/'"},
        {"alerts: /%z\n", "x.yaml:1:9: alerts: after % comes"},
        {"policy: []\n", "x.yaml:1:10: policy is an empty list"},
        {"policy: [/a, b]\n", "x.yaml:1:14: policy: 'b' does not begin"},
        {"labels: [a]\n", "x.yaml:1:9: labels must be a mapping"},
        {"reports: {per_uid: -1}\n", "x.yaml:1:20: per_uid: '-1' is no whole number"},
        {"reports: {per_uid: 1000001}\n", "x.yaml:1:20: per_uid: '1000001' is no whole number"},
        {"interpreters: {paths: python}\n", "x.yaml:1:23: paths: 'python' begins with neither"},
        {"interpreters: {paths: '/[a'}\n", "x.yaml:1:23: paths: '/[a': "},
        {"refusing: {cgroups: [a]}\n", "x.yaml:1:22: cgroups: 'a' does not begin with"},
        {"refusing: {cgroups: [/1,/2,/3,/4,/5,/6,/7,/8,/9]}\n", "x.yaml:1:46: cgroups: at most 8"},
        {"refusing: {outlives: never}\n", "x.yaml:1:22: outlives: 'never' is none of crash, "},
        {"hold_new_interpreters: yes\n", "x.yaml:1:24: hold_new_interpreters: 'yes' is neither"},
        {"file_writes: lsm\n", "x.yaml:1:14: file_writes: 'lsm' is none of"},
        {"cri: {sockets: [/run/a.sock, b.sock]}\n", "x.yaml:1:30: sockets: 'b.sock' does not"},
        {"cri: {sockets: on}\n", "x.yaml:1:16: sockets: 'on' does not begin"},
        {"ring: {bytes: 3 MiB}\n", "x.yaml:1:15: bytes: '3 MiB' is no power of two"},
        {"ring: {bytes: 4096}\n", "x.yaml:1:15: bytes: '4096' is no power of two"},
        {"ring: {bytes: 2 GiB}\n", "x.yaml:1:15: bytes: '2 GiB' is no power of two"},
        {"control: {socket: run.sock}\n", "x.yaml:1:19: socket: 'run.sock' does not begin"},
        {"- mode\n", "x.yaml:1:1: the configuration must be a mapping"},
        {"a: &x 1\n", "x.yaml:1:1: no key 'a'"},
        {"mode: *x\n", "x.yaml:1:7: aliases (*name) are not allowed"},
        {"mode: observe\n---\nmode: deny\n", "x.yaml:2:1: a configuration is one document"},
        {"mode: 'deny\n", "x.yaml:"},
        {"mode: \"a\\u0007\"\n", "x.yaml:1:7: mode has a control character"},
};

static void says_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct mw_daemon_config config;
		char why[1024] = "";

		if (!take(&config, wrong[i].text, why) ||
		    strncmp(why, wrong[i].why, strlen(wrong[i].why)) != 0)
			fail_msg("%s gave %s", wrong[i].text, why);
		mw_daemon_config_free(&config);
	}
}

static char folder[] = "/tmp/mw-config-XXXXXX";

static int make_folder(void **state)
{
	char path[512];

	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/conf.d", folder);
	return mkdir(path, 0755);
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"m.yaml",        "conf.d/10.yaml", "conf.d/20.yaml",
	                                    "conf.d/x.conf", "conf.d",         ""};
	char path[512];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (unlink(path) && rmdir(path) && i >= 4)
			return -1;
	}
	return 0;
}

static int read_folder(struct mw_daemon_config *config, char why[static 1024])
{
	char path[512];

	snprintf(path, sizeof(path), "%s/m.yaml", folder);
	return mw_daemon_config_read(config, path, why, 1024);
}

static void later_files_have_the_last_word(void **state)
{
	struct mw_daemon_config config;
	char why[1024] = "";

	(void)state;
	write_text(folder, "m.yaml", "mode: alert\npolicy: /a\nlabels: {a: '1', b: '1'}\n");
	write_text(folder, "conf.d/20.yaml", "mode: observe\npolicy: /c\nlabels: {b: '3'}\n");
	write_text(folder, "conf.d/10.yaml", "mode: deny\npolicy: /b\nring: {bytes: 1 MiB}\n");
	write_text(folder, "conf.d/x.conf", "no yaml: [\n");
	if (read_folder(&config, why))
		fail_msg("%s", why);
	assert_int_equal(config.mode, MW_OBSERVE);
	assert_int_equal(config.ring_bytes, 1 << 20);
	assert_int_equal(json_array_size(config.policies), 3);
	assert_string_equal(json_string_value(json_array_get(config.policies, 2)), "/c");
	assert_string_equal(json_string_value(json_object_get(config.labels, "a")), "1");
	assert_string_equal(json_string_value(json_object_get(config.labels, "b")), "3");
	mw_daemon_config_free(&config);
}

static void strangers_do_not_configure(void **state)
{
	struct mw_daemon_config config;
	char why[1024] = "", path[512];

	(void)state;
	write_text(folder, "m.yaml", "mode: alert\n");
	write_text(folder, "conf.d/10.yaml", "mode: observe\n");
	snprintf(path, sizeof(path), "%s/conf.d/10.yaml", folder);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_not_equal(read_folder(&config, why), 0);
	assert_non_null(strstr(why, "conf.d/10.yaml: everybody can write it"));
	mw_daemon_config_free(&config);
}

static void a_named_file_has_to_be_there(void **state)
{
	struct mw_daemon_config config;
	char why[1024] = "";

	(void)state;
	assert_int_not_equal(read_folder(&config, why), 0);
	assert_non_null(strstr(why, "m.yaml: No such file"));
	mw_daemon_config_free(&config);
}

static void set_up(struct mw_daemon_setup *setup, const struct mw_daemon_options *options)
{
	char why[1024] = "";

	if (mw_daemon_setup_read(setup, options, folder, why, sizeof(why)))
		fail_msg("%s", why);
}

static void the_command_line_has_the_last_word(void **state)
{
	struct mw_daemon_options options = {
	        .config = "m.yaml", .alerts = "mine.jsonl", .mode = MW_KILL};
	struct mw_daemon_setup setup;
	char path[512];

	(void)state;
	write_text(folder, "m.yaml", "mode: alert\nalerts: /var/log/theirs.jsonl\n");
	set_up(&setup, &options);
	snprintf(path, sizeof(path), "%s/mine.jsonl", folder);
	assert_string_equal(setup.alerts, path);
	assert_int_equal(setup.config.mode, MW_KILL);
	assert_int_equal(setup.mode, MW_DENY); /* more is not possible */
	assert_int_equal(setup.policy->mode, MW_DENY);
	assert_int_equal(strlen(setup.digest), 64);
	mw_daemon_setup_free(&setup);
}

static void what_cannot_change_is_named(void **state)
{
	struct mw_daemon_options options = {.config = "m.yaml"};
	struct mw_daemon_setup setup, fresh;

	(void)state;
	write_text(folder, "m.yaml", "mode: observe\nalerts: /a\nring: {bytes: 1 MiB}\n");
	set_up(&setup, &options);
	write_text(folder, "m.yaml", "mode: alert\nalerts: /b\nring: {bytes: 2 MiB}\n");
	set_up(&fresh, &options);
	assert_string_equal(mw_daemon_setup_change(&setup, &fresh), "ring");
	mw_daemon_setup_free(&fresh);
	assert_int_equal(setup.mode, MW_ALERT);
	assert_string_equal(setup.alerts, "/b");
	assert_int_equal(setup.config.ring_bytes, 1 << 20);
	mw_daemon_setup_free(&setup);
}

static void the_words_in_braces_are_everybodys(void **state)
{
	struct mw_daemon_options options = {.config = "m.yaml", .policy = "conf.d/x.conf"};
	struct mw_effect effect = {.class = MW_WRITE, .cause = MW_BY_CALL, .op = "open"};
	struct mw_load_view load = {.origin = MW_FROM_FILE};
	struct mw_daemon_setup setup;
	struct mw_decision decision;

	(void)state;
	write_text(folder, "m.yaml", "");
	write_text(folder, "conf.d/x.conf",
	           "version: 1\nrules:\n"
	           "  - {name: mine, effect: write, path: '{home}/out/**', verdict: alert}\n"
	           "  - {name: here, effect: write, path: '{cwd}/**', verdict: alert}\n");
	set_up(&setup, &options);
	effect.target = effect.file = "/home/ada/out/x";
	mw_decide(setup.policy, &load, &effect, &decision);
	assert_string_equal(decision.rule, "mine");
	effect.target = effect.file = "/data/ada/elsewhere";
	mw_decide(setup.policy, &load, &effect, &decision);
	assert_string_not_equal(decision.rule, "here");
	mw_daemon_setup_free(&setup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(has_defaults),
	        cmocka_unit_test(takes_every_key),
	        cmocka_unit_test(says_what_is_wrong),
	        cmocka_unit_test_setup_teardown(later_files_have_the_last_word, make_folder,
	                                        remove_folder),
	        cmocka_unit_test_setup_teardown(strangers_do_not_configure, make_folder,
	                                        remove_folder),
	        cmocka_unit_test_setup_teardown(a_named_file_has_to_be_there, make_folder,
	                                        remove_folder),
	        cmocka_unit_test_setup_teardown(the_command_line_has_the_last_word, make_folder,
	                                        remove_folder),
	        cmocka_unit_test_setup_teardown(what_cannot_change_is_named, make_folder,
	                                        remove_folder),
	        cmocka_unit_test_setup_teardown(the_words_in_braces_are_everybodys, make_folder,
	                                        remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
