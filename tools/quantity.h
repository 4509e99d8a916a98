/* Durations and amounts of memory as people write them. */
#ifndef MW_TOOLS_QUANTITY_H
#define MW_TOOLS_QUANTITY_H

#include <stdint.h>

#define MW_QUANTITY_TEXT 32

/* A whole number and its unit: ms, s, m or h for a duration, which is returned in milliseconds;
 * KiB, MiB, GiB, TiB or kB, MB, GB, TB for memory, in bytes. Returns 0; -EINVAL for anything else
 * and for 0; -ERANGE above 2^53. */
int mw_quantity_parse_time(const char *text, uint64_t *ret);
int mw_quantity_parse_bytes(const char *text, uint64_t *ret);

/* The same back, in the largest unit that divides it; what no unit divides is so many "B". */
void mw_quantity_time(uint64_t ms, char ret[static MW_QUANTITY_TEXT]);
void mw_quantity_bytes(uint64_t bytes, char ret[static MW_QUANTITY_TEXT]);

#endif
