#include "letter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../core/glob.h"
#include "../tools/when.h"

static bool is_of(const json_t *record, const char *schema)
{
	const char *text = json_string_value(json_object_get(record, "schema"));

	return text && !strcmp(text, schema);
}

static bool rule_matches(const json_t *patterns, const char *rule)
{
	const json_t *pattern;
	size_t i;

	if (!patterns)
		return true;
	json_array_foreach(patterns, i,
	                   pattern) if (mw_glob(json_string_value(pattern), rule)) return true;
	return false;
}

/* That something was lost is everybody's business. */
bool mw_letter_wanted(const struct mw_sink_config *config, const struct mw_spool_entry *entry)
{
	if (is_of(entry->record, "modelwatch.heartbeat/1"))
		return config->heartbeat;
	if (is_of(entry->record, "modelwatch.inventory/1"))
		return config->inventory;
	if (!is_of(entry->record, "modelwatch.alert/1"))
		return true;
	return entry->severity >= config->severity && (config->observe || !entry->observed) &&
	       rule_matches(config->rules, entry->rule);
}

int mw_letter_make(const struct mw_sink_config *config, bool wants_json,
                   const struct mw_spool_entry *entry, struct mw_sink_item *item)
{
	const struct mw_format_options options = {
	        .format = config->format, .ocsf = config->ocsf, .max = config->max};
	const char *id = json_string_value(json_object_get(entry->record, "id"));
	const char *time = json_string_value(json_object_get(entry->record, "time"));

	*item = (struct mw_sink_item){
	        .emission = {.sequence = entry->sequence, .record = entry->record},
	        .severity = entry->severity,
	        .id = id ? id : "",
	};
	if (time)
		mw_when_rfc3339(time, &item->time);
	memcpy(item->emission.uid, entry->uid, sizeof(item->emission.uid));
	return wants_json ? mw_format_json(&item->emission, &options, &item->json)
	                  : mw_format_render(&item->emission, &options, &item->text, &item->len);
}

void mw_letter_free(struct mw_sink_item *item)
{
	free(item->text);
	json_decref(item->json);
	*item = (struct mw_sink_item){.text = NULL};
}
