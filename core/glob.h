/* Patterns of a policy. Pure: no allocation, no globals. */
#ifndef MW_CORE_GLOB_H
#define MW_CORE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Stands between the arguments of a program where patterns are matched against them. */
#define MW_ARGUMENT '\x1f'

/* True when `text` matches `pattern`: '?' one character and '*' any run of characters other than
 * '/' and MW_ARGUMENT, '**' any run without MW_ARGUMENT, '***' any run, ' ' a blank or MW_ARGUMENT,
 * '[a-z_]' one of these and '[!a-z]' one other character but never '/' or MW_ARGUMENT, '\' makes
 * the next character stand for itself, and anything else does anyway. So in "gcc **" there is
 * exactly one argument. Bounded by |pattern| * |text|. */
bool mw_glob(const char *pattern, const char *text);

/* True when `text` matches one of a run of NUL-terminated patterns that ends with an empty one.
 * None of them is a wrong one. Patterns that begin alike cost little more than one. */
bool mw_glob_any(const char *list, const char *text);

/* What is wrong with a pattern, or NULL. A wrong pattern is safe to match with: what is wrong in it
 * stands for itself. */
const char *mw_glob_complaint(const char *pattern);

/* True when only one text matches (' ' aside). */
bool mw_glob_is_literal(const char *pattern);

/* Writes the pattern that `text` of `len` bytes alone matches to `out`, cut to `size` with its NUL.
 * Returns the length that the whole has. */
size_t mw_glob_escape(const char *text, size_t len, char *out, size_t size);

#endif
