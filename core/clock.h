/* The time that no clock's setting changes. */
#ifndef MW_CORE_CLOCK_H
#define MW_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some moment before: for how long things take, and until when. */
static inline int64_t mw_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
