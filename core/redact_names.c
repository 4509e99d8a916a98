/* Secrets that are known by the name before them, or by an option. */
#include <string.h>
#include <strings.h>

#include "redact_scan.h"

struct name {
	size_t from, to;
	bool quoted;
};

static size_t skip_back(const struct mw_scan *s, size_t i, const char *these)
{
	while (i > s->floor && mw_among(s->text[i - 1], these))
		i--;
	return i;
}

/* The name that ends before the separator at `i`: `name =`, `"name":`, `["name"] =`. */
static bool name_before(const struct mw_scan *s, size_t i, struct name *ret)
{
	size_t at = skip_back(s, i, " \t"), quote;

	at = skip_back(s, at, "]");
	quote = at;
	at = skip_back(s, at, "\"'`");
	ret->quoted = at < quote;
	if (ret->quoted)
		at = skip_back(s, at, "\\");
	ret->to = skip_back(s, at, "0123456789_");
	ret->from = at;
	while (ret->from > s->floor && mw_is(s, ret->from - 1, MW_NAME))
		ret->from--;
	return ret->from < ret->to;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Where `word` (lower case) starts at the end of the name, - _ . in it passed over; or the name's
 * end if it is not there. */
static size_t ends_with(const struct mw_scan *s, const struct name *name, const char *word,
                        size_t n)
{
	size_t i = name->to;

	while (n > 0 && i > name->from) {
		if (lower(s->text[i - 1]) == word[n - 1])
			n--;
		else if (mw_is(s, i - 1, MW_ALNUM) || i == name->to)
			return name->to;
		i--;
	}
	return n ? name->to : i;
}

/* A word of its own: db_pass, dbPass. */
static bool is_last_word(const struct mw_scan *s, const struct name *name, size_t from)
{
	return from == name->from || !mw_is(s, from - 1, MW_LETTER) ||
	       (mw_is(s, from, MW_UPPER) && mw_is(s, from - 1, MW_LOWER));
}

static bool is_query(const struct mw_scan *s, const struct name *name)
{
	return name->from > s->floor && mw_among(s->text[name->from - 1], "?&;#");
}

/* "pad_token" and its like. */
static bool is_model_token(const struct mw_scan *s, const struct name *name, size_t from)
{
	struct name before = {name->from, skip_back(s, from, "_-."), false};

	for (size_t k = 0; before.from < before.to && mw_model_tokens[k]; k++) {
		size_t at = ends_with(s, &before, mw_model_tokens[k], strlen(mw_model_tokens[k]));

		if (at < before.to && is_last_word(s, &before, at))
			return true;
	}
	return false;
}

static bool fits(const struct mw_scan *s, const struct name *name, const struct mw_secret_name *row)
{
	size_t from = ends_with(s, name, row->name, row->len);

	if (from == name->to)
		return false;
	if (row->place != MW_PLACE_END && !is_last_word(s, name, from))
		return false;
	if (row->place == MW_PLACE_QUERY && !is_query(s, name))
		return false;
	return row->value != MW_VALUE_TOKEN || !is_model_token(s, name, from);
}

static const struct mw_secret_name *row_of(const struct mw_scan *s, const struct name *name)
{
	const struct mw_secret_name *row = mw_secret_names, *end = row + mw_secret_name_count;
	char last = lower(s->text[name->to - 1]);

	for (; row < end; row++)
		if (row->name[row->len - 1] == last && fits(s, name, row))
			return row;
	return NULL;
}

/* HF_TOKEN: a variable of the environment. */
static bool is_variable(const struct mw_scan *s, const struct name *name)
{
	for (size_t i = name->from; i < name->to; i++)
		if (mw_is(s, i, MW_LOWER))
			return false;
	return true;
}

static unsigned value_of(const struct mw_scan *s, const struct name *name,
                         const struct mw_secret_name *row, char separator)
{
	if (separator == ',' && row->value < MW_VALUE_MIXED)
		return MW_VALUE_MIXED;
	if (row->value == MW_VALUE_REST && separator != ':')
		return MW_VALUE_PLAIN;
	if (row->value == MW_VALUE_TOKEN && (is_query(s, name) || is_variable(s, name)))
		return MW_VALUE_PLAIN;
	return row->value;
}

static size_t skip_spaces(const struct mw_scan *s, size_t i)
{
	while (i < s->len && (s->text[i] == ' ' || s->text[i] == '\t'))
		i++;
	return i;
}

/* Past the separator, which may be one of := => == too. */
static size_t after_separator(const struct mw_scan *s, size_t i)
{
	if (s->text[i] != ',' && i + 1 < s->len && mw_among(s->text[i + 1], "=>"))
		i++;
	return skip_spaces(s, i + 1);
}

/* In `password: str = "x"` the value comes after the type. */
static size_t after_type(const struct mw_scan *s, size_t i)
{
	size_t at = i;

	while (mw_is(s, at, MW_NAME) && at - i < 16)
		at++;
	return at > i && mw_text_has(s, at, " = ") ? at + 3 : i;
}

static enum mw_extent extent_of(const struct mw_scan *s, const struct name *name, unsigned value)
{
	if (value == MW_VALUE_REST)
		return MW_TO_LINE;
	/* --password=all of the argument */
	return s->is_arg && name->from == 0 && s->text[0] == '-' ? MW_TO_END : MW_TO_COMMA;
}

bool mw_find_named(struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	const struct mw_secret_name *row;
	struct name name;
	size_t at;
	unsigned value;

	if (mw_text_has(s, i, "::") || mw_text_has(s, i, "://") ||
	    (s->ahead.kind && s->ahead.from == i + 1))
		return false;
	if (!name_before(s, i, &name) || (s->text[i] == ',' && !name.quoted))
		return false;
	row = row_of(s, &name);
	if (!row)
		return false;
	value = value_of(s, &name, row, s->text[i]);
	at = after_separator(s, i);
	if (s->text[i] == ',' && !mw_is(s, at, MW_QUOTE) && !mw_text_has(s, at, "\\"))
		return false;
	if (s->text[i] == ':')
		at = after_type(s, at);
	if (!mw_find_value(s, at, extent_of(s, &name, value), value, ret))
		return false;
	ret->kind = row->kind;
	return true;
}

/* A word of a command begins: after a space, a quote or a bracket. */
static bool starts_argument(const struct mw_scan *s, size_t i)
{
	return i == 0 || i == s->floor || mw_is(s, i - 1, MW_SPACE | MW_QUOTE) ||
	       mw_among(s->text[i - 1], "(/;|&");
}

static bool ends_argument(const struct mw_scan *s, size_t i)
{
	return i >= s->len || mw_is(s, i, MW_SPACE | MW_QUOTE) || s->text[i] == '\\';
}

/* Where the next argument starts: after spaces, or as the next string of a list. `i` if there is
 * none. */
static size_t next_argument(const struct mw_scan *s, size_t i)
{
	size_t at = i, border;

	while (mw_is(s, at, MW_QUOTE) || mw_text_has(s, at, "\\"))
		at++;
	border = at;
	if (mw_text_has(s, at, ","))
		at++;
	while (mw_is(s, at, MW_SPACE))
		at++;
	return at > border ? at : i;
}

static void note_program(struct mw_scan *s, size_t from, size_t to)
{
	for (size_t r = 0; r < mw_secret_option_count; r++) {
		const char *program = mw_secret_options[r].program;

		if (program[0] > s->text[from])
			return;
		if (mw_text_has(s, from, program) && strlen(program) == to - from) {
			s->argv->program = (uint8_t)(r + 1);
			return;
		}
	}
}

/* `owed` counts options first, then names. */
static void resolve(unsigned owed, unsigned *ret_value, const char **ret_kind)
{
	if (owed <= mw_secret_option_count) {
		*ret_value = mw_secret_options[owed - 1].value;
		*ret_kind = mw_secret_options[owed - 1].kind;
		return;
	}
	*ret_value = mw_secret_names[owed - 1 - mw_secret_option_count].value;
	*ret_kind = mw_secret_names[owed - 1 - mw_secret_option_count].kind;
	if (*ret_value == MW_VALUE_TOKEN || *ret_value == MW_VALUE_REST)
		*ret_value = MW_VALUE_PLAIN;
}

/* The value at `i` of what `owed` stands for. Another option is no value. */
static void value_at(struct mw_scan *s, size_t i, enum mw_extent extent, unsigned owed)
{
	struct mw_secret found;
	unsigned value;
	const char *kind;

	resolve(owed, &value, &kind);
	if (mw_text_has(s, i, "-") &&
	    (mw_is(s, i + 2, MW_LETTER) ? mw_text_has(s, i, "--") : ends_argument(s, i + 2)))
		return;
	if (mw_find_value(s, i, extent, value, &found))
		mw_lies_ahead(s, found.from, found.to, kind);
}

/* The value of the option that ends at `i`: in this text, or the whole of the next argument. */
static void value_after(struct mw_scan *s, size_t i, unsigned owed)
{
	size_t at = next_argument(s, i);

	if (i >= s->len)
		s->argv->owed = (uint8_t)owed;
	else if (at > i)
		value_at(s, at, MW_TO_SPACE, owed);
}

static bool option_fits(const struct mw_scan *s, const struct mw_secret_option *row, size_t from,
                        size_t to)
{
	size_t n = row->option ? strlen(row->option) : 0;

	if (!row->option)
		return to - from == 40;
	if (!mw_text_has(s, from, row->option))
		return false;
	if (!row->attached)
		return to - from == n;
	/* A quote after the option belongs to the value, or to a list of strings. */
	return from + n < s->len && !mw_is(s, from + n, MW_SPACE) &&
	       (!mw_is(s, from + n, MW_QUOTE) || from == 0 || !mw_is(s, from - 1, MW_QUOTE));
}

/* Whether it is an option of the program named last. */
static bool program_option(struct mw_scan *s, size_t from, size_t to)
{
	const struct mw_secret_option *first = &mw_secret_options[s->argv->program - 1];
	const struct mw_secret_option *end = mw_secret_options + mw_secret_option_count;
	enum mw_extent extent = s->is_arg && !from ? MW_TO_END : MW_TO_SPACE;

	for (const struct mw_secret_option *row = first; row < end; row++) {
		unsigned owed = (unsigned)(row - mw_secret_options) + 1;

		if (strcmp(row->program, first->program) != 0)
			break;
		if (!option_fits(s, row, from, to))
			continue;
		if (row->option && !row->attached)
			value_after(s, to, owed);
		else
			value_at(s, from + (row->option ? strlen(row->option) : 0), extent, owed);
		return true;
	}
	return false;
}

/* --token, -password: the name says it. */
static void named_option(struct mw_scan *s, size_t from, size_t to)
{
	struct name name = {from, to, false};
	const struct mw_secret_name *row;

	while (name.from < to && s->text[name.from] == '-')
		name.from++;
	if (name.from == from || to - name.from < 3 || mw_text_has(s, name.from, "no-"))
		return;
	row = row_of(s, &name);
	if (row)
		value_after(s, to,
		            (unsigned)(row - mw_secret_names + 1) +
		                    (unsigned)mw_secret_option_count);
}

void mw_find_option(struct mw_scan *s, size_t i)
{
	size_t to = i;

	if (!starts_argument(s, i))
		return;
	while (mw_is(s, to, MW_NAME))
		to++;
	if (s->argv->program && program_option(s, i, to))
		return;
	if (!ends_argument(s, to))
		return;
	if (s->text[i] == '-')
		named_option(s, i, to);
	else
		note_program(s, i, to);
}

void mw_find_owed(struct mw_scan *s)
{
	unsigned owed = s->argv->owed;

	s->argv->owed = 0;
	if (owed)
		value_at(s, 0, MW_TO_END, owed);
}
