/* Any JSON as a configuration of sinks: it is read or refused with a reason, and then freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../courier/sink_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mw_sinks_config *config)
{
	if (config->count > MW_SINKS_MAX)
		abort();
	for (size_t i = 0; i < config->count; i++) {
		const struct mw_sink_config *sink = &config->sinks[i];

		if (!sink->name || !*sink->name || strlen(sink->name) > 63 ||
		    sink->timeout_ms < 0 ||
		    !(mw_sink_kind(sink->type)->formats & 1u << sink->format))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL);
	struct mw_sinks_config config;
	char why[64] = "";

	if (!json)
		return 0;
	if (!mw_sinks_read(json, &config, why, sizeof(why)))
		check(&config);
	else if (!*why || !memchr(why, '\0', sizeof(why)))
		abort();
	mw_sinks_free(&config);
	json_decref(json);
	return 0;
}
