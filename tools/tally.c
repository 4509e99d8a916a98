#include "tally.h"

#include <string.h>

#include "text.h"

/* Its row, or a new one. */
static struct mw_tally_row *find(struct mw_tally *tally, const char *rule,
                                 enum mw_severity severity, enum mw_verdict verdict)
{
	struct mw_tally_row *row;

	for (size_t i = 0; i < tally->count; i++) {
		row = &tally->row[i];
		if (row->severity == severity && row->verdict == verdict &&
		    !strcmp(row->rule, rule))
			return row;
	}
	if (tally->count == MW_TALLY_MAX)
		return &tally->row[MW_TALLY_MAX - 1];
	row = &tally->row[tally->count++];
	*row = (struct mw_tally_row){.severity = severity, .verdict = verdict};
	if (tally->count == MW_TALLY_MAX)
		rule = "other";
	memcpy(row->rule, rule, strlen(rule) + 1);
	return row;
}

void mw_tally_add(struct mw_tally *tally, const char *rule, enum mw_severity severity,
                  enum mw_verdict verdict)
{
	char clean[sizeof(tally->row[0].rule)];

	mw_utf8_clean(rule, strlen(rule), clean, sizeof(clean));
	find(tally, clean, severity, verdict)->count++;
}
