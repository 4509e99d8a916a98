/* An alert made anew of one that somebody else wrote. */
#ifndef MW_TOOLS_DAEMON_MESSAGE_CLEAN_H
#define MW_TOOLS_DAEMON_MESSAGE_CLEAN_H

#include <jansson.h>

/* The known fields of the alert `from`, each of its type and size; those without which it is none
 * are required, of the others null is made. `process`, `user`, `job`, `container`, `host`, `id` and
 * `time` are not among them. Returns 0 with a new reference in `*ret`, -EBADMSG or -ENOMEM. */
int mw_message_clean(const json_t *from, json_t **ret);

#endif
