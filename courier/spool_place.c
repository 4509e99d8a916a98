#include "spool_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../tools/when.h"

static const struct {
	uint64_t type;
	const char *name;
} networks[] = {
        {0x6969, "NFS"},          {0x517b, "SMB"},        {0xff534d42, "CIFS"},
        {0xfe534d42, "SMB"},      {0x564c, "NCP"},        {0x01021997, "9P"},
        {0x65735546, "FUSE"},     {0x5346414f, "AFS"},    {0x6b414653, "AFS"},
        {0x73757245, "Coda"},     {0x00c36400, "Ceph"},   {0x0bd00bd0, "Lustre"},
        {0x47504653, "GPFS"},     {0x19830326, "BeeGFS"}, {0x20030528, "OrangeFS"},
        {0x01161970, "GFS2"},     {0x7461636f, "OCFS2"},  {0xaad7aaea, "PanFS"},
        {0xbacbacbc, "VMware"},   {0x786f4256, "vboxsf"}, {0x013111a8, "IBRIX"},
        {0xa501fcf5, "StorNext"},
};

const char *mw_place_network(uint64_t type)
{
	for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++)
		if (networks[i].type == (type & 0xffffffff))
			return networks[i].name;
	return NULL;
}

static int say(char *why, size_t why_size, int error, const char *path, const char *what)
{
	snprintf(why, why_size, "%.300s: %s", path, what);
	return error;
}

static int say_errno(char *why, size_t why_size, const char *path)
{
	int error = errno;

	return say(why, why_size, -error, path, strerror(error));
}

/* The folders above, for this user alone where they are missing. */
static void make_folders(char *folder)
{
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(folder, 0700);
		*slash = '/';
	}
	mkdir(folder, 0700);
}

/* Whoever can write to the folder could put another file in the place of ours. */
static int check_folder(const char *folder, char *why, size_t why_size)
{
	struct statfs fs;
	struct stat st;
	const char *network;

	if (lstat(folder, &st) < 0)
		return say_errno(why, why_size, folder);
	if (S_ISLNK(st.st_mode))
		return say(why, why_size, -ELOOP, folder,
		           "a spool's folder is no link; name the place itself");
	if (!S_ISDIR(st.st_mode))
		return say(why, why_size, -ENOTDIR, folder, "this is no folder");
	if (st.st_uid != geteuid())
		return say(why, why_size, -EPERM, folder, "a spool's folder belongs to its user");
	if (st.st_mode & 022)
		return say(why, why_size, -EPERM, folder, "others may write to this folder");
	if (statfs(folder, &fs) < 0)
		return say_errno(why, why_size, folder);
	network = mw_place_network((uint64_t)fs.f_type);
	if (!network)
		return 0;
	snprintf(why, why_size,
	         "%.300s: on a filesystem (%s) that other machines may write to, too; "
	         "a spool needs one of this machine",
	         folder, network);
	return -EREMOTE;
}

/* A log whose database is gone is of none, and would be written into the next one of its name. */
static int drop_log(const char *path)
{
	static const char *const ends[] = {"-wal", "-shm", "-journal"};
	char name[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		if (unlink(name) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Returns 1, 0 when it is there already, or a negative errno. */
static int make_file(const char *path)
{
	struct stat st;
	int error;

	if (!lstat(path, &st))
		return 0;
	error = errno == ENOENT ? drop_log(path) : -errno;
	if (error)
		return error;
	return mknod(path, S_IFREG | 0600, 0) < 0 ? -errno : 1;
}

/* Never by opening it: closing it again would take away the locks that SQLite has in this process.
 */
int mw_place_file(const char *path, bool is_there, char *why, size_t why_size)
{
	struct stat st;
	int made = is_there ? 0 : make_file(path);

	if (made < 0)
		return say(why, why_size, made, path, strerror(-made));
	if (lstat(path, &st) < 0)
		return say_errno(why, why_size, path);
	if (S_ISLNK(st.st_mode))
		return say(why, why_size, -ELOOP, path, "a spool is no link");
	if (!S_ISREG(st.st_mode))
		return say(why, why_size, -EINVAL, path, "this is no file");
	if (st.st_uid != geteuid() || st.st_nlink != 1)
		return say(why, why_size, -EPERM, path, "a spool belongs to its user alone");
	if (st.st_mode & 022)
		return say(why, why_size, -EPERM, path, "others may write to this file");
	return 0;
}

int mw_place_folder(const char *path, bool is_there, char ret[static PATH_MAX], char *why,
                    size_t why_size)
{
	char folder[PATH_MAX], real[PATH_MAX];
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int error;

	if (strlen(path) > PATH_MAX - 64 || !*name || *path != '/')
		return say(why, why_size, -EINVAL, path, "a spool is named by an absolute path");
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	if (!*folder)
		return say(why, why_size, -EINVAL, path, "a spool needs a folder of its own");
	if (!is_there)
		make_folders(folder);
	error = check_folder(folder, why, why_size);
	if (error)
		return error;
	if (!realpath(folder, real))
		return say_errno(why, why_size, folder);
	if (snprintf(ret, PATH_MAX, "%s/%s", real, name) >= PATH_MAX - 64)
		return say(why, why_size, -ENAMETOOLONG, path, "this is too long");
	return 0;
}

/* A name that nothing has, nor its log. */
static void name_aside(const char *path, int64_t now, char ret[static PATH_MAX],
                       char log[static PATH_MAX + 8])
{
	char when[MW_WHEN_TEXT];
	struct stat st;

	do {
		mw_when_text(now, when);
		snprintf(ret, PATH_MAX, "%s.corrupt-%.19s.%.3s", path, when, when + 20);
		snprintf(log, PATH_MAX + 8, "%s-wal", ret);
		now += 1000000;
	} while (!lstat(ret, &st) || !lstat(log, &st));
}

/* Whatever comes in between: a database has its log beside it, under the one name or the other, and
 * where there is none a log that is left is dropped before there is another (make_file()). */
int mw_place_aside(const char *path, int64_t now, char ret[static PATH_MAX])
{
	char log[PATH_MAX + 8], log_aside[PATH_MAX + 8];
	int made;

	name_aside(path, now, ret, log_aside);
	snprintf(log, sizeof(log), "%s-wal", path);
	if (link(log, log_aside) < 0 && errno != ENOENT)
		return -errno;
	if (rename(path, ret) < 0)
		return -errno;
	made = make_file(path);
	return made < 0 ? made : 0;
}
