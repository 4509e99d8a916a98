#include "forward_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/uuid.h"
#include "../tools/when.h"
#include "sink_report.h"

#define NONCE_MAX 256
#define READ_SIZE 4096

void mw_forward_link_close(struct mw_forward_link *f)
{
	mw_link_close(&f->link);
	f->in.len = f->taken = 0;
}

void mw_forward_link_end(struct mw_forward_link *f)
{
	mw_link_end(&f->link);
	mw_forward_link_close(f);
}

static int broken(struct mw_forward_link *f, int error, struct mw_sink_report *report)
{
	mw_link_wrong(&f->link, error, report);
	mw_forward_link_close(f);
	return error;
}

int mw_forward_link_wrong(struct mw_forward_link *f, struct mw_sink_report *report,
                          const char *reason, const char *why)
{
	mw_sink_wrong(report, reason, "%.150s: %s", f->link.address, why);
	return broken(f, -EPROTO, report);
}

static int wait_ms(const struct mw_forward_link *f)
{
	int64_t left = f->end - mw_sink_clock();

	return left < 0 ? 0 : left < f->timeout_ms ? (int)left : f->timeout_ms;
}

static int read_some(struct mw_forward_link *f)
{
	char bytes[READ_SIZE];
	ssize_t n = mw_channel_read(f->link.channel, bytes, sizeof(bytes), wait_ms(f));

	if (n <= 0)
		return n ? (int)n : -EPIPE;
	return mw_buffer_add(&f->in, bytes, (size_t)n, 2 * MW_FORWARD_ANSWER) < 0 ? -ENOMEM : 0;
}

int mw_forward_link_hear(struct mw_forward_link *f, struct mw_forward_answer *ret,
                         struct mw_sink_report *report)
{
	ssize_t n;
	int error = 0;

	if (f->taken)
		memmove(f->in.data, f->in.data + f->taken, f->in.len - f->taken);
	f->in.len -= f->taken;
	f->taken = 0;
	while ((n = mw_forward_answer(f->in.data, f->in.len, ret)) == 0 && !error)
		error = read_some(f);
	if (n == -EBADMSG)
		return mw_forward_link_wrong(f, report, "protocol",
		                             "what it says is not Fluent's Forward protocol");
	if (n < 0 || error)
		return broken(f, n < 0 ? (int)n : error, report);
	f->taken = (size_t)n;
	return 0;
}

int mw_forward_link_say(struct mw_forward_link *f, const struct mw_buffer *what,
                        struct mw_sink_report *report)
{
	int error = mw_channel_write(f->link.channel, what->data, what->len, wait_ms(f));

	return error ? broken(f, error, report) : 0;
}

static int send_ping(struct mw_forward_link *f, const struct mw_forward_answer *helo,
                     struct mw_sink_report *report)
{
	struct mw_buffer ping = {0};
	int error = mw_forward_ping(&ping, &f->self, helo);

	if (!error)
		error = mw_forward_link_say(f, &ping, report);
	else
		broken(f, error, report);
	free(ping.data);
	return error;
}

static int refused(struct mw_forward_link *f, const struct mw_forward_answer *pong,
                   struct mw_sink_report *report)
{
	char ours[200];

	snprintf(ours, sizeof(ours), "%.150s: the receiver does not accept us", f->link.address);
	mw_sink_wrong_quoted(report, "auth", ours, pong->reason.s, pong->reason.len);
	return broken(f, -EPROTO, report);
}

/* A receiver that has our name could send back our own proof. */
static int check_pong(struct mw_forward_link *f, const char *nonce, size_t nonce_len,
                      const struct mw_forward_answer *pong, struct mw_sink_report *report)
{
	const char *hostname = f->self.hostname;

	if (pong->kind != MW_FORWARD_PONG)
		return mw_forward_link_wrong(f, report, "protocol", "no PONG comes");
	if (!pong->ok)
		return refused(f, pong, report);
	if (pong->hostname.len == strlen(hostname) &&
	    !memcmp(pong->hostname.s, hostname, pong->hostname.len))
		return mw_forward_link_wrong(f, report, "auth",
		                             "the receiver has our name: say another `hostname`");
	if (!mw_forward_proves(&f->self, nonce, nonce_len, pong))
		return mw_forward_link_wrong(f, report, "auth",
		                             "the receiver does not have the shared key");
	return 0;
}

static int shake_hands(struct mw_forward_link *f, struct mw_sink_report *report)
{
	struct mw_forward_answer answer;
	char nonce[NONCE_MAX], salt[MW_UUID_TEXT];
	size_t nonce_len;
	int error = mw_forward_link_hear(f, &answer, report);

	if (error)
		return error;
	if (answer.kind != MW_FORWARD_HELO || answer.nonce.len > sizeof(nonce))
		return mw_forward_link_wrong(f, report, "protocol", "no HELO comes");
	nonce_len = answer.nonce.len;
	memcpy(nonce, answer.nonce.s, nonce_len);
	f->is_once = !answer.keepalive;
	mw_uuid(mw_when_now(), salt);
	f->self.salt = salt;
	error = send_ping(f, &answer, report);
	if (!error)
		error = mw_forward_link_hear(f, &answer, report);
	if (!error)
		error = check_pong(f, nonce, nonce_len, &answer, report);
	f->self.salt = NULL;
	return error;
}

int mw_forward_link_ready(struct mw_forward_link *f, struct mw_sink_report *report)
{
	int state;

	/* It has closed, or says what it was not asked for. */
	if (f->link.channel && (f->taken != f->in.len || mw_channel_poll(f->link.channel)))
		mw_forward_link_close(f);
	f->link.timeout_ms = wait_ms(f);
	state = mw_link_ready(&f->link, report);
	if (state <= 0)
		return state;
	f->is_once = false;
	f->in.len = f->taken = 0;
	return f->is_guarded ? shake_hands(f, report) : 0;
}
