#include "fields.h"

#include <errno.h>
#include <string.h>

#include "text.h"

const json_t *mw_field(const json_t *from, const char *path)
{
	char name[64];

	while (from && *path) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(name))
			return NULL;
		memcpy(name, path, len);
		name[len] = '\0';
		from = json_object_get(from, name);
		path += len + (path[len] == '.');
	}
	return json_is_null(from) ? NULL : from;
}

const char *mw_field_text(const json_t *from, const char *path)
{
	return json_string_value(mw_field(from, path));
}

int mw_field_word(const json_t *from, const char *path, int (*parse)(const char *word))
{
	const char *word = mw_field_text(from, path);

	return word ? parse(word) : -EINVAL;
}

bool mw_field_number(const json_t *from, const char *path, uint64_t *ret)
{
	const json_t *field = mw_field(from, path);
	json_int_t value = json_integer_value(field);

	if (!json_is_integer(field) || value < 0)
		return false;
	*ret = (uint64_t)value;
	return true;
}

json_t *mw_shown_bytes(const char *s, size_t len, size_t max)
{
	char out[MW_SHOWN_MAX + 16]; /* the dots and what an escape takes */
	struct mw_text t;

	mw_text_start(&t, out, sizeof(out));
	mw_text_shown(&t, s, len, max);
	return json_stringn_nocheck(out, t.len);
}

json_t *mw_shown(const json_t *string, size_t max)
{
	if (!json_is_string(string))
		return json_null();
	return mw_shown_bytes(json_string_value(string), json_string_length(string), max);
}

json_t *mw_shown_field(const json_t *from, const char *path, size_t max)
{
	return mw_shown(mw_field(from, path), max);
}
