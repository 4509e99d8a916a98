/* Names for things that nobody else gives one. */
#ifndef MW_TOOLS_UUID_H
#define MW_TOOLS_UUID_H

#include <stdint.h>

#define MW_UUID_TEXT 37 /* with the NUL */

/* A new UUID of version 7 (RFC 9562) with the time `when`, ns since 1970, in it. */
void mw_uuid(int64_t when, char ret[static MW_UUID_TEXT]);

#endif
