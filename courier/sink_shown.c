#include "sink_shown.h"

#include <stdio.h>
#include <string.h>

#define HIDDEN "..."

void mw_sink_url_shown(const char *url, char *out, size_t size)
{
	const char *start = strstr(url, "://"), *end, *at;

	start = start ? start + 3 : url;
	end = start + strcspn(start, "/?#\\");
	at = memrchr(start, '@', (size_t)(end - start));
	if (at)
		at++;
	else
		at = start;
	snprintf(out, size, "%.*s%s%.*s%s", (int)(start - url), url, at > start ? HIDDEN "@" : "",
	         (int)(end - at), at, end[0] && strcmp(end, "/") != 0 ? "/" HIDDEN : "");
}

json_t *mw_sink_shown(const json_t *sink)
{
	json_t *copy = json_deep_copy(sink), *value;
	const char *url = json_string_value(json_object_get(copy, "url")), *name;
	char shown[512];

	json_object_foreach(json_object_get(copy, "headers"), name, value)
	{
		json_string_set(value, HIDDEN);
	}
	if (url) {
		mw_sink_url_shown(url, shown, sizeof(shown));
		json_object_set_new(copy, "url", json_string(shown));
	}
	return copy;
}
