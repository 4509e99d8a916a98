#include "daemon_trees.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tasks.h"

#define ANCESTORS_MAX 64

int mw_trees_add(struct mw_trees *trees, const struct mw_supervisor *supervisor)
{
	for (int i = 0; i < MW_MERGE_TREES; i++) {
		if (trees->tree[i])
			continue;
		trees->tree[i] = malloc(sizeof(*supervisor));
		if (!trees->tree[i])
			return -ENOMEM;
		*trees->tree[i] = *supervisor;
		trees->count++;
		return i;
	}
	return -ENOSPC;
}

void mw_trees_remove(struct mw_trees *trees, int tree)
{
	if (!trees->tree[tree])
		return;
	free(trees->tree[tree]);
	trees->tree[tree] = NULL;
	trees->count--;
}

void mw_trees_clear(struct mw_trees *trees)
{
	for (int i = 0; i < MW_MERGE_TREES; i++)
		mw_trees_remove(trees, i);
}

static bool is(const struct mw_supervisor *supervisor, const struct mw_task *task)
{
	return supervisor && supervisor->pid == task->pid && supervisor->start == task->start;
}

/* Returns the length of the lineage, or -ESRCH when the process is not the one that is meant, or
 * not there any more. */
static ssize_t look(pid_t pid, uint64_t start, struct mw_task *lineage, struct mw_member *ret)
{
	ssize_t count = mw_task_lineage(pid, lineage, ANCESTORS_MAX);

	*ret = (struct mw_member){.pid = pid, .start = start};
	if (count <= 0 || (start && lineage[0].start != start))
		return -ESRCH;
	ret->start = lineage[0].start;
	if (count > 1) {
		ret->parent = lineage[1].pid;
		ret->parent_start = lineage[1].start;
	}
	return count;
}

int mw_trees_find(const struct mw_trees *trees, pid_t pid, uint64_t start, uid_t uid,
                  struct mw_member *ret)
{
	struct mw_task lineage[ANCESTORS_MAX];
	ssize_t count = look(pid, start, lineage, ret);

	if (count < 0)
		return MW_TREE_GONE;
	for (ssize_t i = 1; i < count; i++) {
		for (int t = 0; t < MW_MERGE_TREES; t++) {
			const struct mw_supervisor *supervisor = trees->tree[t];

			if (is(supervisor, &lineage[i]) &&
			    (!supervisor->uid || supervisor->uid == uid))
				return t;
		}
	}
	return MW_TREE_NONE;
}

int mw_trees_check(const struct mw_trees *trees, int tree, pid_t pid, struct mw_member *ret)
{
	struct mw_task lineage[ANCESTORS_MAX];
	ssize_t count = look(pid, 0, lineage, ret);

	if (count < 0)
		return -ESRCH;
	for (ssize_t i = 1; i < count; i++)
		if (is(trees->tree[tree], &lineage[i]))
			return 0;
	return -EACCES;
}

bool mw_trees_any(const struct mw_trees *trees, uid_t uid)
{
	for (int t = 0; t < MW_MERGE_TREES; t++)
		if (trees->tree[t] && (!trees->tree[t]->uid || trees->tree[t]->uid == uid))
			return true;
	return false;
}
