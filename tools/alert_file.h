/* The alerts file: JSON Lines, appended, one write a line. */
#ifndef MW_TOOLS_ALERT_FILE_H
#define MW_TOOLS_ALERT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "write.h"

struct mw_alert_file {
	char *path;
	struct mw_lines_out out; /* its descriptor -1: cannot be opened (yet) */
	bool said;               /* the present trouble has been said on stderr */
	uint64_t lost;           /* alerts since the last loss record */
	int error;               /* why, errno */
};

/* Opens `path` with mode 0600. When that fails it is said, and tried again with each line. Returns
 * 0 or -ENOMEM. */
int mw_alert_file_open(struct mw_alert_file *file, const char *path);

/* Appends `len` bytes, which end in a newline. What cannot be written is counted; once something
 * can be written again, a record of the loss (modelwatch.loss/1) comes first. */
void mw_alert_file_write(struct mw_alert_file *file, const char *line, size_t len);

/* Says what was lost and not recorded, and closes. */
void mw_alert_file_close(struct mw_alert_file *file);

#endif
