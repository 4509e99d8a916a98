/* What a sink says of a send(): one line for people and one word of a metric. */
#ifndef MW_COURIER_SINK_REPORT_H
#define MW_COURIER_SINK_REPORT_H

#include "sink.h"

/* Says what is wrong; the last one counts. */
__attribute__((format(printf, 3, 4))) void
mw_sink_wrong(struct mw_sink_report *report, const char *reason, const char *format, ...);

/* The same, and then, in quotes, `len` bytes at `text` that the receiver wrote, so that they can be
 * shown on a terminal. */
void mw_sink_wrong_quoted(struct mw_sink_report *report, const char *reason, const char *ours,
                          const char *text, size_t len);

/* The record will never be taken. `why` can be shown, and stays with the dead letter. */
void mw_sink_refuse(struct mw_sink_item *item, const char *why);

/* Milliseconds of a clock that only goes forward. */
int64_t mw_sink_clock(void);

/* Whether `stop` (a descriptor, or -1) is readable, within `wait_ms`. */
bool mw_sink_stopped(int stop, int wait_ms);

#endif
