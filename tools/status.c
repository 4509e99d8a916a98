/* modelwatch status: asks the daemon how it is. */
#include "status.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "buffer.h"
#include "daemon_config.h"
#include "main.h"

#define EXIT_NOT_RUNNING 1
#define PATIENCE_MS 5000
#define ANSWER_MAX (4u << 20)
#define MEASURED_S 2

enum { JSON, OVERHEAD, SOCKET };

struct asked {
	bool json, overhead;
	const char *socket;
};

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, "status\n", 7, MSG_NOSIGNAL) != 7)
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

static int read_answer(int fd, struct mw_buffer *answer)
{
	char part[16384];
	ssize_t n;

	do {
		struct pollfd some = {.fd = fd, .events = POLLIN};
		int ready = poll(&some, 1, PATIENCE_MS);

		if (ready <= 0)
			return ready ? -errno : -ETIMEDOUT;
		n = read(fd, part, sizeof(part));
		if (n < 0)
			return -errno;
		if (mw_buffer_add(answer, part, (size_t)n, ANSWER_MAX) < 0)
			return -EFBIG;
	} while (n);
	return 0;
}

json_t *mw_status_ask(const char *path, int *ret_status)
{
	struct mw_buffer answer = {0};
	json_t *json = NULL;
	int fd = connect_to(path), error = fd < 0 ? fd : read_answer(fd, &answer);

	if (!error)
		json = json_loadb(answer.data ? answer.data : "", answer.len, 0, NULL);
	if (fd >= 0)
		close(fd);
	free(answer.data);
	if (json)
		return json;
	*ret_status = error == -ENOENT || error == -ECONNREFUSED ? EXIT_NOT_RUNNING : MW_EXIT_OWN;
	if (*ret_status == EXIT_NOT_RUNNING)
		mw_say("no modelwatch daemon is running (nobody listens at %s)", path);
	else if (error == -EACCES)
		mw_say("%s: only root may ask the daemon", path);
	else
		mw_say("%s: %s", path, error ? strerror(-error) : "the daemon gave no answer");
	return NULL;
}

static int show(const json_t *status, json_t *overhead, bool json)
{
	char *text;
	int result;

	if (!json) {
		if (overhead)
			mw_status_overhead_text(stdout, overhead, MEASURED_S);
		else
			mw_status_text(stdout, status);
		return mw_put("");
	}
	text = json_dumps(overhead ? overhead : status, JSON_INDENT(2));
	result = text ? mw_put(text) : mw_say("out of memory");
	free(text);
	return result ? result : mw_put("\n");
}

/* The kernel keeps the time of programs only while somebody asks it to. */
static int measure(const struct asked *asked)
{
	const struct timespec wait = {.tv_sec = MEASURED_S};
	json_t *before = NULL, *after = NULL, *overhead = NULL;
	int status = MW_EXIT_OWN, stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (stats < 0)
		return mw_say("the kernel does not measure programs for us: %s", strerror(errno));
	before = mw_status_ask(asked->socket, &status);
	if (before) {
		nanosleep(&wait, NULL);
		after = mw_status_ask(asked->socket, &status);
	}
	close(stats);
	if (after) {
		overhead = mw_status_overhead(before, after, MEASURED_S);
		status = overhead ? show(after, overhead, asked->json) : mw_say("out of memory");
	}
	json_decref(before);
	json_decref(after);
	json_decref(overhead);
	return status;
}

static int look(const struct asked *asked)
{
	int result = MW_EXIT_OWN;
	json_t *status = mw_status_ask(asked->socket, &result);

	if (!status)
		return result;
	result = show(status, NULL, asked->json);
	json_decref(status);
	return result;
}

static int take(void *context, int id, const char *value)
{
	struct asked *asked = context;

	if (id == JSON)
		asked->json = true;
	else if (id == OVERHEAD)
		asked->overhead = true;
	else
		asked->socket = value;
	return 0;
}

static int run(int argc, char **argv)
{
	struct asked asked = {.socket = MW_DAEMON_RUN "/control.sock"};
	char **operands;
	int status = mw_options(&mw_cmd_status, argc, argv, take, &asked, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch status --help", *operands);
	return asked.overhead ? measure(&asked) : look(&asked);
}

static const struct mw_option options[] = {
        {.name = "json", .id = JSON, .help = "the answer as JSON"},
        {.name = "overhead",
         .id = OVERHEAD,
         .help = "what each program in the kernel costs, measured for two seconds"},
        {.name = "socket",
         .argument = "PATH",
         .id = SOCKET,
         .values = MW_FILES,
         .help = "the daemon's control socket, when it is not " MW_DAEMON_RUN "/control.sock"},
        {0},
};

const struct mw_command mw_cmd_status = {
        .name = "modelwatch status",
        .help = "say how the daemon is: what it sees, what it lost, what it costs",
        .synopsis = "",
        .about = "Asks the running daemon, as root, how it is.",
        .options = options,
        .after = "Exit status: 0 when the daemon has answered, 1 when none is running, 125 "
                 "otherwise.",
        .run = run,
};
