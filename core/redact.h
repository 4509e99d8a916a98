/* Redaction: what looks like a secret becomes `<redacted:kind>`, before text that somebody else
 * wrote goes into an alert. core/redact_rules.c is the table of what is looked for; docs/alerts.md
 * says it in words.
 *
 * Text is any bytes, by length. The functions are pure: no allocation, no I/O, no globals. They
 * take time linear in the text, whatever is in it. Redacting twice changes nothing, and neither
 * does redacting text that holds no secret. */
#ifndef MW_CORE_REDACT_H
#define MW_CORE_REDACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room in which the redacted form of `len` bytes is never cut, its final NUL counted. */
#define MW_REDACT_ROOM(len) (6 * (len) + 40)

/* Copies the `len` bytes at `text` to `out` (of `size` > 0 bytes, apart from `text`), secrets
 * replaced. The result always ends in a NUL that is not counted; NULs of the text stay in it. What
 * does not fit is dropped from where it no longer fits: never half of a replacement, nor of a
 * character if the text is UTF-8. Redact first and cut afterwards: of a secret that was cut before,
 * what is left may be too little to be known as one. Returns the bytes written; `ret_cut` (NULL if
 * nobody asks) says whether something was dropped. */
size_t mw_redact(const char *text, size_t len, char *out, size_t size, bool *ret_cut);

/* Where a command line stands between two arguments. Starts as all zeroes. */
struct mw_redact_argv {
	uint8_t program; /* the last program named that has options of its own for secrets */
	uint8_t owed;    /* the argument before makes the next one a secret */
};

/* The same for the next argument of a command line, from argv[0] on: here an argument can also be
 * secret because of the one before it (`--token X`, `curl -u user:password`), and one that starts
 * with `--password=` is secret to its end. */
size_t mw_redact_arg(struct mw_redact_argv *argv, const char *arg, size_t len, char *out,
                     size_t size, bool *ret_cut);

#endif
