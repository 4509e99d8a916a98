/* The file system calls that can be taken from a task, and where their arguments are. */
#ifndef MW_TOOLS_FLOOR_TABLE_H
#define MW_TOOLS_FLOOR_TABLE_H

#include "floor_files.h"

/* The numbers are indices of arguments, -1 for what a call does not have. */
struct mw_floor_row {
	int number;
	const char *op;
	enum mw_floor_act act;
	signed char dir, path; /* without a path, `dir` is the descriptor that the call is about */
	signed char dir2, path2;
	signed char text; /* a link's text, or an attribute's name with value and size after it */
	signed char mode, flags;
	signed char rest; /* two numbers that only the kernel needs */
	unsigned fixed;   /* flags that the call always has, */
	unsigned valid;   /* and those that it may have */
	bool nofollow;    /* a link in the last part is meant itself */
};

/* The row of a system call of our architecture, or NULL. */
const struct mw_floor_row *mw_floor_row(int number);

#endif
