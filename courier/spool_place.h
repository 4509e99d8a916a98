/* Where a spool may lie, and who else uses it. */
#ifndef MW_COURIER_SPOOL_PLACE_H
#define MW_COURIER_SPOOL_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the folder of `path` where it is missing, for its owner alone, unless it `is_there`; `ret`
 * is the path with no link in it. Returns 0; -EREMOTE on a network filesystem (or what may be one);
 * -EPERM when the folder is somebody else's, or others may write to it; -ELOOP when it is a link;
 * or another negative errno, with a line in `why`. */
int mw_place_folder(const char *path, bool is_there, char ret[static PATH_MAX], char *why,
                    size_t why_size);

/* The same for the file, whose guard has been entered. */
int mw_place_file(const char *path, bool is_there, char *why, size_t why_size);

/* What a filesystem of this f_type (statfs(2)) is called when it is, or may be, one that other
 * machines write to as well: SQLite's WAL needs memory that all who use it share. NULL: none. */
const char *mw_place_network(uint64_t type);

/* Beside the spool lies a file that is locked: while it is opened, by one; while it is in use, by
 * all together. mw_guard_enter() waits for its turn. Where the spool `is_there` so is that file, or
 * the place is no spool's: -EMEDIUMTYPE. Returns the descriptor, which is held until the spool is
 * closed, or a negative errno. */
struct mw_guard_view {
	bool is_new;  /* no spool has been opened here before */
	bool first;   /* nobody has it in use yet */
	bool suspect; /* somebody found it corrupt */
};
int mw_guard_enter(const char *path, bool is_there, struct mw_guard_view *ret);
/* It is opened; what was suspected is settled. */
void mw_guard_leave(int guard);
/* Somebody has to look at it closely when it is opened the next time. */
void mw_guard_suspect(int guard);
/* Somebody puts something in, and is done with that. Returns whether nobody else is at it. */
void mw_guard_put(int guard);
bool mw_guard_done(int guard);

/* Renames a corrupt database, whose guard has been entered, to `path`.corrupt-TIME, its log with
 * it, and makes an empty file in its place. Who is killed meanwhile, or has a power failure, leaves
 * no log that another database would take for its own, and none aside without its database. Returns
 * 0 or a negative errno. */
int mw_place_aside(const char *path, int64_t now, char ret[static PATH_MAX]);

#endif
