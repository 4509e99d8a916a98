/* Python 2's names, which the unpickler maps to today's when the stream's protocol is below 3. The
 * find_class event comes before that in CPython; an unpickler of somebody else's may map earlier.
 */
#ifndef MW_CORE_PICKLE_NAMES_H
#define MW_CORE_PICKLE_NAMES_H

#include "wire.h"

/* Replaces module and name by today's, which are static text; leaves others as they are. */
void mw_pickle_modern_name(struct mw_str *module, struct mw_str *name);

#endif
