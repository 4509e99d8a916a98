/* One line of an alerts file, as those read it who tell people about alerts. docs/alerts.md says
 * what is in it; whoever wrote it may be hostile, so what is needed is checked here, once. */
#ifndef MW_TOOLS_ENTRY_H
#define MW_TOOLS_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "../core/words.h"

#define MW_ID_BYTES 16
#define MW_ID_TEXT 37 /* with the NUL */

enum mw_entry_kind {
	MW_ENTRY_ALERT, /* modelwatch.alert/1 */
	MW_ENTRY_LOSS,  /* modelwatch.loss/1 */
	MW_ENTRY_OTHER, /* another schema: a newer modelwatch may write it */
};

struct mw_entry {
	enum mw_entry_kind kind;
	json_t *json;
	/* Of alerts and losses: */
	int64_t time;
	uint64_t count; /* effects the alert stands for, or alerts that were lost */
	/* Of alerts: */
	uint8_t id[MW_ID_BYTES];
	uint32_t update;
	enum mw_severity severity;
	enum mw_outcome outcome;
	bool deny_would_stop; /* it happened, and the rule asked for deny or kill */
};

/* Reads the line. Returns 0, -EINVAL when it is no record of modelwatch, or -ENOMEM. Free `ret`
 * with mw_entry_free(), after an error too. */
int mw_entry_read(struct mw_entry *ret, const char *line, size_t len);
void mw_entry_free(struct mw_entry *entry);

void mw_id_text(const uint8_t id[static MW_ID_BYTES], char ret[static MW_ID_TEXT]);

#endif
