#include "sink.h"

#include <stddef.h>

#ifdef MW_WITH_KAFKA
#define KAFKA &mw_sink_kafka
#else
#define KAFKA NULL
#endif

const struct mw_sink_ops *mw_sink_ops(enum mw_sink_type type)
{
	static const struct mw_sink_ops *const all[MW_SINK_TYPES] = {
	        [MW_SINK_FILE] = &mw_sink_file,         [MW_SINK_STDOUT] = &mw_sink_stdout,
	        [MW_SINK_JOURNALD] = &mw_sink_journald, [MW_SINK_SYSLOG] = &mw_sink_syslog,
	        [MW_SINK_RELP] = &mw_sink_relp,         [MW_SINK_FORWARD] = &mw_sink_forward,
	        [MW_SINK_HTTP] = &mw_sink_http,         [MW_SINK_KAFKA] = KAFKA,
	};

	return all[type];
}
