/* Who a policy is compiled for. */
#ifndef MW_TOOLS_SUBJECT_H
#define MW_TOOLS_SUBJECT_H

#include <jansson.h>

/* This process and what it starts, as an alert of theirs would name them: an object with `user`,
 * `job`, `container` and `labels`, which is borrowed. A new reference, or NULL when there is no
 * memory. */
json_t *mw_subject_self(json_t *labels);

#endif
