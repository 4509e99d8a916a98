/* What an interpreter's file tells of itself, as the table of objects keeps it. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon_objects.h"
#include "python_offsets.h"

/* What is added to offsets in the file to get the linked addresses of its code. */
static uint64_t code_bias(const struct mw_elf *elf)
{
	for (size_t i = 0; i < elf->load_count; i++)
		if (elf->loads[i].flags & PF_X)
			return elf->loads[i].vaddr - elf->loads[i].offset;
	return 0;
}

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
	python->distance = sites->runtime - code_bias(elf);
	*ret = (struct mw_found_sites){.sites = python,
	                               .size = sizeof(*python),
	                               .runtime = sites->runtime,
	                               .version = sites->version};
	return 0;
}
