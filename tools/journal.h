/* Where alerts are kept when nobody names a file. */
#ifndef MW_TOOLS_JOURNAL_H
#define MW_TOOLS_JOURNAL_H

#include <stddef.h>

/* The path of the user's journal, ${XDG_STATE_HOME:-$HOME/.local/state}/modelwatch/alerts.jsonl, in
 * `out`. As the XDG rules have it, a directory that is not absolute counts as not set. Returns 0,
 * -ENOENT when neither variable names a directory, or -ENAMETOOLONG; `out` then means nothing. */
int mw_journal_path(char *out, size_t size);

#define MW_JOURNAL_MAX (64 << 20) /* bytes */

/* Makes the directories of `path` for this user alone, and puts a journal that has grown beyond
 * MW_JOURNAL_MAX aside as `path`.1. What fails shows when the journal is opened. */
void mw_journal_prepare(const char *path);

#endif
