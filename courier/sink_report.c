#include "sink_report.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "../tools/text.h"

#define QUOTED 120 /* bytes of what a receiver says */

void mw_sink_wrong(struct mw_sink_report *report, const char *reason, const char *format, ...)
{
	va_list list;

	report->reason = reason;
	va_start(list, format);
	vsnprintf(report->why, sizeof(report->why), format, list);
	va_end(list);
}

void mw_sink_wrong_quoted(struct mw_sink_report *report, const char *reason, const char *ours,
                          const char *text, size_t len)
{
	struct mw_text t;

	report->reason = reason;
	mw_text_start(&t, report->why, sizeof(report->why));
	mw_text_add(&t, "%s", ours);
	if (!len)
		return;
	mw_text_add(&t, ": \"");
	mw_text_shown(&t, text, len, QUOTED);
	mw_text_add(&t, "\"");
}

void mw_sink_refuse(struct mw_sink_item *item, const char *why)
{
	item->outcome = MW_SINK_REFUSED;
	snprintf(item->why, sizeof(item->why), "%s", why);
}

int64_t mw_sink_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool mw_sink_stopped(int stop, int wait_ms)
{
	struct pollfd fd = {.fd = stop, .events = POLLIN};

	return poll(&fd, 1, wait_ms) > 0;
}
