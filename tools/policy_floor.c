#include "policy_floor.h"

#include <string.h>

/* The first word is the default, and 0. */
static const struct field {
	const char *name;
	const char *words[2];
	size_t at;
} fields[] = {
        {"io_uring", {"refuse", "allow"}, offsetof(struct mw_floor_policy, io_uring)},
        {"on_death", {"open", "closed"}, offsetof(struct mw_floor_policy, closed)},
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

static int take_field(struct mw_source *s, const char *key, const char *value, void *out)
{
	size_t i = 0;
	uint32_t word;

	while (i < FIELDS && strcmp(fields[i].name, key))
		i++;
	if (i == FIELDS)
		return mw_source_complain(
		        s, "'%.32s' is not known of a floor: there are io_uring and on_death", key);
	for (word = 0; word < 2; word++)
		if (!strcmp(fields[i].words[word], value))
			break;
	if (word == 2)
		return mw_source_complain(s, "%s: '%.32s' is not known: it is %s or %s", key, value,
		                          fields[i].words[0], fields[i].words[1]);
	memcpy((char *)out + fields[i].at, &word, sizeof(word));
	return 0;
}

int mw_policy_floor(struct mw_source *s)
{
	return mw_source_pairs(s, "floor", take_field, &s->build->floor);
}

void mw_policy_floor_show(const struct mw_floor_policy *of, FILE *out)
{
	bool some = false;

	for (size_t i = 0; i < FIELDS; i++) {
		uint32_t word;

		memcpy(&word, (const char *)of + fields[i].at, sizeof(word));
		if (!word)
			continue;
		fprintf(out, "%s  %s: %s\n", some ? "" : "floor:\n", fields[i].name,
		        fields[i].words[1]);
		some = true;
	}
}
