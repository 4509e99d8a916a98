#include "jsontext.h"

#include <string.h>

#include "text.h"

json_t *mw_json_bytes(const char *s, size_t len)
{
	char clean[MW_JSON_TEXT + 1];
	size_t n;

	if (!s)
		return json_null();
	n = mw_utf8_clean(s, len, clean, sizeof(clean));
	return json_stringn_nocheck(clean, n);
}

json_t *mw_json_str(struct mw_str s)
{
	return mw_json_bytes(s.s, s.len);
}

json_t *mw_json_text(const char *s)
{
	return s && *s ? mw_json_bytes(s, strlen(s)) : json_null();
}
