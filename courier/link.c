#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JUNK_MAX 256 /* reads: who says more speaks another protocol */
#define END_MS 1000  /* for a receiver to close */

static const char *reason_of(int error)
{
	switch (error) {
	case -ETIMEDOUT:
	case -ECANCELED:
		return "timeout";
	case -EPROTO:
		return "protocol";
	case -EPIPE:
		return "closed";
	default:
		return "connect";
	}
}

static const char *words_of(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return "it takes too long";
	case -ECANCELED:
		return "told to stop";
	case -EPROTO:
		return "not the protocol";
	case -EPIPE:
		return "closed by the receiver";
	default:
		return strerror(-error);
	}
}

void mw_link_close(struct mw_link *link)
{
	mw_channel_close(link->channel);
	link->channel = NULL;
}

void mw_link_end(struct mw_link *link)
{
	if (link->channel)
		mw_channel_finish(link->channel, END_MS);
	mw_link_close(link);
}

int mw_link_ignore(struct mw_link *link)
{
	char junk[4096];
	int error;

	for (int i = 0; (error = mw_channel_poll(link->channel)) > 0; i++) {
		if (i == JUNK_MAX)
			return -EPROTO;
		if (mw_channel_read(link->channel, junk, sizeof(junk), 0) < 0)
			return -EPIPE;
	}
	return error;
}

int mw_link_ready(struct mw_link *link, struct mw_sink_report *report)
{
	int error;

	if (link->channel && mw_channel_poll(link->channel) >= 0)
		return 0;
	mw_link_close(link);
	error = mw_channel_open(link->address, link->tls, link->timeout_ms, link->stop,
	                        &link->channel, report->why, sizeof(report->why));
	if (!error)
		return 1;
	report->reason = error == -EACCES || error == -EPROTO ? "tls" : reason_of(error);
	return error;
}

void mw_link_wrong(struct mw_link *link, int error, struct mw_sink_report *report)
{
	mw_link_close(link);
	if (report->reason)
		return;
	report->reason = reason_of(error);
	snprintf(report->why, sizeof(report->why), "%.150s: %s", link->address, words_of(error));
}
