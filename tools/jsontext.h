/* Strings that somebody else wrote, as JSON. */
#ifndef MW_TOOLS_JSONTEXT_H
#define MW_TOOLS_JSONTEXT_H

#include <stddef.h>

#include <jansson.h>

#include "../core/redact.h"
#include "../core/wire.h"

#define MW_JSON_TEXT 4096 /* bytes of a string; longer ones are cut */

/* A string of the `len` bytes at `s`, redacted, with U+FFFD where they are no UTF-8; null when `s`
 * is NULL. A new reference, or NULL when there is no memory. */
json_t *mw_json_bytes(const char *s, size_t len);
/* The same for the next argument of a command line. */
json_t *mw_json_arg(struct mw_redact_argv *argv, const char *s, size_t len);
json_t *mw_json_str(struct mw_str s);

/* The same for a C string; null too when it is empty. */
json_t *mw_json_text(const char *s);

#endif
