/* Files that interpreters are likely to be, looked into before anybody runs them. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon_found.h"
#include "daemon_glob.h"

#define ENTRIES 32768 /* of directories, for one pattern */
#define COMPANION_ENTRIES 4096

/* Where an interpreter and what belongs to it may be installed. */
static const char *const prefixes[] = {
        "/usr",
        "/usr/local",
        "/opt/*",
        "/opt/*/envs/*",
        "/root/.pyenv/versions/*",
        "/root/.local/share/uv/python/*",
        "/root/*conda3",
        "/root/*conda3/envs/*",
        "/root/*forge*",
        "/root/*forge*/envs/*",
        "/home/*/.pyenv/versions/*",
        "/home/*/.local/share/uv/python/*",
        "/home/*/*conda3",
        "/home/*/*conda3/envs/*",
        "/home/*/*forge*",
        "/home/*/*forge*/envs/*",
};

static const char *const programs[] = {
        "bin/python3*",
        "lib*/libpython3*.so*",
        "lib/*/libpython3*.so*",
};

/* Loaded later than the interpreter, and used at once. */
static const char *const libraries[] = {
        "lib*/python3*/lib-dynload/_pickle*.so",
        "lib*/python3*/site-packages/torch/lib/libtorch_cpu.so",
        "lib*/python3*/dist-packages/torch/lib/libtorch_cpu.so",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct prescan {
	struct mw_found *found;
	uint64_t until; /* value of counts.examined */
	pid_t pid;
	const struct mw_found_entry *owner; /* NULL: it is one of the usual files */
};

/* As long as the interpreter is watched it may load it. */
static void belong(const struct mw_found *found, struct mw_found_entry *entry,
                   const struct mw_found_entry *owner)
{
	if (entry != owner && (!entry->owner || found->object[entry->owner - 1]->stale))
		entry->owner = (uint16_t)(owner->index + 1);
}

static bool look(void *context, int path_fd, const struct stat *st, const char *path)
{
	struct prescan *prescan = context;
	struct mw_found *found = prescan->found;
	struct mw_found_place place = {prescan->pid, st->st_dev, st->st_ino, 0, path};
	struct mw_found_entry *entry;

	if (found->counts.examined >= prescan->until)
		return false;
	entry = mw_found_file(found, path_fd, st, &place);
	if (entry && prescan->owner) {
		belong(found, entry, prescan->owner);
	} else if (entry) {
		entry->object.usual = true;
		entry->prescan = found->prescan;
	}
	return true;
}

static void look_below(struct mw_file_walk *glob, const char *prefix, const char *const *names,
                       size_t count)
{
	char pattern[PATH_MAX];

	for (size_t i = 0; i < count; i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s", prefix, names[i]);
		glob->entries = ENTRIES;
		mw_walk_files(glob, "", pattern);
	}
}

static void forget(struct mw_found *found)
{
	for (size_t i = 0; i < MW_FOUND_OBJECTS; i++)
		if (found->object[i] && found->object[i]->prescan != found->prescan)
			found->object[i]->object.usual = false;
}

void mw_found_prescan(struct mw_found *found, const char *const *patterns)
{
	struct prescan prescan = {found, found->counts.examined + MW_FOUND_USUAL_MAX, 0, NULL};
	struct mw_file_walk glob = {
	        .root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
	        .each = look,
	        .context = &prescan,
	};

	if (glob.root < 0)
		return;
	found->prescan++;
	for (; patterns && *patterns; patterns++) {
		glob.entries = ENTRIES;
		mw_walk_files(&glob, "", *patterns);
	}
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		look_below(&glob, prefixes[i], programs, COUNT(programs));
		look_below(&glob, prefixes[i], libraries, COUNT(libraries));
	}
	close(glob.root);
	forget(found);
}

/* What the file's directory lies in: the prefix of bin/python3 and lib/libpython3.so. */
static bool prefix_of(const char *path, char prefix[PATH_MAX])
{
	char *slash;

	if (*path != '/' || strlen(path) >= PATH_MAX)
		return false;
	strcpy(prefix, path);
	for (int i = 0; i < 2; i++) {
		slash = strrchr(prefix, '/');
		if (!slash)
			return false;
		*slash = 0;
	}
	return true;
}

void mw_found_companions(struct mw_found *found, const struct mw_found_entry *entry,
                         const struct mw_found_place *place)
{
	struct prescan prescan = {found, found->counts.examined + MW_FOUND_USUAL_MAX, place->pid,
	                          entry};
	struct mw_file_walk glob = {
	        .entries = COMPANION_ENTRIES, .each = look, .context = &prescan};
	char prefix[PATH_MAX], root[32] = "/";

	if (!entry->object.found.runtime || !prefix_of(place->path, prefix))
		return;
	if (place->pid)
		snprintf(root, sizeof(root), "/proc/%d/root", (int)place->pid);
	glob.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (glob.root < 0)
		return;
	for (size_t i = 0; i < COUNT(libraries); i++)
		mw_walk_files(&glob, prefix, libraries[i]);
	close(glob.root);
}
