/* Points in time as people and alerts write them: nanoseconds since 1970, UTC, in an int64_t, which
 * reaches to the year 2261. */
#ifndef MW_TOOLS_WHEN_H
#define MW_TOOLS_WHEN_H

#include <stdint.h>

#define MW_WHEN_TEXT 31 /* 2026-11-23T16:55:46.015960535Z and its NUL */

/* `text` as RFC 3339 has it, from 1970 to 2261. Returns 0 or -EINVAL. */
int mw_when_rfc3339(const char *text, int64_t *ret);

/* The same, or how long before `now`: a number and s, m, h, d or w (2h, 7d). Returns 0 or -EINVAL.
 */
int mw_when(const char *text, int64_t now, int64_t *ret);

int64_t mw_when_now(void);

/* What the clock of today says of `ns` since boot (CLOCK_BOOTTIME). */
int64_t mw_when_since_boot(uint64_t ns);

/* `when`, not negative, as RFC 3339 with nanoseconds, as alerts have it. */
void mw_when_text(int64_t when, char ret[static MW_WHEN_TEXT]);

#endif
