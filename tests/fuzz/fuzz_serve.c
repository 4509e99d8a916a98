/* Any bytes on the daemon's control socket: it goes over to no mode that there is not, and answers
 * with one line of JSON, or not at all. */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../tools/daemon_serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mw_daemon_serve *serve;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static enum mw_verdict mode;

static void ask(void *context, struct mw_daemon_facts *ret)
{
	(void)context;
	*ret = (struct mw_daemon_facts){.mode = (int)mode, .asked = (int)mode, .policy_digest = ""};
}

static const char *turn(void *context, enum mw_verdict to)
{
	(void)context;
	if (to < MW_OBSERVE || to > MW_KILL)
		abort();
	mode = to;
	return to == MW_KILL ? "a \"reason\"" : NULL;
}

static void remove_socket(void)
{
	mw_daemon_serve_close(serve);
}

static void open_serve(void)
{
	struct mw_daemon_config config = {.control_socket = address.sun_path};
	char why[200];

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/modelwatch-fuzz-serve-%d",
	         getpid());
	if (mw_daemon_serve_open(&config, ask, turn, NULL, &serve, why, sizeof(why)))
		abort();
	atexit(remove_socket);
}

/* What there is to read, as far as it fits. Returns how much that is. */
static size_t listen_to(int fd, char *answer, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size) {
		mw_daemon_serve_poll(serve);
		n = recv(fd, answer + len, size - len, MSG_DONTWAIT);
		if (n > 0)
			len += (size_t)n;
	}
	return len;
}

static void check(const char *answer, size_t len)
{
	json_t *json;

	if (!len)
		return;
	json = json_loadb(answer, len, 0, NULL);
	if (!json || memchr(answer, '\n', len) != answer + len - 1 ||
	    !json_object_get(json, "schema"))
		abort();
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char answer[65536];
	int fd;

	if (!serve)
		open_serve();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		abort();
	if (size && send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
		abort();
	mw_daemon_serve_poll(serve);
	check(answer, listen_to(fd, answer, sizeof(answer)));
	close(fd);
	mw_daemon_serve_poll(serve); /* that it has gone */
	return 0;
}
