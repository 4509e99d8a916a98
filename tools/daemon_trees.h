/* The trees of processes that somebody supervises, and which of them a process belongs to: by what
 * /proc shows of its parents, each checked by its start. */
#ifndef MW_TOOLS_DAEMON_TREES_H
#define MW_TOOLS_DAEMON_TREES_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon_merge.h"

#define MW_TREE_NONE (-1)
#define MW_TREE_GONE (-2) /* the process has ended: it cannot be told */

struct mw_trees {
	int count;
	struct mw_supervisor *tree[MW_MERGE_TREES]; /* NULL: free */
};

/* A process as it was found, and who started it. */
struct mw_member {
	pid_t pid, parent;
	uint64_t start, parent_start; /* 0: not known */
};

/* Takes a copy. Returns its number, -ENOSPC or -ENOMEM. */
int mw_trees_add(struct mw_trees *trees, const struct mw_supervisor *supervisor);
void mw_trees_remove(struct mw_trees *trees, int tree);
void mw_trees_clear(struct mw_trees *trees);

/* The innermost tree that process `pid`, of user `uid`, descends in; whose supervisor is the same
 * user, or root. `start` is that of the process, or 0. Fills `ret` as far as it can. Returns the
 * number of the tree, MW_TREE_NONE or MW_TREE_GONE. */
int mw_trees_find(const struct mw_trees *trees, pid_t pid, uint64_t start, uid_t uid,
                  struct mw_member *ret);

/* Whether the process descends in this very tree. Returns 0, -EACCES when it does not, or -ESRCH
 * when there is no such process. */
int mw_trees_check(const struct mw_trees *trees, int tree, pid_t pid, struct mw_member *ret);

/* Whether this user, or root, supervises anything. */
bool mw_trees_any(const struct mw_trees *trees, uid_t uid);

#endif
