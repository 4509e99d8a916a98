/* What a sink is sent of the spool: chosen by its configuration, and made fit for it. */
#ifndef MW_COURIER_LETTER_H
#define MW_COURIER_LETTER_H

#include <stdbool.h>

#include "sink.h"
#include "spool.h"

/* Whether a sink is to get the record at all: its kind, severity and rule. */
bool mw_letter_wanted(const struct mw_sink_config *config, const struct mw_spool_entry *entry);

/* Makes `item` of a record; it borrows from `entry`. Returns 0, or a negative errno: -EINVAL when
 * the format does not know such a record. Release with mw_letter_free(). */
int mw_letter_make(const struct mw_sink_config *config, bool wants_json,
                   const struct mw_spool_entry *entry, struct mw_sink_item *item);
void mw_letter_free(struct mw_sink_item *item);

#endif
