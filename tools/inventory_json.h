/* A record of the inventory as JSON, modelwatch.inventory/1: docs/alerts.md says what each field
 * means. */
#ifndef MW_TOOLS_INVENTORY_JSON_H
#define MW_TOOLS_INVENTORY_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "artifact.h"
#include "hasher.h"
#include "inventory.h"
#include "locate.h"

/* Of one load, now, without a look at its file. `identities` knows who has ended, or is NULL;
 * `labels` is borrowed. A new reference, or NULL when there is no memory. */
json_t *mw_inventory_json(const struct mw_inventory_load *load,
                          struct mw_identity_cache *identities, const char *policy_digest,
                          json_t *labels);

/* Its file, as it was found. `record` may be NULL, here and below. */
void mw_inventory_set_artifact(json_t *record, const struct mw_artifact *artifact,
                               const struct mw_location *at, const struct mw_digest *digest);

/* What is known later. A digest that is not there by then will not come. */
void mw_inventory_set_digest(json_t *record, const struct mw_digest *digest);
void mw_inventory_set_sum(json_t *record, uint64_t count, uint64_t duration, const char *last,
                          bool several_streams);

/* The time as records have it. */
void mw_inventory_now(char ret[static 40]);

#endif
