#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffer.h"
#include "say.h"

#define PATIENCE_MS 5000
#define ANSWER_MAX (4u << 20)

static int connect_to(const char *path, const char *question)
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
	    send(fd, question, strlen(question), MSG_NOSIGNAL) != (ssize_t)strlen(question))
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

json_t *mw_control_ask(const char *path, const char *question, int *ret_status)
{
	struct mw_buffer answer = {0};
	json_t *json = NULL;
	int fd = connect_to(path, question), error = fd < 0 ? fd : read_answer(fd, &answer);

	if (!error)
		json = json_loadb(answer.data ? answer.data : "", answer.len, 0, NULL);
	if (fd >= 0)
		close(fd);
	free(answer.data);
	if (json)
		return json;
	*ret_status =
	        error == -ENOENT || error == -ECONNREFUSED ? MW_CONTROL_NOT_RUNNING : MW_EXIT_OWN;
	if (*ret_status == MW_CONTROL_NOT_RUNNING)
		mw_say("no modelwatch daemon is running (nobody listens at %s)", path);
	else if (error == -EACCES)
		mw_say("%s: only root may ask the daemon", path);
	else
		mw_say("%s: %s", path, error ? strerror(-error) : "the daemon gave no answer");
	return NULL;
}
