/* One record to one sink, past the spool: `modelwatch sink test`. */
#ifndef MW_COURIER_TRIAL_H
#define MW_COURIER_TRIAL_H

#include <jansson.h>

#include "sink_config.h"

/* Sends `record` of the first line `hello` to the sink that its `test` names. Returns what became
 * of it, {"test": {outcome, detail, why, bytes, ms}}: a new reference, or NULL when there is no
 * memory. */
json_t *mw_trial(const struct mw_sinks_config *config, const json_t *hello, const char *host);

#endif
