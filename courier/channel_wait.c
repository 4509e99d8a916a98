#include "../core/clock.h"
#include "channel_parts.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

struct mw_wait mw_wait_for(int timeout_ms, int stop)
{
	return (struct mw_wait){.stop = stop, .deadline = mw_clock_ms() + timeout_ms};
}

int mw_wait_left(const struct mw_wait *wait)
{
	int64_t left = wait->deadline - mw_clock_ms();

	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int mw_wait_on(const struct mw_wait *wait, int fd, short events)
{
	struct pollfd fds[2] = {{.fd = wait->stop, .events = POLLIN}, {.fd = fd, .events = events}};
	int n;

	do
		n = poll(fds, 2, mw_wait_left(wait));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (fds[0].revents)
		return -ECANCELED;
	return n ? 0 : -ETIMEDOUT;
}

int mw_wait_pause(const struct mw_wait *wait, int ms)
{
	const struct mw_wait pause = mw_wait_for(ms, wait->stop);
	int error = mw_wait_on(&pause, -1, 0);

	return error != -ETIMEDOUT ? error : mw_wait_left(wait) ? 0 : -ETIMEDOUT;
}
