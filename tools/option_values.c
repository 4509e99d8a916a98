#include "option_values.h"

#include <stddef.h>

#include "say.h"
#include "when.h"

const char *const mw_severities[] = {"info", "low", "medium", "high", "critical", NULL};

int mw_take_severity(const char *value, enum mw_severity *ret)
{
	int severity = mw_severity_parse(value);

	if (severity < 0)
		return mw_say("--severity=%.40s: it is info, low, medium, high or critical", value);
	*ret = (enum mw_severity)severity;
	return 0;
}

int mw_take_when(const char *name, const char *value, int64_t now, int64_t *ret)
{
	if (!mw_when(value, now, ret))
		return 0;
	return mw_say("--%s=%s: it is RFC 3339 (2026-11-23T16:00:00Z), or as 90s, 30m, 2h, 7d, 1w",
	              name, value);
}
