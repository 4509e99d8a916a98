/* What is not shown though a receiver says it: what it was sent, and may answer with, of secrets in
 * files, in the URL and in headers. */
#ifndef MW_COURIER_HTTP_SECRETS_H
#define MW_COURIER_HTTP_SECRETS_H

#include <stddef.h>

/* Starts as zeros. Texts are owned: a secret, and the ways in which it is written. */
struct mw_http_secrets {
	char **texts; /* the longest first */
	size_t count;
};

/* Adds a secret, as it is and as it stands in JSON. NULL or "": nothing. Returns 0 or -ENOMEM. */
int mw_http_secrets_add(struct mw_http_secrets *secrets, const char *text);

/* Adds what may be one: of at least 8 bytes. The same. */
int mw_http_secrets_suspect(struct mw_http_secrets *secrets, const char *text);

/* Suspects the path and the query of a URL that were given, and each piece of them, also without
 * its %XX. The same. */
int mw_http_secrets_add_url(struct mw_http_secrets *secrets, const char *url);

/* Puts stars in the place of all of them in the `len` bytes, in which escapes of JSON that need not
 * be there become what they stand for. Returns how many bytes there are then. */
size_t mw_http_secrets_hide(const struct mw_http_secrets *secrets, char *text, size_t len);

void mw_http_secrets_free(struct mw_http_secrets *secrets); /* wipes them */

#endif
