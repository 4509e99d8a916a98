/* The file that a load reads, as the monitor finds it. */
#ifndef MW_TOOLS_ARTIFACT_H
#define MW_TOOLS_ARTIFACT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "../core/wire.h"

#define MW_MODEL_TEXT 256

/* What a path in a model cache says; empty: it does not say. */
struct mw_model {
	const char *hub; /* NULL: no path of a cache that is known */
	char repo[MW_MODEL_TEXT], revision[MW_MODEL_TEXT];
};

struct mw_artifact {
	char path[PATH_MAX]; /* absolute, as the process names it; empty: not known */
	struct mw_model model;
	int fd; /* negative: cannot be read */
	struct stat status;
};

/* Finds the artifact of `load` of process `pid`. Never fails: what cannot be found stays empty.
 * Release with mw_artifact_close(). */
void mw_artifact_open(pid_t pid, const struct mw_record_load *load, struct mw_artifact *ret);
void mw_artifact_close(struct mw_artifact *artifact);

/* What `path` says of the model: huggingface_hub's .../models--ORG--NAME/snapshots/REVISION/FILE.
 */
void mw_model_of(const char *path, struct mw_model *ret);

#endif
