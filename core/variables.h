/* Environment variables that make a program run code, or other programs, from where they say. */
#ifndef MW_CORE_VARIABLES_H
#define MW_CORE_VARIABLES_H

#include <stdbool.h>

/* Whether `name`, or an entry "NAME=value", is one of them. */
bool mw_is_loaders(const char *name);

#endif
