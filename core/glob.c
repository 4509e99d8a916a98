#include "glob.h"

#include <string.h>

/* Which characters a star of 1, 2 or 3 asterisks passes over. */
static bool passes(int stars, char c)
{
	return c && (stars > 2 || c != MW_ARGUMENT) && (stars > 1 || c != '/');
}

/* The characters of a pattern that do not just match themselves. */
static const bool special[256] = {
        ['\0'] = true, [' '] = true, ['*'] = true, ['?'] = true, ['['] = true, ['\\'] = true,
};

static bool is_special(char c)
{
	return special[(unsigned char)c];
}

/* Whether the set at `pattern` has `c` in it; `*ret_next` is what comes after it. In one pass:
 * rules have lists of patterns that differ in a set only. */
static bool in_set(const char *pattern, char c, const char **ret_next)
{
	bool not = pattern[1] == '!', found = false;
	const char *p = pattern + 1 + not ;

	do {
		unsigned char low = (unsigned char)*p, high = low;

		if (p[0] && p[1] == '-' && p[2] && p[2] != ']') {
			high = (unsigned char)p[2];
			p += 2;
		}
		found |= low <= (unsigned char)c && (unsigned char)c <= high;
	} while (*p && *++p && *p != ']');
	if (!*p)
		return c == '['; /* a set without an end is none */
	*ret_next = p + 1;
	return passes(1, c) && found != not ;
}

/* Whether the one-character pattern at `pattern` matches `c`; `*ret_next` is what comes after it.
 */
static bool same(const char *pattern, char c, const char **ret_next)
{
	*ret_next = pattern + 1;
	switch (*pattern) {
	case '\0':
		return false;
	case '?':
		return passes(1, c);
	case ' ':
		return c == ' ' || c == MW_ARGUMENT;
	case '[':
		return in_set(pattern, c, ret_next);
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

	if (is_special(c) && c != ' ')
		return text;
	while (*text != c && !(c == ' ' && *text == MW_ARGUMENT) && passes(stars, *text))
		text++;
	return text;
}

/* For each kind of star the last one seen is where matching goes on after a mismatch: a later star
 * of the same kind subsumes an earlier one, and a longer star everything inside it. `*ret_seen` is
 * how much of the pattern had a say when it does not match. */
static bool matches(const char *pattern, const char *text, size_t *ret_seen)
{
	const char *after[4] = {NULL, NULL, NULL, NULL}; /* the star in the pattern */
	const char *from[4] = {NULL, NULL, NULL, NULL};  /* where it matches up to */
	const char *start = pattern;

	*ret_seen = 0;
	for (;;) {
		const char *next;
		int kind = 0;

		while (*pattern == *text && !is_special(*pattern)) { /* most of it, most often */
			pattern++;
			text++;
		}
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
		if ((size_t)(next - start) > *ret_seen)
			*ret_seen = (size_t)(next - start);
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

bool mw_glob(const char *pattern, const char *text)
{
	size_t seen;

	return matches(pattern, text, &seen);
}

/* Whether the `last` character of a pattern already tells that it does not match. */
static bool ends_otherwise(char last, const char *text, size_t size)
{
	return !is_special(last) && last != ']' && (!size || text[size - 1] != last);
}

/* A pattern that begins with all that an earlier one failed by fails too. */
bool mw_glob_any(const char *list, const char *text)
{
	const char *failed = NULL;
	size_t seen = 0, len, size = strlen(text);

	for (; *list; list += len + 1) {
		len = strlen(list);
		if (ends_otherwise(list[len - 1], text, size))
			continue;
		if (failed && !strncmp(list, failed, seen))
			continue;
		if (matches(list, text, &seen))
			return true;
		failed = list;
	}
	return false;
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
