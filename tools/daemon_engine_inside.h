/* What the files of daemon_engine.h share. */
#ifndef MW_TOOLS_DAEMON_ENGINE_INSIDE_H
#define MW_TOOLS_DAEMON_ENGINE_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon_attach.h"
#include "daemon_engine.h"
#include "daemon_judge.h"
#include "daemon_mappings.h"
#include "daemon_merge.h"
#include "daemon_reports.h"
#include "daemon_storm.h"
#include "identity_cache.h"

struct mw_engine {
	const struct mw_daemon_config *config;
	struct mw_alerts *alerts;
	int epoll;
	struct mw_programs *programs;
	struct mw_identity_cache *identities;
	struct mw_attach attach;
	struct mw_mappings *mappings;
	struct mw_found *found;
	struct mw_daemon_judge *judge;
	struct mw_merge *merge;
	struct mw_reports *reports;
	uint64_t malformed;
	int64_t ticked, rescanned;
	bool rescan;
	struct mw_daemon_storm storm;
	bool stormed;
	bool catches_up; /* it reads what happened before it was there */
	uint64_t unattended;
	char digest[65];
};

#endif
