#include "daemon_attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python_offsets.h"
#include "python_sites.h"

/* What is kept of a file. */
struct file {
	struct mw_python_sites sites;
	struct mw_py_offsets offsets; /* version 0: the file does not tell */
};

static int examine(void *context, const struct mw_elf *elf, struct mw_found_sites *ret)
{
	struct file *file = calloc(1, sizeof(*file));
	int error;

	(void)context;
	if (!file)
		return -ENOMEM;
	error = mw_python_sites(elf, &file->sites);
	if (error || (!file->sites.count && !file->sites.runtime)) {
		free(file);
		return error;
	}
	if (file->sites.runtime &&
	    mw_python_offsets(file->sites.version, elf, file->sites.runtime, &file->offsets))
		file->offsets.version = 0;
	*ret = (struct mw_found_sites){.sites = file,
	                               .size = sizeof(*file),
	                               .runtime = file->sites.runtime,
	                               .version = file->sites.version};
	return 0;
}

static const struct file *file_of(const struct mw_found_object *object)
{
	return object->found.sites;
}

static int attach(void *context, struct mw_found_object *object)
{
	struct mw_probes *probes = NULL;
	char path[40];
	int error;

	if (!file_of(object)->sites.count)
		return 0; /* an interpreter whose _pickle is a file of its own */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->path_fd);
	error = mw_programs_attach(context, path, &file_of(object)->sites, &probes);
	object->probes = probes;
	return error;
}

static void detach(void *context, struct mw_found_object *object)
{
	if (object->probes)
		mw_programs_detach(context, object->probes);
	object->probes = NULL;
}

/* Where a version is known only by the name of a file, its layout is one of those that are. */
static void process(void *context, const struct mw_found_process *process)
{
	struct mw_py_offsets offsets = file_of(process->object)->offsets;

	if (!offsets.version && mw_python_offsets(process->version, NULL, 0, &offsets))
		return;
	mw_programs_process(context, process->pid, process->runtime, &offsets);
}

static void gone(void *context, pid_t pid, uint64_t start)
{
	(void)start;
	mw_programs_forget(context, pid);
}

void mw_attach_callbacks(struct mw_programs *programs, struct mw_found_options *ret)
{
	*ret = (struct mw_found_options){
	        .context = programs,
	        .examine = examine,
	        .attach = attach,
	        .detach = detach,
	        .process = process,
	        .gone = gone,
	};
}

void mw_attach_count(const struct mw_found_object *object, unsigned int *ret_sites,
                     unsigned int *ret_refused)
{
	const struct mw_python_sites *sites = &file_of(object)->sites;

	if (ret_sites)
		*ret_sites += sites->count;
	if (ret_refused)
		*ret_refused += sites->refused_count;
}
