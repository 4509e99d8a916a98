/* Text for people, put together from pieces that hostile processes chose, in a bounded buffer. */
#ifndef MW_TOOLS_TEXT_H
#define MW_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mw_text {
	char *out;
	size_t size, len; /* always ends as a string; what does not fit is dropped */
};

/* The code point at `s` (of `len` > 0 bytes) in `*ret`, or U+FFFD where there is no valid UTF-8.
 * Returns the bytes it takes, at least 1. */
size_t mw_utf8_next(const char *s, size_t len, uint32_t *ret);

/* Valid UTF-8 of the `len` bytes at `s` in `out`: what is invalid becomes U+FFFD. Cut between
 * characters. Returns the bytes written, less the NUL that ends them. */
size_t mw_utf8_clean(const char *s, size_t len, char *out, size_t size);

/* The length of the mark that some editors put before UTF-8, or 0 where there is none. */
size_t mw_utf8_mark(const char *s, size_t len);

/* An empty text in `out`; `size` > 0. */
void mw_text_start(struct mw_text *t, char *out, size_t size);

/* Appends text of our own. */
__attribute__((format(printf, 2, 3))) void mw_text_add(struct mw_text *t, const char *format, ...);

/* Whether a terminal may be given this character: no control, and none of the invisible characters
 * that change how the rest of a line is read; nor U+FFFD, which stands for what is none. */
bool mw_text_is_shown(uint32_t code);

/* Appends the `len` bytes at `s` so that they can be shown on a terminal: redacted, one line, and
 * nothing that moves the cursor or reverses the direction of writing. At most `max` bytes; what is
 * longer is cut in the middle, or with mw_text_tail() at the front (a path). */
void mw_text_shown(struct mw_text *t, const char *s, size_t len, size_t max);
void mw_text_tail(struct mw_text *t, const char *s, size_t len, size_t max);

#endif
