/* One effect, one alert: what a sensor announces and what lower sensors then see of it.
 *
 * Until the call that was announced returns, a lower event of the same thread (or of its vfork
 * child until it runs a program) that the announced operation implies is the same effect, seen once
 * more. Anything else is an effect of its own. */
#ifndef MW_CORE_IMPLIES_H
#define MW_CORE_IMPLIES_H

#include <stdbool.h>

#include "effect.h"

/* NULL or empty means not known, and agrees with everything. */
struct mw_announced {
	enum mw_class class;
	const char *op;     /* "subprocess.Popen", "os.system", "open" ... */
	const char *target; /* as in struct mw_effect */
	const char *target2;
};

/* Whether the effect `below`, of which class and targets count, is part of the one `above`. Pure;
 * no allocation; safe in a signal handler and a vfork child. */
bool mw_implies(const struct mw_announced *above, const struct mw_effect *below);

#endif
