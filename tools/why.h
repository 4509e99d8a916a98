/* The story that `modelwatch why` tells of one alert. */
#ifndef MW_TOOLS_WHY_H
#define MW_TOOLS_WHY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "entry.h"

#define MW_WHY_RELATIVES 5

/* The other alerts of the same load. */
struct mw_relatives {
	uint64_t count, outcomes[MW_OUTCOME_COUNT];
	json_t *titles; /* of the first MW_WHY_RELATIVES, fit to be shown */
};

/* Tells it in plain words. Returns 0, -ENOMEM or -EIO. */
int mw_why_story(const struct mw_entry *alert, const struct mw_relatives *relatives, bool colour,
                 FILE *out);

/* The parts about what is to be done now. `story` is the alert's mw_sample(). */
void mw_why_safer(const json_t *story, FILE *out);
void mw_why_next(const struct mw_entry *alert, const json_t *story, FILE *out);
void mw_why_tell(const json_t *story, FILE *out);

#endif
