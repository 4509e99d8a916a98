/* The daemon around its engine, which a small one stands in for: start, reload, end, what is said.
 * Everything happens in a mount namespace of its own, where /run is empty. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../courier/calls.h"
#include "../../tools/daemon_engine.h"
#include "../../tools/main.h"

/* The engine: loses what a SIGUSR1 says it has lost, counts the policies it is given. */
struct mw_engine {
	int fd;
	uint64_t policies;
};

static volatile sig_atomic_t lost;

static void lose(int number)
{
	(void)number;
	lost++;
}

static volatile sig_atomic_t storms;

static void storm(int number)
{
	(void)number;
	storms++;
}

int mw_engine_open(const struct mw_engine_options *options, struct mw_engine **ret, char *why,
                   size_t why_size)
{
	struct mw_engine *engine;

	if (json_object_get(options->config->labels, "fail")) {
		snprintf(why, why_size, "the kernel does not want to");
		return -EPERM;
	}
	signal(SIGUSR1, lose);
	signal(SIGWINCH, storm);
	engine = calloc(1, sizeof(*engine));
	engine->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*ret = engine;
	return 0;
}

void mw_engine_close(struct mw_engine *engine)
{
	if (engine)
		close(engine->fd);
	free(engine);
}

int mw_engine_fd(struct mw_engine *engine)
{
	return engine->fd;
}

int mw_engine_poll(struct mw_engine *engine)
{
	(void)engine;
	return 0;
}

int mw_engine_patience(struct mw_engine *engine)
{
	(void)engine;
	return -1;
}

int mw_engine_policy(struct mw_engine *engine, const struct mw_policy *policy, size_t size,
                     enum mw_verdict mode)
{
	assert_true(policy && size && policy->mode == mode);
	engine->policies++;
	return 0;
}

int mw_engine_mode(struct mw_engine *engine, const struct mw_policy *policy, enum mw_verdict mode)
{
	(void)engine;
	assert_int_equal(policy->mode, mode);
	return 0;
}

const char *mw_engine_unasked(const struct mw_engine *engine)
{
	(void)engine;
	return "nobody asks";
}

void mw_engine_leave(struct mw_engine *engine)
{
	(void)engine;
}

int mw_engine_unpinned(const struct mw_engine *engine)
{
	(void)engine;
	return 0;
}

uint64_t mw_engine_unattended(struct mw_engine *engine)
{
	(void)engine;
	return 0;
}

void mw_engine_drop_old(struct mw_engine *engine)
{
	(void)engine;
}

void mw_engine_told(struct mw_engine *engine, uint64_t count)
{
	(void)engine;
	assert_int_equal(count, lost);
}

void mw_engine_guard(struct mw_engine *engine, const char *const *paths)
{
	(void)engine;
	assert_non_null(paths[0]);
}

/* Once for each SIGWINCH. */
bool mw_engine_stormed(struct mw_engine *engine)
{
	bool now = storms != 0;

	(void)engine;
	storms = 0;
	return now;
}

void mw_engine_view(struct mw_engine *engine, struct mw_engine_view *ret)
{
	*ret = (struct mw_engine_view){.loads = engine->policies,
	                               .hooks = 1,
	                               .hook = {{.name = "exec",
	                                         .how = "tp_btf",
	                                         .count = {[MW_K_RING_FULL] = (uint64_t)lost}}}};
}

/* No sink of these tests wants an inventory. */
int mw_engine_tell_loads(struct mw_engine *engine, bool on)
{
	(void)engine;
	assert_false(on);
	return -1;
}

bool mw_engine_shares_probes(const struct mw_engine *engine)
{
	(void)engine;
	return false;
}

/* What looks for leaks at the end needs calls that the daemon does not. */
int mw_calls_confine(enum mw_caller caller)
{
	assert_int_equal(caller, MW_CALLER_WATCHES);
	return 0;
}

json_t *mw_engine_who(struct mw_engine *engine, const struct mw_identity_hint *hint)
{
	(void)engine;
	(void)hint;
	return NULL;
}

bool mw_engine_name(struct mw_engine *engine, json_t *record)
{
	(void)engine;
	(void)record;
	return false;
}

#define FOLDER "/run/test"
#define CONFIG FOLDER "/m.yaml"

static void write_text(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* All of a file; the caller frees it. */
static char *text_of(const char *name)
{
	char path[128], *text = calloc(1, 65536);
	int fd;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, text, 65535) < 0)
		fail();
	if (fd >= 0)
		close(fd);
	return text;
}

static int has(const char *name, const char *words)
{
	char *text = text_of(name);
	int found = strstr(text, words) != NULL;

	free(text);
	return found;
}

static int count_of(const char *name, const char *words)
{
	char *text = text_of(name);
	int count = 0;

	for (char *at = text; (at = strstr(at, words)); at += strlen(words))
		count++;
	free(text);
	return count;
}

static void wait_for(const char *name, const char *words)
{
	for (int i = 0; i < 500 && !has(name, words); i++)
		usleep(10000);
	if (!has(name, words)) {
		char *text = text_of(name);

		print_message("%s", text);
		free(text);
		fail_msg("no '%s' in %s", words, name);
	}
}

static pid_t service; /* that runs, or 0 */
static int manager;   /* the socket that a manager of services would listen on */

static int make_place(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = FOLDER "/notify"};

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 0; /* each test says so */
	if (mount("none", "/run", "tmpfs", 0, NULL) < 0 || mkdir(FOLDER, 0755) < 0)
		return -1;
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(manager, (struct sockaddr *)&address, sizeof(address));
}

static void need_place(void)
{
	if (access(FOLDER, F_OK) == 0)
		return;
	print_message("needs root and a mount namespace\n");
	skip();
}

/* Runs the command with stderr in the file `said`. */
static pid_t run(const char *first, const char *second)
{
	static char config[] = "--config=" CONFIG;
	char *argv[] = {"daemon", config, (char *)(uintptr_t)first, (char *)(uintptr_t)second,
	                NULL};
	pid_t child = fork();
	int argc = 0;

	if (child)
		return child;
	dup2(open(FOLDER "/said", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600), STDERR_FILENO);
	while (argv[argc])
		argc++;
	exit(mw_cmd_daemon.run(argc, argv));
}

static int end_of(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The next thing that the manager is told, but for signs of life. */
static void expect_told(const char *words)
{
	char text[256];
	struct pollfd some = {.fd = manager, .events = POLLIN};
	ssize_t n;

	do {
		assert_int_equal(poll(&some, 1, 5000), 1);
		n = recv(manager, text, sizeof(text) - 1, 0);
		assert_true(n > 0);
		text[n] = '\0';
	} while (!strcmp(text, "WATCHDOG=1"));
	assert_int_equal(strncmp(text, words, strlen(words)), 0);
}

static pid_t start_service(const char *config)
{
	pid_t child;

	write_text("m.yaml", config);
	setenv("NOTIFY_SOCKET", FOLDER "/notify", 1);
	child = run("--foreground", NULL);
	unsetenv("NOTIFY_SOCKET");
	service = child;
	expect_told("READY=1");
	return child;
}

/* What a test that failed has left. */
static int end_rest(void **state)
{
	char text[256];

	(void)state;
	if (service) {
		kill(service, SIGKILL);
		waitpid(service, NULL, 0);
	}
	service = 0;
	while (recv(manager, text, sizeof(text), MSG_DONTWAIT) > 0)
		continue;
	return 0;
}

static void end_service(pid_t child)
{
	kill(child, SIGTERM);
	expect_told("STOPPING=1");
	service = 0;
	assert_int_equal(end_of(child), 0);
	assert_int_not_equal(access("/run/modelwatch/control.sock", F_OK), 0);
}

static void a_service_tells_its_manager(void **state)
{
	pid_t child;

	(void)state;
	need_place();
	child = start_service("alerts: " FOLDER "/alerts\n");
	assert_int_equal(access("/run/modelwatch/control.sock", F_OK), 0);
	end_service(child);
	assert_false(has("said", "modelwatch")); /* nothing */
}

static int ask_by(const struct mw_command *command, const char *const *arguments, const char *into)
{
	pid_t child = fork();
	int argc = 0;

	while (arguments[argc])
		argc++;
	if (!child) {
		int fd = open(into, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		exit(command->run(argc, (char **)(uintptr_t)arguments));
	}
	return end_of(child);
}

static int ask(const char *const *arguments, const char *into)
{
	return ask_by(&mw_cmd_status, arguments, into);
}

static int turn(const char *mode)
{
	const char *const arguments[] = {"mode", mode, NULL};

	return ask_by(&mw_cmd_daemon_mode, arguments, FOLDER "/turned");
}

static void status_is_told(void **state)
{
	static const char *const plain[] = {"status", NULL}, *const json[] = {"status", "--json",
	                                                                      NULL};
	pid_t child;

	(void)state;
	need_place();
	assert_int_equal(ask(plain, FOLDER "/status"), 1);
	assert_true(has("status", "no modelwatch daemon is running"));
	child = start_service("mode: kill\nalerts: " FOLDER "/alerts\n");
	assert_int_equal(ask(plain, FOLDER "/status"), 0);
	assert_true(has("status", "deny (kill is asked for)"));
	assert_int_equal(ask(json, FOLDER "/status"), 0);
	assert_true(has("status", "\"schema\": \"modelwatch.status/1\""));
	end_service(child);
	assert_true(
	        has("said",
	            "kill is asked for, the mode is deny: the kernel refuses, and kills nobody"));
}

static void reload_takes_what_is_good(void **state)
{
	static const char *const json[] = {"status", "--json", NULL};
	pid_t child;

	(void)state;
	need_place();
	child = start_service("alerts: " FOLDER "/one\n");
	write_text("m.yaml", "mode: alert\nring: {bytes: 8 MiB}\nalerts: " FOLDER "/two\n");
	kill(child, SIGHUP);
	expect_told("RELOADING=1\nMONOTONIC_USEC=");
	expect_told("READY=1");
	assert_true(has("said", "ring: what has changed there holds from the next start on"));
	ask(json, FOLDER "/status");
	assert_true(has("status", "\"mode\": \"alert\""));
	assert_true(has("status", "\"alerts_file\": \"" FOLDER "/two\""));
	assert_true(has("status", "\"loads\": 1,")); /* the engine got one policy */
	end_service(child);
}

static void the_mode_is_changed_at_once(void **state)
{
	static const char *const json[] = {"status", "--json", NULL};
	pid_t child;

	(void)state;
	need_place();
	assert_int_equal(turn("deny"), 1);
	child = start_service("mode: alert\nalerts: " FOLDER "/one\n");
	assert_int_equal(turn("deny"), 0);
	assert_true(has("turned", "the mode is deny"));
	assert_true(
	        has("said", "deny: what goes over IP is refused, and nothing else: nobody asks"));
	kill(child,
	     SIGHUP); /* what was said to the daemon is not taken back by its configuration */
	expect_told("RELOADING=1\nMONOTONIC_USEC=");
	expect_told("READY=1");
	ask(json, FOLDER "/status");
	assert_true(has("status", "\"mode\": \"deny\""));
	assert_int_equal(turn("never"), 125);
	assert_int_equal(turn("kill"), 125);
	assert_true(has("turned", "the mode is deny: the kernel refuses, and kills nobody"));
	assert_int_equal(turn("observe"), 0);
	assert_true(has("said", "the mode is observe now"));
	end_service(child);
}

static void a_storm_ends_refusing(void **state)
{
	static const char *const json[] = {"status", "--json", NULL};
	pid_t child;

	(void)state;
	need_place();
	child = start_service("mode: deny\nalerts: " FOLDER "/stormy\n");
	kill(child, SIGWINCH);
	wait_for("said", "the mode is alert now");
	assert_true(has("stormy", "\"kind\":\"enforcement\""));
	assert_true(has("stormy", "\"severity\":\"critical\""));
	ask(json, FOLDER "/status");
	assert_true(has("status", "\"mode\": \"alert\""));
	assert_true(has("status", "\"asked_mode\": \"deny\""));
	assert_int_equal(turn("deny"), 0); /* somebody has looked at it */
	end_service(child);
}

static void reload_refuses_what_is_not(void **state)
{
	static const char *const json[] = {"status", "--json", NULL};
	pid_t child;

	(void)state;
	need_place();
	child = start_service("mode: alert\nalerts: " FOLDER "/one\n");
	write_text("m.yaml", "mode: alert\nalert: " FOLDER "/two\n");
	kill(child, SIGHUP);
	expect_told("RELOADING=1");
	expect_told("READY=1");
	assert_true(has("said", FOLDER "/m.yaml:2:1: no key 'alert' in the configuration; "
	                               "nothing is changed"));
	ask(json, FOLDER "/status");
	assert_true(has("status", "\"alerts_file\": \"" FOLDER "/one\""));
	assert_true(has("status", "\"loads\": 0,"));
	assert_true(has("status", "\"reloaded\": null"));
	end_service(child);
}

/* What logrotate does. */
static void reload_opens_the_alerts_file_anew(void **state)
{
	pid_t child;

	(void)state;
	need_place();
	child = start_service("alerts: " FOLDER "/one\n");
	assert_int_equal(rename(FOLDER "/one", FOLDER "/one.1"), 0);
	kill(child, SIGHUP);
	expect_told("RELOADING=1");
	expect_told("READY=1");
	kill(child, SIGUSR1);
	end_service(child);
	assert_true(has("one", "\"kind\":\"ring_full\",\"count\":1,\"hooks\":{\"exec\":1}"));
	assert_false(has("one.1", "modelwatch.loss/1"));
}

static void losses_are_told_while_it_runs_and_at_the_end(void **state)
{
	pid_t child;

	(void)state;
	need_place();
	unlink(FOLDER "/one");
	child = start_service("alerts: " FOLDER "/one\n");
	kill(child, SIGUSR1);
	wait_for("one", "\"kind\":\"ring_full\",\"count\":1,");
	kill(child, SIGUSR1);
	usleep(50000);
	end_service(child);
	assert_true(has("said", "modelwatch: not seen, 1 times: events came faster than"));
	assert_int_equal(count_of("one", "modelwatch.loss/1"), 2);
}

/* What it leaves behind, the lock and the socket, is in nobody's way. */
static void a_killed_daemon_is_followed_by_another(void **state)
{
	pid_t child;

	(void)state;
	need_place();
	child = start_service("alerts: " FOLDER "/one\n");
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(access("/run/modelwatch/control.sock", F_OK), 0);
	end_service(start_service("alerts: " FOLDER "/one\n"));
}

static void there_is_one_daemon(void **state)
{
	char words[80];
	pid_t child;

	(void)state;
	need_place();
	child = start_service("alerts: " FOLDER "/one\n");
	assert_int_equal(end_of(run("--foreground", NULL)), 125);
	snprintf(words, sizeof(words), "another modelwatch daemon is running: process %d\n",
	         (int)child);
	assert_true(has("said", words));
	end_service(child);
}

/* The second one waits in the background for nothing: it was up when the command ended. */
static void the_background_is_reached_when_it_is_up(void **state)
{
	pid_t there;
	char *text;

	(void)state;
	need_place();
	write_text("m.yaml", "alerts: " FOLDER "/one\n");
	assert_int_equal(end_of(run(NULL, NULL)), 0);
	assert_int_equal(access("/run/modelwatch/control.sock", F_OK), 0);
	text = text_of("../modelwatch/daemon.lock");
	there = (pid_t)strtol(text, NULL, 10);
	free(text);
	assert_true(there > 1 && there != getpid());
	assert_int_equal(getsid(there) == getsid(0), 0);
	kill(there, SIGTERM);
	for (int i = 0; i < 500 && access("/run/modelwatch/control.sock", F_OK) == 0; i++)
		usleep(10000);
	assert_int_not_equal(access("/run/modelwatch/control.sock", F_OK), 0);
}

static void what_fails_in_the_background_is_told(void **state)
{
	(void)state;
	need_place();
	write_text("m.yaml", "alerts: " FOLDER "/one\nlabels: {fail: 'yes'}\n");
	assert_int_equal(end_of(run(NULL, NULL)), 125);
	assert_true(has("said", "modelwatch: the kernel does not want to\n"));
	write_text("m.yaml", "mode: observe\n");
	assert_int_equal(end_of(run(NULL, NULL)), 125);
	assert_true(has("said", "nobody would see an alert"));
}

static void fetch(int port, const char *request, char *out, size_t size)
{
	char command[256];
	FILE *pipe;
	size_t len;

	snprintf(command, sizeof(command),
	         "bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d && printf \"%s\" >&3 && cat <&3' "
	         "2>/dev/null",
	         port, request);
	pipe = popen(command, "r"); // NOLINT(cert-env33-c)
	assert_non_null(pipe);
	len = fread(out, 1, size - 1, pipe);
	out[len] = '\0';
	pclose(pipe);
}

static void metrics_are_served_and_written(void **state)
{
	int port = 20000 + (int)getpid() % 20000;
	char config[256], text[16384];
	pid_t child;

	(void)state;
	need_place();
	snprintf(config, sizeof(config),
	         "alerts: " FOLDER "/one\n"
	         "metrics: {listen: '127.0.0.1:%d', textfile: " FOLDER "/m.prom}\n",
	         port);
	child = start_service(config);
	fetch(port, "GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", text, sizeof(text));
	assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(text, "\nmodelwatch_build_info{version="));
	wait_for("m.prom", "modelwatch_events_lost_total{stage=\"ringbuf\",hook=\"exec\"} 0\n");
	write_text("m.yaml", "alerts: " FOLDER "/one\n");
	kill(child, SIGHUP);
	expect_told("RELOADING=1");
	expect_told("READY=1");
	fetch(port, "GET /metrics HTTP/1.1\\r\\n\\r\\n", text, sizeof(text));
	assert_string_equal(text, ""); /* switched off */
	end_service(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_service_tells_its_manager, end_rest),
	        cmocka_unit_test_teardown(status_is_told, end_rest),
	        cmocka_unit_test_teardown(reload_takes_what_is_good, end_rest),
	        cmocka_unit_test_teardown(the_mode_is_changed_at_once, end_rest),
	        cmocka_unit_test_teardown(a_storm_ends_refusing, end_rest),
	        cmocka_unit_test_teardown(reload_refuses_what_is_not, end_rest),
	        cmocka_unit_test_teardown(reload_opens_the_alerts_file_anew, end_rest),
	        cmocka_unit_test_teardown(losses_are_told_while_it_runs_and_at_the_end, end_rest),
	        cmocka_unit_test_teardown(a_killed_daemon_is_followed_by_another, end_rest),
	        cmocka_unit_test_teardown(there_is_one_daemon, end_rest),
	        cmocka_unit_test_teardown(the_background_is_reached_when_it_is_up, end_rest),
	        cmocka_unit_test_teardown(what_fails_in_the_background_is_told, end_rest),
	        cmocka_unit_test_teardown(metrics_are_served_and_written, end_rest),
	};

	return cmocka_run_group_tests(tests, make_place, NULL);
}
