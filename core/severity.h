/* How severe an alert is: one table, by what the effect could do (its class), by whether it was
 * prevented, and by whether it went past a sensor that should have announced it. It is asked
 * wherever an alert is written or changed, and nothing else decides. docs/formats.md shows it. */
#ifndef MW_CORE_SEVERITY_H
#define MW_CORE_SEVERITY_H

#include <stdbool.h>

#include "words.h"

/* In the place of a rule's severity: the rule says none, the table is to decide. */
#define MW_BY_TABLE MW_SEVERITY_COUNT

struct mw_severity_facts {
	enum mw_severity own;      /* the rule's, or MW_BY_TABLE */
	enum mw_verdict requested; /* what the rule asked for */
	enum mw_class class;
	enum mw_outcome outcome;
	bool evasion;
};

/* The rule's own severity, whatever else is so. Where it has none: info for what is only to be
 * observed; else by the table, and for an evasion one level above it, at most critical.
 *
 * Whatever is not MW_PREVENTED counts as having happened. A value out of range in `own` counts as
 * none, a class out of range as the worst. Pure. */
enum mw_severity mw_severity(const struct mw_severity_facts *facts);

#endif
