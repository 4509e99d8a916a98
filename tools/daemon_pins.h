/* What stays in the kernel when the daemon has gone: folders of bpffs, one for each set of programs
 * and maps that belong together. A folder called "7" is still being filled; once it is whole it is
 * called "7-LAYOUT", after what its maps look like. Newer ones have greater numbers. */
#ifndef MW_TOOLS_DAEMON_PINS_H
#define MW_TOOLS_DAEMON_PINS_H

#include <stdbool.h>
#include <stddef.h>

#define MW_PINS_ROOT "/sys/fs/bpf"
#define MW_PINS MW_PINS_ROOT "/modelwatch"
#define MW_PINS_PATH 96

/* A folder; an empty path: none. */
struct mw_pins {
	char path[MW_PINS_PATH];
};

/* Makes a folder. Returns 0, or a negative errno: -ENODEV where there is no bpffs, -EPERM where
 * somebody else than root has made the folder that they are in. */
int mw_pins_new(struct mw_pins *ret);

/* Puts what `fd` stands for (a link, a map) there under `name`, and takes it away. */
int mw_pins_put(const struct mw_pins *pins, const char *name, int fd);
void mw_pins_take(const struct mw_pins *pins, const char *name);

/* Returns a descriptor of what is there under `name`, or a negative errno. */
int mw_pins_get(const struct mw_pins *pins, const char *name);

/* Says that all is there. */
int mw_pins_settle(struct mw_pins *pins, const char *layout);

/* Whether that was said, and the maps look like that. */
bool mw_pins_is_whole(const struct mw_pins *pins, const char *layout);

/* Removes the folders that have never become whole: their daemon was killed before it took over. */
void mw_pins_tidy(void);

/* Takes all that is there away, and the folder. None is allowed. */
void mw_pins_remove(struct mw_pins *pins);

/* Returns how many folders there are, and the newest `most` of them, newest first. */
size_t mw_pins_list(struct mw_pins *ret, size_t most);

/* Removes every folder but `kept` (NULL: all, and the one that they are in). Returns how many. */
size_t mw_pins_clear(const struct mw_pins *kept);

#endif
