/* Fields of JSON that somebody else wrote. A path names them: "load.artifact.path". */
#ifndef MW_TOOLS_FIELDS_H
#define MW_TOOLS_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define MW_SHOWN_MAX 1024

/* The field, borrowed; NULL when there is none or it is null. */
const json_t *mw_field(const json_t *from, const char *path);

/* Its text, NULL when it is no string. What is behind a NUL in it is not seen. */
const char *mw_field_text(const json_t *from, const char *path);

/* Whether it is an integer that is not negative; it is in `*ret` then. */
bool mw_field_number(const json_t *from, const char *path, uint64_t *ret);

/* What `parse` makes of its text: the place of a word in a list, or -EINVAL. */
int mw_field_word(const json_t *from, const char *path, int (*parse)(const char *word));

/* Copies for showing: at most `max` <= MW_SHOWN_MAX bytes of text, one line, with nothing in it
 * that moves a cursor or reverses the direction of writing; what is longer is cut in the middle.
 * Null for what is no string. New references, NULL when there is no memory. */
json_t *mw_shown_bytes(const char *s, size_t len, size_t max);
json_t *mw_shown(const json_t *string, size_t max);
json_t *mw_shown_field(const json_t *from, const char *path, size_t max);

#endif
