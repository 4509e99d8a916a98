/* Effects on files and on memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/paths.h"
#include "../core/secret.h"
#include "daemon_matter.h"
#include "floor_table.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static const char *duplicate(struct mw_daemon_matter *m, const char *text)
{
	return mw_daemon_text(m, (struct mw_str){text, (uint32_t)strlen(text)});
}

/* The path as it was spelt, made absolute by the directory that it starts from. */
static const char *absolute(struct mw_daemon_matter *m, struct mw_k_str spelt, bool from_directory)
{
	struct mw_str path = mw_k_text(m->k, spelt);
	char text[PATH_MAX], directory[PATH_MAX];
	int n;

	if (!path.len || path.s[0] == '/' || !from_directory ||
	    !mw_k_path(m->k, &m->k->directory, directory, sizeof(directory)))
		return mw_daemon_text(m, path);
	n = snprintf(text, sizeof(text), "%s/%.*s", directory[1] ? directory : "", (int)path.len,
	             path.s);
	return n > 0 && (size_t)n < sizeof(text) ? duplicate(m, text) : NULL;
}

/* NULL for one that may have been cut. */
static const char *whole(struct mw_k_str spelt, const char *path)
{
	return spelt.len < MW_K_TEXT - 2 ? path : NULL;
}

static bool has_our_root(const struct mw_daemon_matter *m)
{
	char link[40];
	struct stat own, theirs;

	snprintf(link, sizeof(link), "/proc/%d/root", (int)m->pid);
	return !stat("/", &own) && !stat(link, &theirs) && own.st_dev == theirs.st_dev &&
	       own.st_ino == theirs.st_ino;
}

/* Where the entry of that path really lies: its directory without links. What it is called counts
 * itself, as it is made, removed or renamed there. NULL when it cannot be told. */
static const char *resolve(struct mw_daemon_matter *m, const char *path)
{
	char directory[PATH_MAX], real[PATH_MAX + 256];
	const char *name = path ? strrchr(path, '/') : NULL;
	size_t len = name ? (size_t)(name - path) : 0;

	if (!name || path[0] != '/' || !name[1] || !strcmp(name, "/.") || !strcmp(name, "/..") ||
	    strlen(name) > 256 || len >= sizeof(directory))
		return NULL;
	memcpy(directory, path, len);
	strcpy(directory + len, len ? "" : "/");
	if (!has_our_root(m) || !realpath(directory, real))
		return strstr(path, "/../") || strstr(path, "/./") || strstr(path, "//")
		               ? NULL
		               : path; /* its names are another's, or gone: links are not seen */
	if (real[1])
		strcat(real, name);
	else
		strcpy(real, name);
	return duplicate(m, real);
}

/* Both directories are known when they are one. */
static bool shares_directory(const struct mw_daemon_matter *m, const struct mw_floor_row *row)
{
	int first = row->dir < 0 ? AT_FDCWD : (int)m->k->args[row->dir];
	int second = row->dir2 < 0 ? AT_FDCWD : (int)m->k->args[row->dir2];

	return first == second;
}

static void take_paths(struct mw_daemon_matter *m, const struct mw_floor_row *row)
{
	const struct mw_k_effect *k = m->k;
	struct mw_effect *effect = &m->effect;
	const char *file = mw_daemon_path(m, &k->file);

	if (row->path < 0) {
		effect->target = effect->file = file;
		return;
	}
	effect->target = absolute(m, k->path, true);
	effect->file = file ? file : resolve(m, whole(k->path, effect->target));
	if (!effect->target)
		effect->target = file;
	if (row->path2 < 0)
		return;
	effect->target2 = absolute(m, k->path2, shares_directory(m, row));
	effect->file2 = resolve(m, whole(k->path2, effect->target2));
	if (!effect->target2)
		effect->target2 = "?"; /* there is one, and no rule can allow it */
}

/* Values in shared memory, and semaphores, are opened for writing where they are only looked up. */
static bool only_looks_up(const struct mw_daemon_matter *m, unsigned flags)
{
	return !(flags & (O_CREAT | O_TRUNC)) && m->effect.file &&
	       mw_path_inside(m->effect.file, "/dev/shm");
}

/* What has no name, as memfd_create(2) makes it, is nobody's but who holds it open. */
static bool has_no_name(const struct mw_daemon_matter *m, const struct mw_floor_row *row)
{
	return row->path < 0 && mw_k_has_file(&m->k->file) && S_ISREG(m->k->file.mode) &&
	       !m->k->file.nlink;
}

#define SEMAPHORE "/dev/shm/sem."

static bool is_semaphore(const char *path)
{
	return path && !strncmp(path, SEMAPHORE, sizeof(SEMAPHORE) - 1);
}

static bool is_random_name(const char *path)
{
	size_t len = sizeof(SEMAPHORE) - 1;

	return is_semaphore(path) && strlen(path) == len + 6 && !strpbrk(path + len, "/-");
}

/* sem_open(3) makes a file of a random name, links it to the one that was asked for, and takes the
 * first away. False: no more than what it has done already. */
static bool note_semaphore(struct mw_daemon_matter *m, const struct mw_floor_row *row,
                           unsigned flags)
{
	struct mw_effect *effect = &m->effect;
	bool known = mw_daemon_unwind(m), opens = mw_daemon_in_function(m, "sem_open");

	if (row->act == MW_FLOOR_UNLINK && is_semaphore(effect->file) &&
	    (!known || mw_daemon_in_function(m, "sem_unlink")))
		effect->op = "sem_unlink";
	if (!is_random_name(effect->file) || (known && !opens))
		return true;
	if (row->act == MW_FLOOR_UNLINK)
		return false;
	if (row->act != MW_FLOOR_LINK && (row->act != MW_FLOOR_OPEN || !(flags & O_EXCL)))
		return true;
	effect->op = "sem_open";
	effect->facts |= MW_FACT_NEW; /* link(2) makes one, or fails */
	return true;
}

static bool is_own_process(const struct mw_daemon_matter *m, const char *path)
{
	char own[32];

	snprintf(own, sizeof(own), "/proc/%d/", (int)m->pid);
	return !strncmp(path, own, strlen(own));
}

/* A file that is on the policy's list is opened for reading, or one that was refused. */
static bool read_effect(struct mw_daemon_matter *m, const struct mw_policy *policy, unsigned flags)
{
	bool refused = m->k->prevented && !mw_floor_open_writes(flags);
	const char *file = refused ? absolute(m, m->k->path, true) : mw_daemon_path(m, &m->k->file);

	if (!file || (flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY ||
	    S_ISDIR(m->k->file.mode) || (!refused && !mw_is_secret(policy, file)))
		return false;
	m->effect.class = MW_READ;
	m->effect.target = m->effect.file = file;
	m->effect.number = flags;
	m->effect.facts |= is_own_process(m, file) ? MW_FACT_OWN : 0;
	return true;
}

static bool write_effect(struct mw_daemon_matter *m, const struct mw_floor_row *row, unsigned flags)
{
	struct mw_effect *effect = &m->effect;

	if (has_no_name(m, row))
		return false;
	take_paths(m, row);
	if (row->act == MW_FLOOR_OPEN && only_looks_up(m, flags))
		return false;
	effect->facts |=
	        (m->k->is_new ? MW_FACT_NEW : 0) | (S_ISCHR(m->k->file.mode) ? MW_FACT_DEVICE : 0);
	if (effect->file && mw_path_inside(effect->file, "/dev/shm"))
		return note_semaphore(m, row, flags);
	return true;
}

bool mw_daemon_file_effect(struct mw_daemon_matter *m, const struct mw_policy *policy, bool second)
{
	int number = (int)m->k->number == SYS_openat2 ? SYS_openat : (int)m->k->number;
	const struct mw_floor_row *row = m->k->compat ? NULL : mw_floor_row(number);
	unsigned flags;
	bool opens;

	if (!row) { /* a call that is known by name only */
		m->effect.target = absolute(m, m->k->path, true);
		m->effect.file = mw_daemon_path(m, &m->k->file);
		return !second;
	}
	flags = (row->flags < 0 ? 0 : (unsigned)m->k->args[row->flags]) | row->fixed;
	if ((int)m->k->number == SYS_openat2)
		flags = (unsigned)m->k->other; /* they lie in memory */
	opens = row->act == MW_FLOOR_OPEN || row->act == MW_FLOOR_HANDLE;
	if (!opens)
		return !second && write_effect(m, row, flags);
	if (mw_floor_open_writes(flags) == second)
		return read_effect(m, policy, flags);
	return !second && write_effect(m, row, flags);
}

/* Where a program or library lies that is mapped; memory without a file is as anonymous when it can
 * be written to as well. */
bool mw_daemon_map_effect(struct mw_daemon_matter *m)
{
	const struct mw_k_effect *k = m->k;
	struct mw_effect *effect = &m->effect;

	effect->number = (int)k->args[2];
	effect->target = effect->file = mw_daemon_path(m, &k->file);
	if (!mw_k_has_file(&k->file)) {
		effect->facts |= MW_FACT_ANONYMOUS;
		return true;
	}
	if (k->args[2] & PROT_WRITE || !effect->file || !k->file.nlink ||
	    !mw_daemon_trusts(m, effect->file))
		return true;
	effect->facts |= MW_FACT_INSTALLED;
	/* A program that the load has started needs its libraries. */
	return m->load || !mw_daemon_is_installed(m, effect->file);
}
