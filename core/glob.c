#include "glob.h"

#include <string.h>

/* Which characters a star of 1, 2 or 3 asterisks passes over. */
static bool passes(int stars, char c)
{
	return c && (stars > 2 || c != MW_ARGUMENT) && (stars > 1 || c != '/');
}

/* The ']' that ends the set which starts at `pattern`, or NULL: then '[' stands for itself. */
static const char *end_of_set(const char *pattern)
{
	const char *p = pattern + 1;

	p += *p == '!';
	p += *p == ']'; /* the first one belongs to the set */
	while (*p && *p != ']')
		p++;
	return *p ? p : NULL;
}

static bool in_set(const char *pattern, const char *end, char c)
{
	bool not = pattern[1] == '!', found = false;

	if (!passes(1, c))
		return false;
	for (const char *p = pattern + 1 + not ; p < end; p++) {
		unsigned char low = (unsigned char)*p, high = low;

		if (p[1] == '-' && p + 2 < end) {
			high = (unsigned char)p[2];
			p += 2;
		}
		found |= low <= (unsigned char)c && (unsigned char)c <= high;
	}
	return found != not ;
}

/* Whether the one-character pattern at `pattern` matches `c`; `*ret_next` is what comes after it.
 */
static bool same(const char *pattern, char c, const char **ret_next)
{
	const char *end;

	*ret_next = pattern + 1;
	switch (*pattern) {
	case '\0':
		return false;
	case '?':
		return passes(1, c);
	case ' ':
		return c == ' ' || c == MW_ARGUMENT;
	case '[':
		end = end_of_set(pattern);
		if (!end)
			return c == '[';
		*ret_next = end + 1;
		return in_set(pattern, end, c);
	case '\\':
		if (!pattern[1])
			return c == '\\';
		*ret_next = pattern + 2;
		return c && c == pattern[1];
	default:
		return c && c == *pattern;
	}
}

/* The next place where what stands behind a star can begin: it passes over all others. */
static const char *skip(int stars, const char *pattern, const char *text)
{
	char c = *pattern;

	if (!c || c == '*' || c == '?' || c == '[' || c == '\\')
		return text;
	while (*text != c && !(c == ' ' && *text == MW_ARGUMENT) && passes(stars, *text))
		text++;
	return text;
}

/* For each kind of star the last one seen is where matching goes on after a mismatch: a later star
 * of the same kind subsumes an earlier one, and a longer star everything inside it. */
bool mw_glob(const char *pattern, const char *text)
{
	const char *after[4] = {NULL, NULL, NULL, NULL}; /* the star in the pattern */
	const char *from[4] = {NULL, NULL, NULL, NULL};  /* where it matches up to */

	for (;;) {
		const char *next;
		int kind = 0;

		while (kind < 3 && pattern[kind] == '*')
			kind++;
		if (kind) {
			pattern += kind;
			after[kind] = pattern;
			from[kind] = text;
			for (int k = 1; k < kind; k++)
				after[k] = NULL;
			continue;
		}
		if (!*text && !*pattern)
			return true;
		if (same(pattern, *text, &next)) {
			pattern = next;
			text++;
			continue;
		}
		for (kind = 1; kind <= 3; kind++)
			if (after[kind] && passes(kind, *from[kind]))
				break;
		if (kind > 3)
			return false;
		pattern = after[kind];
		text = from[kind] = skip(kind, pattern, from[kind] + 1);
		for (int k = 1; k < kind; k++)
			after[k] = NULL;
	}
}

const char *mw_glob_complaint(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p == '[') {
			p = end_of_set(p);
			if (!p)
				return "'[' without ']' (write '\\[' for the character)";
		} else if (*p == '\\' && !*++p) {
			return "it ends in a backslash";
		} else if (!strncmp(p, "****", 4)) {
			return "at most three asterisks stand together";
		}
	}
	return NULL;
}

bool mw_glob_is_literal(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p == '*' || *p == '?' || *p == '[')
			return false;
		p += *p == '\\' && p[1];
	}
	return true;
}

static size_t put(char *out, size_t size, size_t at, char c)
{
	if (at + 1 < size)
		out[at] = c;
	return at + 1;
}

size_t mw_glob_escape(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\ {", text[i]) && text[i])
			n = put(out, size, n, '\\');
		n = put(out, size, n, text[i]);
	}
	if (size)
		out[n < size ? n : size - 1] = '\0';
	return n;
}
