/* Records, whatever they are: in every format they are one line of valid text that fits, without
 * control characters; and JSON where the format is JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../courier/format.h"
#include "../../tools/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t len, size_t max, enum mw_format format)
{
	json_t *json;

	if (strlen(text) != len || (max && len > max))
		abort();
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t code;

		n = mw_utf8_next(text + i, len - i, &code);
		if (!mw_text_is_shown(code) && !(n == 3 && code == 0xfffd))
			abort();
	}
	if (format == MW_FORMAT_CEF)
		return;
	json = json_loadb(text, len, 0, NULL);
	if (!json)
		abort();
	json_decref(json);
}

static void render(const json_t *record, enum mw_format format, enum mw_ocsf ocsf, size_t max)
{
	const struct mw_emission emission = {
	        .uid = "01a20955-c65f-7abc-8000-000000000007", .sequence = 1, .record = record};
	const struct mw_format_options options = {.format = format, .ocsf = ocsf, .max = max};
	char *text;
	size_t len;

	if (mw_format_render(&emission, &options, &text, &len))
		abort();
	check(text, len, max, format);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const schemas[] = {"modelwatch.alert/1", "modelwatch.loss/1",
	                                      "modelwatch.heartbeat/1"};
	json_t *record = json_loadb((const char *)data, size, 0, NULL);

	if (!json_is_object(record)) {
		json_decref(record);
		return 0;
	}
	for (size_t i = 0; i < sizeof(schemas) / sizeof(*schemas); i++) {
		json_object_set_new(record, "schema", json_string(schemas[i]));
		for (int format = 0; format < MW_FORMAT_COUNT; format++) {
			render(record, (enum mw_format)format, MW_OCSF_1_8, MW_FORMAT_LEAST);
			render(record, (enum mw_format)format, MW_OCSF_1_1, 0);
		}
	}
	json_decref(record);
	return 0;
}
