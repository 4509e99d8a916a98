#include "sink_config.h"

#include <errno.h>
#include <string.h>

#include "syslog_line.h"

#define BIT(format) (1u << MW_FORMAT_##format)
#define JSON (BIT(NATIVE) | BIT(OCSF) | BIT(ECS))
#define ALL (JSON | BIT(CEF))

/* The head of a line of syslog counts, too. */
#define LINE (MW_FORMAT_COMPACT - MW_SYSLOG_HEAD)

static const struct mw_sink_kind kinds[MW_SINK_TYPES] = {
        [MW_SINK_FILE] = {"file", ALL, MW_FORMAT_NATIVE, 0},
        [MW_SINK_STDOUT] = {"stdout", ALL, MW_FORMAT_NATIVE, 0},
        [MW_SINK_JOURNALD] = {"journald", ALL, MW_FORMAT_NATIVE, 0},
        [MW_SINK_SYSLOG] = {"syslog", ALL, MW_FORMAT_OCSF, LINE},
        [MW_SINK_RELP] = {"relp", ALL, MW_FORMAT_OCSF, LINE},
        [MW_SINK_FORWARD] = {"forward", JSON, MW_FORMAT_OCSF, 0},
        [MW_SINK_HTTP] = {"http", JSON, MW_FORMAT_OCSF, 0},
        [MW_SINK_KAFKA] = {"kafka", JSON, MW_FORMAT_OCSF, 0},
};

const struct mw_sink_kind *mw_sink_kind(enum mw_sink_type type)
{
	return &kinds[type];
}

const char *mw_sink_type_name(enum mw_sink_type type)
{
	return kinds[type].name;
}

int mw_sink_type_of(const char *name)
{
	for (int type = 0; type < MW_SINK_TYPES; type++)
		if (!strcmp(kinds[type].name, name))
			return type;
	return -EINVAL;
}
