/* Loading functions that people call: what an alert names as the entry point of a load, found among
 * the Python frames outside it, in which the stream has no say. */
#ifndef MW_CORE_CALLERS_H
#define MW_CORE_CALLERS_H

struct mw_caller {
	const char *file;     /* the end of its file's name */
	const char *function; /* its name, without the class */
	const char *argument; /* where the artifact stands; NULL: nowhere */
	const char *entry;    /* "torch.load" */
};

/* The loading function called `function` of the file at `path`, or NULL when it is none. Whether
 * the file is what it says is the caller's to know. Pure; no allocation. */
const struct mw_caller *mw_caller_find(const char *path, const char *function);

#endif
