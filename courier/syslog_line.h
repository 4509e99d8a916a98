/* Records as lines of syslog: what comes before the text. */
#ifndef MW_COURIER_SYSLOG_LINE_H
#define MW_COURIER_SYSLOG_LINE_H

#include <stddef.h>

#include "sink.h"

#define MW_SYSLOG_HEAD 1024 /* bytes that a head takes at most, with its NUL */

/* RFC 5424, 6.2.1: 0 emergency to 7 debug. */
int mw_syslog_severity(enum mw_severity severity);

/* The head of a record's line, as RFC 5424 has it, with `id`, `uid`, `sequence` and `severity` as
 * structured data, up to the space before the text. The text follows without the mark of UTF-8,
 * which JSON must not begin with (RFC 8259, 8.1). Returns its length. */
size_t mw_syslog_head(const struct mw_sink_config *config, const char *host,
                      const struct mw_sink_item *item, char ret[static MW_SYSLOG_HEAD]);

#endif
