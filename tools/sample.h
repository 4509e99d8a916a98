/* What a report keeps of an alert: bounded, and fit to be shown on a terminal and in a page. */
#ifndef MW_TOOLS_SAMPLE_H
#define MW_TOOLS_SAMPLE_H

#include <jansson.h>

#include "sha256.h"

/* The words after which alerts are grouped: the hash of rule, path and stream of the model, call,
 * target, user and job. Returns 0 or -ENOMEM. */
int mw_sample_key(const json_t *alert, char ret[static MW_SHA256_HEX]);

/* What is shown of one alert for its whole group, less what is counted: some 80 kB at most, usually
 * 5. New references; NULL when there is no memory. */
json_t *mw_sample(const json_t *alert);

/* What is shown of an alert's process and its ancestors. */
json_t *mw_sample_process(const json_t *alert);

/* What the effect was on: the command, the address, the file. Fit to be shown. */
json_t *mw_sample_target(const json_t *alert);

#endif
