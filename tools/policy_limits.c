#include "policy_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "quantity.h"

#define NESTING_MAX 1000

static int parse_nesting(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 10);
	return errno || *end || *text == '-' || *text == '+' || !*ret || *ret > NESTING_MAX
	               ? -EINVAL
	               : 0;
}

static void show_nesting(uint64_t value, char ret[static MW_QUANTITY_TEXT])
{
	snprintf(ret, MW_QUANTITY_TEXT, "%" PRIu64, value);
}

static const struct limit {
	const char *name;
	size_t at;
	int (*parse)(const char *text, uint64_t *ret);
	void (*show)(uint64_t value, char ret[static MW_QUANTITY_TEXT]);
	const char *values;
} limits[] = {
        {"time", offsetof(struct mw_limits, time), mw_quantity_parse_time, mw_quantity_time,
         "a number and ms, s, m or h"},
        {"memory", offsetof(struct mw_limits, memory), mw_quantity_parse_bytes, mw_quantity_bytes,
         "a number and MiB, GiB, TiB, MB, GB or TB"},
        {"nesting", offsetof(struct mw_limits, nesting), parse_nesting, show_nesting,
         "a number from 1 to 1000"},
};
#define LIMITS (sizeof(limits) / sizeof(*limits))

static int take_limit(struct mw_source *s, const char *key, const char *value, void *out)
{
	uint64_t *into;
	size_t i = 0;

	while (i < LIMITS && strcmp(limits[i].name, key))
		i++;
	if (i == LIMITS)
		return mw_source_complain(
		        s, "limit '%.32s' is not known: there are time, memory and nesting", key);
	into = (uint64_t *)(void *)((char *)out + limits[i].at);
	if (!strcmp(value, "none")) {
		*into = 0;
		return 0;
	}
	if (limits[i].parse(value, into))
		return mw_source_complain(s, "'%.32s' is no limit of %s: it is %s, or none", value,
		                          key, limits[i].values);
	return 0;
}

int mw_policy_limits(struct mw_source *s)
{
	return mw_source_pairs(s, "limits", take_limit, &s->build->limits);
}

void mw_policy_limits_show(const struct mw_limits *of, FILE *out)
{
	char text[MW_QUANTITY_TEXT];
	bool some = false;

	for (size_t i = 0; i < LIMITS; i++) {
		uint64_t value;

		memcpy(&value, (const char *)of + limits[i].at, sizeof(value));
		if (!value)
			continue;
		limits[i].show(value, text);
		fprintf(out, "%s  %s: %s\n", some ? "" : "limits:\n", limits[i].name, text);
		some = true;
	}
}
