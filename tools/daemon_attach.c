#include "daemon_attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "python_offsets.h"

static const struct mw_found_python *file_of(const struct mw_found_object *object)
{
	return object->found.sites;
}

static int attach(void *context, struct mw_found_object *object)
{
	struct mw_attach *to = context;
	struct mw_probes *probes = NULL;
	char path[40];
	int error;

	if (file_of(object)->sites.runtime && file_of(object)->offsets.version)
		mw_programs_runtime(to->programs, object->dev, object->ino,
		                    file_of(object)->distance, &file_of(object)->offsets);
	if (!file_of(object)->sites.count)
		return 0; /* an interpreter whose _pickle is a file of its own */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->path_fd);
	error = mw_programs_attach(to->programs, path, &file_of(object)->sites, &probes);
	object->probes = probes;
	return error;
}

static void detach(void *context, struct mw_found_object *object)
{
	struct mw_attach *from = context;

	mw_programs_no_runtime(from->programs, object->dev, object->ino);
	if (object->probes)
		mw_programs_detach(from->programs, object->probes);
	object->probes = NULL;
}

/* Where a version is known only by the name of a file, its layout is one of those that are. */
static void process(void *context, const struct mw_found_process *process)
{
	struct mw_attach *to = context;
	struct mw_py_offsets offsets = file_of(process->object)->offsets;

	mw_identity_note(to->identities, process->pid);
	mw_daemon_judge_meet(to->judge, process->pid);
	if (!offsets.version && mw_python_offsets(process->version, NULL, 0, &offsets))
		return;
	mw_programs_process(to->programs, process->pid, process->runtime, &offsets);
}

static void gone(void *context, pid_t pid, uint64_t start)
{
	struct mw_attach *from = context;

	(void)start;
	mw_programs_forget(from->programs, pid);
}

void mw_attach_callbacks(struct mw_attach *attach_to, struct mw_found_options *ret)
{
	*ret = (struct mw_found_options){
	        .context = attach_to,
	        .examine = mw_found_examine,
	        .attach = attach,
	        .detach = detach,
	        .process = process,
	        .gone = gone,
	};
}

void mw_attach_count(const struct mw_found_object *object, unsigned int *ret_sites,
                     unsigned int *ret_refused, unsigned int *ret_usdt)
{
	const struct mw_python_sites *sites = &file_of(object)->sites;

	*ret_refused += sites->refused_count;
	for (uint32_t i = 0; i < sites->count; i++) {
		bool attached = mw_programs_is_attached(object->probes, i);

		*ret_sites += attached;
		*ret_refused += !attached;
		*ret_usdt += attached && sites->site[i].convention == MW_BY_USDT;
	}
}
