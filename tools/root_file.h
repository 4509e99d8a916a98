/* Files that root keeps in directories of his. */
#ifndef MW_TOOLS_ROOT_FILE_H
#define MW_TOOLS_ROOT_FILE_H

#include <stddef.h>

#include <jansson.h>

/* Opens directory `root` + `path`, whose own links are followed: the host may keep it elsewhere.
 * Returns a descriptor that the caller closes, or a negative errno: -EPERM when somebody else than
 * root or the caller's user owns or may write to it. */
int mw_root_directory(const char *root, const char *path);

/* Reads the JSON object of the regular file `name` below `directory`, of at most `max` bytes. No
 * link is followed. Returns a new reference, or NULL when there is none to be believed. */
json_t *mw_root_json(int directory, const char *name, size_t max);

#endif
