/* What an alert's effect is called by MITRE: ATT&CK techniques, and those of ATLAS, which is about
 * machine learning. docs/alerts.md has the table. */
#ifndef MW_COURIER_TECHNIQUES_H
#define MW_COURIER_TECHNIQUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/words.h"

struct mw_technique {
	bool is_atlas;
	const char *tactic, *tactic_name;
	const char *id, *name;
	const char *sub, *sub_name; /* NULL: the technique itself */
	const char *ocsf;           /* an object `attack` of OCSF, as text */
};

/* What techniques are told by; texts that are not known are NULL, a class or cause -1. */
struct mw_deed {
	int class, cause; /* enum mw_class, enum mw_cause */
	const char *op;
	const char *program; /* exec: without its directory */
	const char *path;    /* the file that is meant: of exec, the program's */
	const char *target;  /* tamper, code: what is named */
	int port;            /* -1: none */
	bool from_hub;       /* the artifact lies in a cache of models */
};

/* A bit for each technique, by its place in the table. */
uint64_t mw_techniques(const struct mw_deed *deed);

/* The technique of a bit; NULL beyond the last. */
const struct mw_technique *mw_technique(unsigned int bit);

#endif
