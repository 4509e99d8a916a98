/* The spool that `modelwatch alerts` looks into. */
#ifndef MW_TOOLS_ALERTS_SPOOL_H
#define MW_TOOLS_ALERTS_SPOOL_H

#include <stdbool.h>

#include "../courier/spool.h"
#include "options.h"
#include "text.h"

struct mw_alerts_where {
	const char *spool, *policy;
	bool is_daemon;
};

/* Options of every one of its commands, whose ids are these; mw_alerts_where() takes them. */
enum { MW_WHERE_SPOOL = 1000, MW_WHERE_POLICY, MW_WHERE_DAEMON };
#define MW_WHERE_OPTIONS                                                                           \
	{.name = "spool",                                                                          \
	 .argument = "FILE",                                                                       \
	 .id = MW_WHERE_SPOOL,                                                                     \
	 .values = MW_FILES,                                                                       \
	 .help = "the spool; by default that of modelwatch run, as policies configure it"},        \
	        {.name = "policy",                                                                 \
	         .argument = "FILE",                                                               \
	         .id = MW_WHERE_POLICY,                                                            \
	         .values = MW_FILES,                                                               \
	         .help = "read this policy too, as modelwatch run does"},                          \
	{                                                                                          \
		.name = "daemon", .id = MW_WHERE_DAEMON, .help = "the daemon's spool"              \
	}

/* Takes an option. Returns whether it was one of these. */
bool mw_alerts_where(struct mw_alerts_where *where, int id, const char *value);

/* Opens the spool, which has to be there. Returns 0, or the exit status after saying why not. */
int mw_alerts_open_spool(const struct mw_alerts_where *where, struct mw_spool **ret);

/* Whether it is the beginning of an id. Lower case, as ids are, in `ret`. */
bool mw_alerts_prefix(const char *word, char ret[static MW_UID_TEXT]);

/* What a record is about, for a terminal, in at most `max` bytes. */
void mw_alerts_title(struct mw_text *out, const json_t *record, size_t max);
/* Its time and severity, and the id of the finding. */
void mw_alerts_head(struct mw_text *out, const struct mw_spool_entry *entry);

#endif
