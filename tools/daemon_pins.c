#include "daemon_pins.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define BPFFS 0xcafe4a11 /* of linux/magic.h */
#define FOLDERS 64

static unsigned long number_of(const struct mw_pins *pins)
{
	return strtoul(strrchr(pins->path, '/') + 1, NULL, 10);
}

/* Whether the folder is root's own. Anybody may make one, or a link, in a bpffs that is mounted
 * without more ado. */
static int check_root(void)
{
	struct statfs fs;
	struct stat st;

	if (statfs(MW_PINS_ROOT, &fs) < 0 || (unsigned long)fs.f_type != BPFFS)
		return -ENODEV;
	if (lstat(MW_PINS, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && !st.st_uid && !(st.st_mode & 077) ? 0 : -EPERM;
}

static int make_root(void)
{
	int error = check_root();

	if (error != -ENOENT)
		return error;
	return mkdir(MW_PINS, 0700) < 0 ? -errno : check_root();
}

int mw_pins_new(struct mw_pins *ret)
{
	struct mw_pins newest;
	unsigned long number = mw_pins_list(&newest, 1) ? number_of(&newest) + 1 : 1;
	int error = make_root();

	if (error)
		return error;
	snprintf(ret->path, sizeof(ret->path), "%s/%lu", MW_PINS, number);
	if (mkdir(ret->path, 0700) == 0)
		return 0;
	error = -errno;
	*ret = (struct mw_pins){""};
	return error;
}

/* False: it is too long. */
static bool name(const struct mw_pins *pins, const char *what, char ret[static 2 * MW_PINS_PATH])
{
	return pins->path[0] &&
	       snprintf(ret, 2 * MW_PINS_PATH, "%s/%s", pins->path, what) < 2 * MW_PINS_PATH;
}

int mw_pins_put(const struct mw_pins *pins, const char *what, int fd)
{
	char path[2 * MW_PINS_PATH];

	return name(pins, what, path) ? bpf_obj_pin(fd, path) : -ENAMETOOLONG;
}

void mw_pins_take(const struct mw_pins *pins, const char *what)
{
	char path[2 * MW_PINS_PATH];

	if (name(pins, what, path))
		unlink(path);
}

int mw_pins_get(const struct mw_pins *pins, const char *what)
{
	char path[2 * MW_PINS_PATH];

	return name(pins, what, path) ? bpf_obj_get(path) : -ENAMETOOLONG;
}

int mw_pins_settle(struct mw_pins *pins, const char *layout)
{
	struct mw_pins whole;
	int len = snprintf(whole.path, sizeof(whole.path), "%s-%s", pins->path, layout);

	if (len >= (int)sizeof(whole.path))
		return -ENAMETOOLONG;
	if (rename(pins->path, whole.path) < 0)
		return -errno;
	*pins = whole;
	return 0;
}

bool mw_pins_is_whole(const struct mw_pins *pins, const char *layout)
{
	const char *dash = strchr(strrchr(pins->path, '/'), '-');

	return dash && !strcmp(dash + 1, layout);
}

void mw_pins_remove(struct mw_pins *pins)
{
	DIR *folder = pins->path[0] ? opendir(pins->path) : NULL;
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	if (pins->path[0])
		rmdir(pins->path);
	*pins = (struct mw_pins){""};
}

static int newest_first(const void *a, const void *b)
{
	unsigned long first = number_of(a), second = number_of(b);

	return (first < second) - (first > second);
}

size_t mw_pins_list(struct mw_pins *ret, size_t most)
{
	struct mw_pins found[FOLDERS];
	DIR *folder = check_root() ? NULL : opendir(MW_PINS);
	struct dirent *entry;
	size_t count = 0;

	while (folder && count < FOLDERS && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' &&
		    snprintf(found[count].path, sizeof(found[count].path), "%s/%s", MW_PINS,
		             entry->d_name) < (int)sizeof(found[count].path))
			count++;
	if (folder)
		closedir(folder);
	qsort(found, count, sizeof(*found), newest_first);
	memcpy(ret, found, (count < most ? count : most) * sizeof(*ret));
	return count;
}

void mw_pins_tidy(void)
{
	struct mw_pins found[FOLDERS];
	size_t count = mw_pins_list(found, FOLDERS);

	for (size_t i = 0; i < count && i < FOLDERS; i++)
		if (!strchr(strrchr(found[i].path, '/'), '-'))
			mw_pins_remove(&found[i]);
}

size_t mw_pins_clear(const struct mw_pins *kept)
{
	struct mw_pins found[FOLDERS];
	size_t count = mw_pins_list(found, FOLDERS), removed = 0;

	for (size_t i = 0; i < count && i < FOLDERS; i++) {
		if (kept && !strcmp(found[i].path, kept->path))
			continue;
		mw_pins_remove(&found[i]);
		removed++;
	}
	if (!kept && !check_root())
		rmdir(MW_PINS);
	return removed;
}
