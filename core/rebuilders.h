/* What the names that a stream fetches stand for, as far as a name can tell. One list for the
 * extension, which knows more of the object behind a name, and for who sees names alone. */
#ifndef MW_CORE_REBUILDERS_H
#define MW_CORE_REBUILDERS_H

#include <stdbool.h>
#include <stddef.h>

#define MW_GLOBAL_KEY 128 /* bytes of "module name" with its NUL */

enum mw_global {
	MW_PLAIN,
	MW_CLASS, /* its instances are made and filled as object's are */
	MW_MAKER, /* a class that does some of that itself */
	MW_REBUILDS,
	MW_OTHER,
	MW_EFFECTFUL,
	MW_NEVER
};

/* Writes "module name" with the module's platform twin replaced (posix is os). False when it does
 * not fit. */
bool mw_global_key(const char *module, const char *name, char ret[static MW_GLOBAL_KEY]);

/* What the lists say of `module` and the `key` made of it: MW_PLAIN, MW_REBUILDS, MW_EFFECTFUL or
 * MW_NEVER, and MW_OTHER for a name that is on none. Pure; no allocation. */
enum mw_global mw_global_listed(const char *module, const char *key);

/* Calls `tell` with each entry of these lists: a key, or a module of which every name is of that
 * kind. */
void mw_global_each(void (*tell)(void *context, const char *key, enum mw_global kind),
                    void *context);

/* Whether `module` is, or lies below, one of the `count` of `list`. */
bool mw_in_modules(const char *module, const char *const *list, size_t count);

#endif
