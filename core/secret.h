/* Which files are secrets: those whose opening for reading is an effect. */
#ifndef MW_CORE_SECRET_H
#define MW_CORE_SECRET_H

#include <stdbool.h>

#include "policy.h"

/* Begins a pattern of files that are none, whatever other patterns say. In an image these patterns
 * come before all others. */
#define MW_EXCEPTION '!'

/* True when `path` is on the policy's list. It has to be the path that the kernel gives to the
 * file: absolute, without links. Pure; fast enough for every open of a load; safe in a signal
 * handler. */
bool mw_is_secret(const struct mw_policy *policy, const char *path);

#endif
