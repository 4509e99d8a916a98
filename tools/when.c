#include "when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

/* Exactly `count` digits. */
static bool digits(const char **at, int count, int *ret)
{
	*ret = 0;
	for (; count > 0; count--, (*at)++) {
		if (!isdigit((unsigned char)**at))
			return false;
		*ret = *ret * 10 + (**at - '0');
	}
	return true;
}

static bool character(const char **at, const char *any)
{
	if (!**at || !strchr(any, **at))
		return false;
	(*at)++;
	return true;
}

static bool date(const char **at, struct tm *tm)
{
	if (!digits(at, 4, &tm->tm_year) || !character(at, "-") || !digits(at, 2, &tm->tm_mon) ||
	    !character(at, "-") || !digits(at, 2, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return tm->tm_year >= 70 && tm->tm_year <= 361 && tm->tm_mon >= 0 && tm->tm_mon < 12;
}

static bool clock_of_day(const char **at, struct tm *tm)
{
	return digits(at, 2, &tm->tm_hour) && character(at, ":") && digits(at, 2, &tm->tm_min) &&
	       character(at, ":") && digits(at, 2, &tm->tm_sec) && tm->tm_hour < 24 &&
	       tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* Of the second, when there is one; what is finer than a nanosecond is dropped. */
static bool fraction(const char **at, int64_t *ret)
{
	int64_t unit = SECOND;

	*ret = 0;
	if (!character(at, "."))
		return true;
	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); (*at)++) {
		unit /= 10;
		*ret += unit * (**at - '0');
	}
	return true;
}

static bool zone(const char **at, int64_t *ret_seconds)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*ret_seconds = 0;
	if (character(at, "Zz"))
		return true;
	if (!character(at, "+-") || !digits(at, 2, &hours) || !character(at, ":") ||
	    !digits(at, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

int mw_when_rfc3339(const char *text, int64_t *ret)
{
	struct tm tm = {0};
	int64_t nanoseconds, east, seconds;
	int day, second;

	if (!date(&text, &tm) || !character(&text, "Tt ") || !clock_of_day(&text, &tm) ||
	    !fraction(&text, &nanoseconds) || !zone(&text, &east) || *text)
		return -EINVAL;
	day = tm.tm_mday;
	second = tm.tm_sec;
	tm.tm_sec = 0; /* a leap second belongs to the day before */
	seconds = timegm(&tm) + second - east;
	if (tm.tm_mday != day || seconds < 0) /* 31 February */
		return -EINVAL;
	*ret = seconds * SECOND + nanoseconds;
	return 0;
}

static int64_t unit_of(char c)
{
	switch (c) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return INT64_C(24) * 3600;
	case 'w':
		return INT64_C(7) * 24 * 3600;
	default:
		return 0;
	}
}

int mw_when(const char *text, int64_t now, int64_t *ret)
{
	int64_t back;
	char *end;
	long n;

	if (!mw_when_rfc3339(text, ret))
		return 0;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || !unit_of(*end) || end[1] ||
	    __builtin_mul_overflow(n, unit_of(*end) * SECOND, &back))
		return -EINVAL;
	*ret = back < now ? now - back : 0;
	return 0;
}

int64_t mw_when_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

int64_t mw_when_since_boot(uint64_t ns)
{
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return mw_when_now() - (boot.tv_sec * SECOND + boot.tv_nsec) + (int64_t)ns;
}

void mw_when_text(int64_t when, char ret[static MW_WHEN_TEXT])
{
	time_t seconds = when / SECOND;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(ret, MW_WHEN_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + strlen(ret), MW_WHEN_TEXT - strlen(ret), ".%09dZ", (int)(when % SECOND));
}
