/* Questions about paths as text. Nothing is looked up, and no "..", "." or double slash understood.
 * Pure; no allocation; safe in a signal handler and a vfork child. */
#ifndef MW_CORE_PATHS_H
#define MW_CORE_PATHS_H

#include <stdbool.h>

/* Whether `path` is `directory` or below it. Slashes at the end of `directory` do not count; below
 * "/" is nothing but itself, so that who is handed the root is not handed everything. */
bool mw_path_inside(const char *path, const char *directory);

/* Whether the last characters of `text` are `end`. */
bool mw_ends_with(const char *text, const char *end);

/* Whether `path` lies where a system keeps what was installed. */
bool mw_is_of_system(const char *path);

/* Whether `path` lies in a cache of downloaded models: nobody's own, wherever it lies. */
bool mw_is_in_model_cache(const char *path);

/* Whether the last part of `path` is that of a bytecode file: "x.cpython-311.pyc", or that with the
 * number of a temporary file behind it. */
bool mw_is_bytecode_name(const char *path);

/* Whether `path` is where the import system caches bytecode by itself, or the directory that it
 * makes for it. */
bool mw_is_cached_bytecode(const char *path);

#endif
