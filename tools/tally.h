/* How many alerts there were, by rule, severity and verdict. */
#ifndef MW_TOOLS_TALLY_H
#define MW_TOOLS_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "../core/words.h"

#define MW_TALLY_MAX 128

struct mw_tally_row {
	char rule[96]; /* cut to fit */
	enum mw_severity severity;
	enum mw_verdict verdict;
	uint64_t count;
};

/* Starts as zeroes. When there are too many rows, the last is for all others: its rule is "other".
 */
struct mw_tally {
	size_t count;
	struct mw_tally_row row[MW_TALLY_MAX];
};

void mw_tally_add(struct mw_tally *tally, const char *rule, enum mw_severity severity,
                  enum mw_verdict verdict);

#endif
