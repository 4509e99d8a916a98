/* What an interpreter's file tells of itself, as the table of objects keeps it. */
#include <errno.h>
#include <stdlib.h>

#include "daemon_objects.h"
#include "python_offsets.h"

/* A site that gets no probe is kept too: whoever attaches says so. */
int mw_found_examine(void *context, const struct mw_elf *elf, struct mw_found_sites *ret)
{
	struct mw_found_python *python = calloc(1, sizeof(*python));
	const struct mw_python_sites *sites;
	int r;

	(void)context;
	if (!python)
		return -ENOMEM;
	sites = &python->sites;
	r = mw_python_sites(elf, &python->sites);
	if (r < 0 || (!sites->count && !sites->refused_count && !sites->runtime)) {
		free(python);
		return r;
	}
	if (sites->runtime &&
	    mw_python_offsets(sites->version, elf, sites->runtime, &python->offsets))
		python->offsets.version = 0;
	*ret = (struct mw_found_sites){.sites = python,
	                               .size = sizeof(*python),
	                               .runtime = sites->runtime,
	                               .version = sites->version};
	return 0;
}
