/* The monitor's decision on an effect: the same rules as in the process, with all that is known
 * here. */
#ifndef MW_TOOLS_VERDICT_H
#define MW_TOOLS_VERDICT_H

#include "../core/decide.h"
#include "alert.h"
#include "locate.h"

/* Whether some rule asks for what is only known when the stream has been read (mw_locate()). */
bool mw_verdict_needs_location(const struct mw_policy *policy);

/* Decides the effect of `record`, of process `pid` and the load `load` that is at `at`. The digest
 * of the whole artifact is only waited for (up to a few seconds) when a rule depends on it.
 * `ret->rule` points into `policy`. */
void mw_verdict(const struct mw_policy *policy, struct mw_alerts *alerts, pid_t pid,
                const struct mw_record *record, const struct mw_record_load *load,
                const struct mw_location *at, struct mw_decision *ret);

/* The effect as a record has it; its texts are borrowed. */
void mw_verdict_record(const struct mw_effect *effect, struct mw_record_effect *ret);

#endif
