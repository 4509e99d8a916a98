#include "channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <openssl/err.h>

#include "channel_parts.h"

#define LOOK_MS 16 /* the longest between two looks at what is not acknowledged */

struct mw_channel {
	int fd, stop;
	bool is_stream; /* else datagrams */
	SSL *ssl;       /* NULL: none */
	bool is_broken; /* half written, or the receiver is gone: there is no goodbye */
};

static int start_tls(struct mw_channel *channel, const struct mw_address *address,
                     const struct mw_sink_tls *tls, const struct mw_wait *wait, char *why,
                     size_t why_size)
{
	const char *name = tls->server_name ? tls->server_name : address->host;

	if (!address->is_stream || !name[0]) {
		snprintf(why, why_size, "TLS needs a stream, and a server_name over a UNIX socket");
		return -EINVAL;
	}
	return mw_tls_start(channel->fd, name, tls, wait, &channel->ssl, why, why_size);
}

static int start(struct mw_channel *channel, const char *text, const struct mw_sink_tls *tls,
                 const struct mw_wait *wait, char *why, size_t why_size)
{
	struct mw_address address;
	const char *word = NULL;

	if (mw_address_parse(text, &address)) {
		snprintf(why, why_size, "not an address");
		return -EINVAL;
	}
	channel->is_stream = address.is_stream;
	channel->fd = mw_connect(&address, wait, &word);
	if (channel->fd < 0) {
		if (word)
			snprintf(why, why_size, "%s", word);
		return channel->fd;
	}
	return tls && tls->on ? start_tls(channel, &address, tls, wait, why, why_size) : 0;
}

int mw_channel_open(const char *address, const struct mw_sink_tls *tls, int timeout_ms, int stop,
                    struct mw_channel **ret, char *why, size_t why_size)
{
	const struct mw_wait wait = mw_wait_for(timeout_ms, stop);
	struct mw_channel *channel = malloc(sizeof(*channel));
	char reason[200] = "";
	int error;

	if (!channel)
		return -ENOMEM;
	*channel = (struct mw_channel){.fd = -1, .stop = stop};
	error = start(channel, address, tls, &wait, reason, sizeof(reason));
	if (!error) {
		*ret = channel;
		return 0;
	}
	snprintf(why, why_size, "%.200s: %s", address, reason[0] ? reason : strerror(-error));
	channel->is_broken = true;
	mw_channel_close(channel);
	return error;
}

/* Each of these three does a little of it, without waiting. They return how much, 0 at the end of
 * what the receiver says; or a negative errno, -EAGAIN with what to wait for in `*wants`. */
static ssize_t write_some(struct mw_channel *channel, const void *data, size_t len, short *wants)
{
	ssize_t n;

	*wants = POLLOUT;
	if (!channel->ssl) {
		n = send(channel->fd, data, len, MSG_NOSIGNAL);
		return n >= 0 ? n : errno == EINTR ? -EAGAIN : mw_socket_error(errno);
	}
	ERR_clear_error();
	n = SSL_write(channel->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
	if (n > 0)
		return n;
	n = mw_tls_wants(channel->ssl, (int)n);
	*wants = n > 0 ? (short)n : 0;
	return n > 0 ? -EAGAIN : n ? n : -EPIPE;
}

static ssize_t take_some(struct mw_channel *channel, void *data, size_t size, bool is_peek,
                         short *wants)
{
	int n, most = size > INT_MAX ? INT_MAX : (int)size;
	ssize_t got;

	*wants = POLLIN;
	if (!channel->ssl) {
		got = recv(channel->fd, data, size, is_peek ? MSG_PEEK : 0);
		return got >= 0 ? got : errno == EINTR ? -EAGAIN : mw_socket_error(errno);
	}
	ERR_clear_error();
	n = is_peek ? SSL_peek(channel->ssl, data, most) : SSL_read(channel->ssl, data, most);
	if (n > 0)
		return n;
	n = mw_tls_wants(channel->ssl, n);
	*wants = n > 0 ? (short)n : 0;
	return n > 0 ? -EAGAIN : n;
}

int mw_channel_write(struct mw_channel *channel, const void *data, size_t len, int timeout_ms)
{
	const struct mw_wait wait = mw_wait_for(timeout_ms, channel->stop);
	size_t done = 0;
	int error = 0;

	while (done < len && !error) {
		short wants;
		ssize_t n = write_some(channel, (const char *)data + done, len - done, &wants);

		if (n >= 0)
			done += (size_t)n;
		else
			error = n == -EAGAIN ? mw_wait_on(&wait, channel->fd, wants) : (int)n;
	}
	channel->is_broken |= error != 0;
	return error;
}

/* Many receivers hold their next answer back until the last is acknowledged (Nagle), for which the
 * kernel takes 40 ms; it forgets that it is not to. */
static void acknowledge_at_once(const struct mw_channel *channel)
{
	const int on = 1;

	setsockopt(channel->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

ssize_t mw_channel_read(struct mw_channel *channel, void *data, size_t size, int timeout_ms)
{
	const struct mw_wait wait = mw_wait_for(timeout_ms, channel->stop);
	ssize_t n;
	short wants;
	int error;

	acknowledge_at_once(channel);
	do {
		n = take_some(channel, data, size, false, &wants);
		error = n == -EAGAIN ? mw_wait_on(&wait, channel->fd, wants) : 0;
	} while (n == -EAGAIN && !error);
	channel->is_broken |= n <= 0 && n != -EAGAIN;
	return error ? error : n;
}

int mw_channel_poll(struct mw_channel *channel)
{
	char byte;
	short wants;
	ssize_t n = take_some(channel, &byte, 1, true, &wants);

	if (n == -EAGAIN)
		return 0;
	channel->is_broken |= n <= 0;
	return n > 0 ? 1 : -EPIPE;
}

/* Whether all is acknowledged, 0 or 1, or a negative errno. */
static int is_settled(struct mw_channel *channel)
{
	int left, error;

	if (ioctl(channel->fd, SIOCOUTQ, &left) < 0)
		return -errno;
	error = mw_channel_poll(channel);
	return error < 0 ? error : !left;
}

/* Nothing tells when the last acknowledgement comes. */
int mw_channel_settle(struct mw_channel *channel, int timeout_ms)
{
	const struct mw_wait wait = mw_wait_for(timeout_ms, channel->stop);
	int result = is_settled(channel);

	for (int ms = 1; !result; ms = ms < LOOK_MS ? 2 * ms : ms) {
		result = mw_wait_pause(&wait, ms);
		if (!result)
			result = is_settled(channel);
	}
	channel->is_broken |= result < 0;
	return result < 0 ? result : 0;
}

void mw_channel_finish(struct mw_channel *channel, int timeout_ms)
{
	const struct mw_wait wait = mw_wait_for(timeout_ms, -1);
	char junk[4096];
	ssize_t n;

	if (channel->is_broken || !channel->is_stream)
		return;
	mw_tls_end(channel->ssl, false);
	channel->ssl = NULL;
	shutdown(channel->fd, SHUT_WR);
	do {
		if (mw_wait_on(&wait, channel->fd, POLLIN))
			break;
		n = recv(channel->fd, junk, sizeof(junk), 0);
	} while (mw_wait_left(&wait) && (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))));
}

void mw_channel_close(struct mw_channel *channel)
{
	if (!channel)
		return;
	mw_tls_end(channel->ssl, channel->is_broken);
	if (channel->fd >= 0)
		close(channel->fd);
	free(channel);
}
