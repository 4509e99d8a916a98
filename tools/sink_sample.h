/* An alert that says that nothing has happened. */
#ifndef MW_TOOLS_SINK_SAMPLE_H
#define MW_TOOLS_SINK_SAMPLE_H

#include <jansson.h>

#include "../core/words.h"

/* modelwatch.alert/1 of this process, by the rule "sink-test": a new reference, or NULL when there
 * is no memory. */
json_t *mw_sink_sample(enum mw_severity severity);

#endif
