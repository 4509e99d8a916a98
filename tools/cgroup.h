/* Which job and which container a process belongs to, by the path of its control group: the
 * kernel's word, which the process did not choose. */
#ifndef MW_TOOLS_CGROUP_H
#define MW_TOOLS_CGROUP_H

#define MW_CGROUP_ID 80

/* Empty strings: not known. */
struct mw_cgroup {
	char job[MW_CGROUP_ID], step[MW_CGROUP_ID]; /* of Slurm */
	char container[MW_CGROUP_ID];               /* 64 hex digits */
	char pod[MW_CGROUP_ID];                     /* UID of a Kubernetes pod */
};

/* Reads the text of /proc/<pid>/cgroup, or any text with such paths in it. */
void mw_cgroup_parse(const char *text, struct mw_cgroup *ret);

/* Adds the container and the pod that the text of /proc/<pid>/mountinfo shows, where they are not
 * known: inside a container the path of the control group is often just "/", but the runtime has
 * mounted files of its own, kept in a directory called after the container or the pod, over /etc.
 */
void mw_cgroup_mounts(const char *text, struct mw_cgroup *ret);

#endif
