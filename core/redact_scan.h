/* The parts of redaction among themselves: redact.c walks and writes, redact_names.c knows secrets
 * by the name or option before them, redact_shapes.c by their own form, redact_value.c says where a
 * value ends and whether it can be a secret.
 *
 * What makes redaction idempotent: what was replaced is a border, nothing before it is looked at
 * again; `<redacted:kind>` in the text is passed over as one piece; and a value with one in it is
 * done with. No test may succeed because of a replacement further on. */
#ifndef MW_CORE_REDACT_SCAN_H
#define MW_CORE_REDACT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact.h"
#include "redact_rules.h"

enum mw_char {
	MW_LOWER = 1,
	MW_UPPER = 2,
	MW_DIGIT = 4,
	MW_HEX = 8,
	MW_SPACE = 16, /* and every other control character */
	MW_QUOTE = 32,
	MW_NAME = 64,   /* in names: ALNUM _ - . */
	MW_START = 128, /* other characters at which something can begin */
	MW_LETTER = MW_LOWER | MW_UPPER,
	MW_ALNUM = MW_LETTER | MW_DIGIT,
};

extern const uint8_t mw_char[256];

/* A part of the text: [from, to). */
struct mw_secret {
	size_t from, to;
	const char *kind; /* NULL: none */
};

struct mw_scan {
	const char *text;
	size_t len;
	size_t floor;   /* end of the last replacement: nothing before it is looked at */
	size_t bare_to; /* end of the unquoted value that was looked at last */
	size_t marker;  /* the first <redacted:kind> from marker_from on */
	size_t marker_from;
	struct mw_secret ahead; /* a secret that begins further on */
	struct mw_redact_argv *argv;
	bool is_arg; /* the text is one argument of a command line */
};

/* How far a bare value goes. */
enum mw_extent {
	MW_TO_COMMA, /* , ; & end it too: a list, a query */
	MW_TO_SPACE, /* a word of a command */
	MW_TO_LINE,
	MW_TO_END,
};

static inline bool mw_is(const struct mw_scan *s, size_t i, unsigned kinds)
{
	return i < s->len && mw_char[(uint8_t)s->text[i]] & kinds;
}

/* Whether `c` is one of `these`. strchr() would find the NUL too. */
static inline bool mw_among(char c, const char *these)
{
	for (; *these; these++)
		if (*these == c)
			return true;
	return false;
}

/* Whether the text has `word` at `i`. Most do not even begin alike. */
static inline bool mw_text_has(const struct mw_scan *s, size_t i, const char *word)
{
	for (; *word; word++, i++)
		if (i >= s->len || s->text[i] != *word)
			return false;
	return true;
}

/* Whether a word begins at `i`: before it is the border, no letter or digit, or an escape. */
bool mw_word_starts(const struct mw_scan *s, size_t i);

/* The length of a `<redacted:kind>` at `i`, or 0. */
size_t mw_marker_at(const struct mw_scan *s, size_t i);

/* Where the next one from `i` on starts, or the end of the text. */
size_t mw_next_marker(struct mw_scan *s, size_t i);

/* The end of the bytes of `body` from `i` on. */
size_t mw_body_end(const struct mw_scan *s, size_t i, enum mw_secret_body body);

/* As random as a key; `mixed`: with upper case, lower case and digits. Looks at the start of a long
 * one only. */
bool mw_is_random(const struct mw_scan *s, struct mw_secret part, bool mixed);

/* Finds the secret in the value at `i`, if `value` (enum mw_secret_value) lets it be one. False
 * leaves `ret` alone. */
bool mw_find_value(struct mw_scan *s, size_t i, enum mw_extent extent, unsigned value,
                   struct mw_secret *ret);

/* A secret named by what stands before the separator (= : ,) at `i`. */
bool mw_find_named(struct mw_scan *s, size_t i, struct mw_secret *ret);

/* A secret announced by the option that starts at `i`: it lies ahead. Notes programs, and what the
 * end of the text owes to the next argument. */
void mw_find_option(struct mw_scan *s, size_t i);

/* What the argument before makes of the whole text. It lies ahead. */
void mw_find_owed(struct mw_scan *s);

/* A secret known by its form, that starts at `i`. */
bool mw_find_prefixed(const struct mw_scan *s, size_t i, struct mw_secret *ret);
bool mw_find_shaped(const struct mw_scan *s, size_t i, struct mw_secret *ret);
bool mw_find_pem(const struct mw_scan *s, size_t i, struct mw_secret *ret);

/* The password of a URL whose "://" is at `i`. It lies ahead. */
void mw_find_in_url(struct mw_scan *s, size_t i);

/* Notes a secret further on. What stands before it is looked at first. */
void mw_lies_ahead(struct mw_scan *s, size_t from, size_t to, const char *kind);

#endif
