/* Values that the options of several commands take. */
#ifndef MW_TOOLS_OPTION_VALUES_H
#define MW_TOOLS_OPTION_VALUES_H

#include <stdint.h>

#include "../core/words.h"

/* The words that mw_take_severity() knows, for struct mw_option; ends with NULL. */
extern const char *const mw_severities[];

/* Reads the value of --severity. Returns 0, or the exit status after an error, which has been said;
 * then `ret` is as it was. */
int mw_take_severity(const char *value, enum mw_severity *ret);

/* Reads a time, as mw_when() has it, of the option --`name`. Returns as above. */
int mw_take_when(const char *name, const char *value, int64_t now, int64_t *ret);

#endif
