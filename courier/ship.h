/* All senders of a spool: of several couriers one has them. */
#ifndef MW_COURIER_SHIP_H
#define MW_COURIER_SHIP_H

#include <stdbool.h>

#include <jansson.h>

#include "sender.h"
#include "sink_config.h"

struct mw_ship;

/* `config`, `spool` and the host's name in `context` are borrowed. Starts no sender yet. Returns 0
 * or -ENOMEM. */
int mw_ship_open(const struct mw_sinks_config *config, const struct mw_spool_options *spool,
                 const struct mw_sink_context *context, struct mw_ship **ret);

/* Starts the senders once no other courier of this spool has any. Cheap to call again. Returns
 * whether all of them run. */
bool mw_ship_try(struct mw_ship *ship);

/* There is something new in the spool. */
void mw_ship_wake(struct mw_ship *ship);
void mw_ship_reopen(struct mw_ship *ship);

/* Whether nothing is left to be sent, or another courier is to send it. */
bool mw_ship_idle(const struct mw_ship *ship);

/* An array of what each sink is about: {name, type, sent, refused, errors, reason, why,
 * last_success}; empty when another courier has them. A new reference or NULL. */
json_t *mw_ship_look(struct mw_ship *ship);

/* Ends the senders. False: one of them cannot be ended, and nothing may be freed. */
bool mw_ship_close(struct mw_ship *ship);

#endif
