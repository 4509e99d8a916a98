/* Programs that a task in scope starts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "floor_look.h"
#include "floor_path.h"

/* The arguments, as far as they fit. */
static void read_arguments(const struct mw_tracee *tracee, uint64_t at, struct mw_floor_look *ret)
{
	struct mw_effect *effect = &ret->effect;
	size_t used = 0;
	uint64_t address;

	effect->argv = ret->argv;
	while (at && !mw_tracee_read(tracee, at, &address, sizeof(address)) && address) {
		size_t room = sizeof(ret->args) - used;
		int error;

		if (effect->argc == MW_WIRE_ARGS || room < 2) {
			effect->argv_cut = true;
			return;
		}
		error = mw_tracee_string(tracee, address, ret->args + used,
		                         room < MW_WIRE_TEXT ? room : MW_WIRE_TEXT);
		if (error && error != -ENAMETOOLONG)
			return;
		effect->argv_cut |= error != 0;
		ret->argv[effect->argc++] = ret->args + used;
		used += strlen(ret->args + used) + 1;
		at += sizeof(address);
	}
}

/* The interpreter that a script's first line names: the kernel shows it as the program. */
static void look_at_script(const struct mw_tracee *tracee, char *line, struct mw_floor_look *ret)
{
	struct mw_floor_path at;
	char *name = line + strspn(line, " \t");

	name[strcspn(name, " \t\n")] = '\0';
	if (mw_floor_path(tracee, AT_FDCWD, name, MW_FLOOR_FOLLOW, &at))
		return;
	if (at.exists) {
		ret->kind = MW_PROGRAM_SCRIPT;
		ret->dev = at.st.st_dev;
		ret->ino = at.st.st_ino;
	}
	mw_floor_path_close(&at);
}

static void look_at_kind(const struct mw_tracee *tracee, int entry, struct mw_floor_look *ret)
{
	char line[257], proc[40];
	ssize_t len = -1;
	int fd;

	ret->kind = MW_PROGRAM_OTHER;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", entry);
	fd = open(proc, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, line, sizeof(line) - 1);
		close(fd);
	}
	if (len < 4)
		return;
	line[len] = '\0';
	if (!memcmp(line, "\177ELF", 4))
		ret->kind = MW_PROGRAM_ELF;
	else if (!memcmp(line, "#!", 2))
		look_at_script(tracee, line + 2, ret);
}

static int find_program(const struct mw_tracee *tracee, int dir, int flags,
                        struct mw_floor_look *ret)
{
	struct mw_floor_path at;
	int how = (flags & AT_SYMLINK_NOFOLLOW ? 0 : MW_FLOOR_FOLLOW) |
	          (flags & AT_EMPTY_PATH ? MW_FLOOR_EMPTY : 0);
	int error = mw_floor_path(tracee, dir, ret->name, how, &at);

	if (error)
		return error;
	if (!at.exists)
		error = -ENOENT;
	else if (!S_ISREG(at.st.st_mode) || !(at.st.st_mode & 0111))
		error = -EACCES;
	snprintf(ret->real, sizeof(ret->real), "%s", at.file ? at.file : "");
	ret->dev = at.st.st_dev;
	ret->ino = at.st.st_ino;
	ret->effect.owner = (uint64_t)at.st.st_uid + 1;
	if (!error)
		look_at_kind(tracee, at.entry, ret);
	mw_floor_path_close(&at);
	return error;
}

int mw_floor_look_program(const struct mw_tracee *tracee, const struct seccomp_data *data,
                          struct mw_floor_look *ret)
{
	bool at = data->nr == SYS_execveat;
	int dir = at ? (int)data->args[0] : AT_FDCWD, flags = at ? (int)data->args[4] : 0;
	int error = mw_tracee_string(tracee, data->args[at], ret->name, sizeof(ret->name));

	if (error)
		return error;
	error = find_program(tracee, dir, flags, ret);
	if (error < 0)
		return error;
	ret->by_descriptor = dir != AT_FDCWD;
	read_arguments(tracee, data->args[at + 1], ret);
	ret->raw = ret->name;
	ret->effect.target = ret->name[0] ? ret->name : ret->real;
	ret->effect.file = error ? NULL : ret->real;
	ret->way = error ? MW_WAY_UNSAFE : MW_WAY_CHECKED;
	return 0;
}
