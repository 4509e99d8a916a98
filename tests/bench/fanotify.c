/* Reads what fanotify says of all writes to a file system, and drops it: what it would cost the
 * others to have file writes seen that way. `fanotify DIRECTORY` says "ready" and how, goes on
 * until SIGTERM, then says how many events there were. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD 0x80
#endif

#define NAMED (FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_REPORT_DFID_NAME)
#define EVENTS (FAN_CREATE | FAN_MODIFY | FAN_DELETE | FAN_MOVE | FAN_ATTRIB | FAN_ONDIR)

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

/* A pidfd comes with each event, and has to be closed. */
static void drop(const struct fanotify_event_metadata *event)
{
	const char *at = (const char *)(event + 1), *limit = (const char *)event + event->event_len;
	struct fanotify_event_info_header head;
	int fd;

	while (limit - at >= (ptrdiff_t)(sizeof(head) + sizeof(fd))) {
		memcpy(&head, at, sizeof(head));
		memcpy(&fd, at + sizeof(head), sizeof(fd));
		if (head.info_type == 4 /* FAN_EVENT_INFO_TYPE_PIDFD */ && fd >= 0)
			close(fd);
		if (head.len < sizeof(head))
			return;
		at += head.len;
	}
}

static unsigned long read_some(int fd)
{
	_Alignas(struct fanotify_event_metadata) char room[65536];
	ssize_t len = read(fd, room, sizeof(room));
	const struct fanotify_event_metadata *event = (const void *)room;
	unsigned long count = 0;

	for (; len > 0 && FAN_EVENT_OK(event, len); event = FAN_EVENT_NEXT(event, len)) {
		drop(event);
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = end};
	const char *how = "with pidfds";
	unsigned long count = 0;
	int fd = fanotify_init(NAMED | FAN_REPORT_PIDFD, O_RDONLY);

	if (fd < 0 && errno == EINVAL) {
		how = "without pidfds";
		fd = fanotify_init(NAMED, O_RDONLY);
	}
	if (argc != 2 || fd < 0 ||
	    fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENTS, AT_FDCWD, argv[1]) < 0) {
		perror("fanotify");
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	printf("ready, %s\n", how);
	fflush(stdout);
	while (!ended)
		count += read_some(fd);
	printf("%lu\n", count);
	return 0;
}
