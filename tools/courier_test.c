/* `modelwatch sink test`: a courier for one record. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "courier_parts.h"

#define TEST_MS 65000 /* twice the longest wait that anybody would configure to try it */

/* Until it has said what became of it, or gives up. */
static json_t *hear_test(int fd, int64_t end)
{
	struct mw_buffer heard = {.len = 0};
	struct pollfd event = {.fd = fd, .events = POLLIN};
	json_t *answer = NULL;
	char some[4096];
	ssize_t n = 1;

	while (n > 0 && mw_courier_now() < end && !memchr(heard.data ?: "", '\n', heard.len)) {
		poll(&event, 1, (int)(end - mw_courier_now()));
		n = recv(fd, some, sizeof(some), MSG_DONTWAIT);
		if (n > 0 && mw_buffer_add(&heard, some, (size_t)n, MW_COURIER_WORD) < 0)
			break;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			n = 1;
	}
	if (heard.len)
		answer = json_loadb(heard.data, heard.len, JSON_DISABLE_EOF_CHECK, NULL);
	free(heard.data);
	return answer;
}

/* A socket that is read at once takes it whole, or nobody reads. */
static int say_all(int fd, const char *text, size_t len, int64_t end)
{
	struct pollfd event = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	while (len && mw_courier_now() < end) {
		n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		poll(&event, 1, 100);
	}
	return len ? -ETIMEDOUT : 0;
}

static json_t *ask(int fd, json_t *question)
{
	char *text = question ? json_dumps(question, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	int64_t end = mw_courier_now() + TEST_MS;
	json_t *answer = NULL;

	if (text && !say_all(fd, text, strlen(text), end) && !say_all(fd, "\n", 1, end))
		answer = hear_test(fd, end);
	free(text);
	json_decref(question);
	return answer;
}

json_t *mw_courier_test(const json_t *config, const char *name, const json_t *record, char *why,
                        size_t why_size)
{
	struct mw_helpers_left left = {.count = 0};
	struct mw_helper process;
	int error = mw_courier_start(&process, -1, -1);
	const char *said;
	json_t *answer;

	if (error) {
		snprintf(why, why_size, "the courier cannot be started: %s", strerror(-error));
		return NULL;
	}
	answer = ask(process.fd, json_pack("{s:s, s:s, s:O, s:O}", "schema", "modelwatch.courier/1",
	                                   "test", name, "record", record, "config", config));
	mw_helpers_left_add(&left, &process, true);
	mw_helpers_left_close(&left);
	if (json_object_get(answer, "test"))
		return answer;
	said = json_string_value(json_object_get(json_object_get(answer, "view"), "why"));
	snprintf(why, why_size, "%s", said ? said : "the courier gave no answer in time");
	json_decref(answer);
	return NULL;
}
