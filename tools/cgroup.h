/* Which job, container and unit a process belongs to, by the path of its control group: the
 * kernel's word for where it is. The names in the path are the word of whoever made the
 * directories, so a path is read from the root on, and what lies outside goes before what lies
 * inside: a container may make directories in its own, and a user in his manager's, but none
 * around them. */
#ifndef MW_TOOLS_CGROUP_H
#define MW_TOOLS_CGROUP_H

#include <stddef.h>

#define MW_CGROUP_ID 80
#define MW_CGROUP_NAME 256 /* of a directory, with its NUL */

enum mw_cgroup_trust {
	MW_CGROUP_NOTHING,   /* nothing is known */
	MW_CGROUP_MOUNTS,    /* by what is mounted, which the process may have arranged */
	MW_CGROUP_DELEGATED, /* by a directory inside of a unit or a container, which may have made
	                        it */
	MW_CGROUP_HOST,      /* by a directory that only root of the host can have made */
};

/* Empty strings: not known. */
struct mw_cgroup {
	char job[MW_CGROUP_ID], step[MW_CGROUP_ID]; /* of Slurm */
	char container[MW_CGROUP_ID];   /* 64 hex digits, or the name that its runtime gave it */
	char pod[MW_CGROUP_ID];         /* UID of a Kubernetes pod */
	char unit[MW_CGROUP_NAME];      /* of systemd; none is what belongs to a container */
	char user_unit[MW_CGROUP_NAME]; /* of the user's own manager, when `unit` is that */
	const char *runtime;            /* of the container; NULL: the path does not tell */
	enum mw_cgroup_trust job_trust, container_trust; /* the latter also of the pod */
};

/* Reads the text of /proc/<pid>/cgroup: a line for each hierarchy, "id:controllers:path". Where
 * they differ, what is more to be trusted goes first, then version 2, then systemd's own. */
void mw_cgroup_parse(const char *text, struct mw_cgroup *ret);

/* Adds the container and the pod that the text of /proc/<pid>/mountinfo shows, where neither is
 * known: inside a container the path of the control group is often just "/", but the runtime has
 * mounted files of its own, kept in a directory called after the container or the pod, over /etc.
 */
void mw_cgroup_mounts(const char *text, struct mw_cgroup *ret);

/* Whether the `len` bytes at `s` are 64 hex digits, which is how most runtimes call a container. */
int mw_cgroup_is_hex_id(const char *s, size_t len);

/* What a directory's name says, given the two above it (empty at the root). */
struct mw_cgroup_name {
	const char *runtime; /* NULL: not told */
	char id[MW_CGROUP_ID];
};

/* Reads a container's name. Returns 1 and fills `ret` when it is one, else 0. */
int mw_cgroup_container(const char *name, const char *parent, const char *above,
                        struct mw_cgroup_name *ret);

#endif
