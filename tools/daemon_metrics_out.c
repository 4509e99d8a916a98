/* Where metrics go: an answer to a scraper, or a file for node_exporter's textfile collector. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_metrics.h"
#include "inquiry.h"
#include "write.h"

static void put(struct mw_buffer *answer, const char *status, const char *type, const char *body,
                size_t len, bool with_body)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
	                 "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	                 "Connection: close\r\n\r\n",
	                 status, type, len);
	size_t before = answer->len;

	if (mw_buffer_add(answer, head, (size_t)n, MW_INQUIRY_ANSWER) < 0 ||
	    (with_body && mw_buffer_add(answer, body, len, MW_INQUIRY_ANSWER) < 0))
		answer->len = before;
}

static void refuse(struct mw_buffer *answer, const char *status)
{
	put(answer, status, "text/plain; charset=utf-8", status, strlen(status), true);
}

/* "METHOD PATH HTTP/1.x" and what else there is. */
void mw_metrics_http(const char *request, const char *text, size_t len, struct mw_buffer *answer)
{
	bool is_head = !strncmp(request, "HEAD ", 5);
	const char *path = strchr(request, ' ');
	size_t path_len;

	if (!path || strncmp(path + 1 + strcspn(path + 1, " \r\n"), " HTTP/1.", 8) != 0) {
		refuse(answer, "400 Bad Request");
		return;
	}
	path++;
	path_len = strcspn(path, " ?");
	if (!is_head && strncmp(request, "GET ", 4) != 0)
		refuse(answer, "405 Method Not Allowed");
	else if (path_len != strlen("/metrics") || strncmp(path, "/metrics", path_len) != 0)
		refuse(answer, "404 Not Found");
	else
		put(answer, "200 OK", "text/plain; version=0.0.4; charset=utf-8", text, len,
		    !is_head);
}

/* The file beside it is made anew, so that nobody else has put it there. */
int mw_metrics_file(const char *path, const char *text, size_t len)
{
	char beside[PATH_MAX];
	int fd, error;

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	error = fchmod(fd, 0644) < 0 ? -errno : mw_write_quietly(fd, text, len, NULL);
	if (close(fd) < 0 && !error)
		error = -errno;
	if (!error && rename(beside, path) < 0)
		error = -errno;
	if (error)
		unlink(beside);
	return error;
}
