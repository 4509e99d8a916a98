#include "jsontext.h"

#include <string.h>

#include "text.h"

/* Secrets go first: of one that was cut, too little may be left to be known. */
static json_t *string(struct mw_redact_argv *argv, const char *s, size_t len)
{
	char plain[MW_REDACT_ROOM(MW_JSON_TEXT)], clean[MW_JSON_TEXT + 1];
	size_t n;

	if (!s)
		return json_null();
	if (argv)
		n = mw_redact_arg(argv, s, len, plain, sizeof(plain), NULL);
	else
		n = mw_redact(s, len, plain, sizeof(plain), NULL);
	n = mw_utf8_clean(plain, n, clean, sizeof(clean));
	return json_stringn_nocheck(clean, n);
}

json_t *mw_json_bytes(const char *s, size_t len)
{
	return string(NULL, s, len);
}

json_t *mw_json_arg(struct mw_redact_argv *argv, const char *s, size_t len)
{
	return string(argv, s, len);
}

json_t *mw_json_str(struct mw_str s)
{
	return mw_json_bytes(s.s, s.len);
}

json_t *mw_json_text(const char *s)
{
	return s && *s ? mw_json_bytes(s, strlen(s)) : json_null();
}
