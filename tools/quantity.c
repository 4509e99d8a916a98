#include "quantity.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUANTITY_MAX (UINT64_C(1) << 53) /* every JSON reader has it exactly */

/* Largest first. */
struct unit {
	const char *name;
	uint64_t size;
};
static const struct unit durations[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit amounts[] = {
        {"TiB", UINT64_C(1) << 40}, {"TB", UINT64_C(1000000000000)},
        {"GiB", 1 << 30},           {"GB", UINT64_C(1000000000)},
        {"MiB", 1 << 20},           {"MB", 1000000},
        {"KiB", 1 << 10},           {"kB", 1000},
};
#define COUNT(units) (sizeof(units) / sizeof(*(units)))

static int parse(const struct unit *units, size_t count, const char *text, uint64_t *ret)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	end += *end == ' ';
	for (size_t i = 0; i < count; i++) {
		if (strcmp(end, units[i].name))
			continue;
		if (!n)
			return -EINVAL;
		if (errno || n > QUANTITY_MAX / units[i].size)
			return -ERANGE;
		*ret = n * units[i].size;
		return 0;
	}
	return -EINVAL;
}

int mw_quantity_parse_time(const char *text, uint64_t *ret)
{
	return parse(durations, COUNT(durations), text, ret);
}

int mw_quantity_parse_bytes(const char *text, uint64_t *ret)
{
	return parse(amounts, COUNT(amounts), text, ret);
}

void mw_quantity_time(uint64_t ms, char ret[static MW_QUANTITY_TEXT])
{
	size_t i = 0;

	while (i + 1 < COUNT(durations) && (!ms || ms % durations[i].size))
		i++;
	snprintf(ret, MW_QUANTITY_TEXT, "%" PRIu64 " %s", ms / durations[i].size,
	         durations[i].name);
}

void mw_quantity_bytes(uint64_t bytes, char ret[static MW_QUANTITY_TEXT])
{
	for (size_t i = 0; i < COUNT(amounts); i++)
		if (bytes && bytes % amounts[i].size == 0) {
			snprintf(ret, MW_QUANTITY_TEXT, "%" PRIu64 " %s", bytes / amounts[i].size,
			         amounts[i].name);
			return;
		}
	snprintf(ret, MW_QUANTITY_TEXT, "%" PRIu64 " B", bytes);
}
