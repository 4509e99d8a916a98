/* Programs that are started in a load, or by what a load has started. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/variables.h"
#include "daemon_matter.h"
#include "identity.h"
#include "tasks.h"

#define ENVIRONMENT 32768
#define ARGUMENTS                                                                                  \
	3072 /* bytes, behind which the kernel takes none that is yet to start a program */

static void take_argv(struct mw_daemon_matter *m)
{
	struct mw_str all = mw_k_text(m->k, m->k->argv);
	uint32_t at = 0;

	m->effect.argv = m->argv;
	while (at < all.len && m->effect.argc < MW_WIRE_ARGS) {
		uint32_t len = (uint32_t)strnlen(all.s + at, all.len - at);
		const char *arg = mw_daemon_text(m, (struct mw_str){all.s + at, len});

		if (!arg)
			break;
		m->argv[m->effect.argc++] = arg;
		m->effect.argv_cut |= m->load && len >= MW_K_TEXT - 1;
		at += len;
		if (at == all.len)
			m->effect.argv_cut = true; /* its end is not there */
		at++;
	}
	m->effect.argv_cut |= at < all.len || (m->load && all.len > ARGUMENTS);
}

/* Nobody but root can put another program there. */
static bool is_roots(const struct mw_daemon_matter *m, const char *path)
{
	const struct mw_k_path *file = &m->k->file;
	char directory[PATH_MAX + 40];
	struct stat st;
	int n = snprintf(directory, sizeof(directory), "/proc/%d/root%s", (int)m->pid, path);

	if (file->owner || (file->mode & (S_IWGRP | S_IWOTH)) || n < 0 ||
	    (size_t)n >= sizeof(directory))
		return false;
	*strrchr(directory, '/') = '\0';
	if (stat(directory, &st)) /* it has gone: seen from here, then */
		snprintf(directory, sizeof(directory), "%.*s",
		         (int)(strrchr(path, '/') - path) + (strrchr(path, '/') == path), path);
	return !stat(directory, &st) && !st.st_uid && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static const char *find_variable(const char *all, size_t len, const char *entry)
{
	size_t name = strcspn(entry, "=") + 1;

	for (size_t at = 0; at < len; at += strlen(all + at) + 1)
		if (!strncmp(all + at, entry, name))
			return all + at;
	return NULL;
}

/* Whether a program has the variables of its loader as its parent was given them. Who has gone
 * cannot be asked: then it does, unless the stream can have reached them. */
static bool keeps_environment(const struct mw_daemon_matter *m)
{
	static char own[ENVIRONMENT], above[ENVIRONMENT];
	struct mw_task task;
	size_t len, above_len;

	if (mw_task_read(m->pid, &task) < 0 ||
	    !(len = mw_proc_read(m->pid, "environ", own, sizeof(own))) ||
	    !(above_len = mw_proc_read(task.parent, "environ", above, sizeof(above))))
		return !m->globals.makes_code;
	for (size_t at = 0; at < len; at += strlen(own + at) + 1) {
		const char *other;

		if (!mw_is_loaders(own + at))
			continue;
		other = find_variable(above, above_len, own + at);
		if (!other || strcmp(other, own + at) != 0)
			return false;
	}
	return len < sizeof(own) - 1 && above_len < sizeof(above) - 1;
}

/* Whether it is the program that the load runs in, as its own interpreter is. */
static bool is_interpreter(const struct mw_daemon_matter *m)
{
	const struct mw_k_program *program = m->birth ? &m->birth->program : &m->k->program;

	return (m->birth || m->load) && program->ino && m->k->file.ino == program->ino &&
	       m->k->file.dev == program->dev;
}

bool mw_daemon_program_effect(struct mw_daemon_matter *m)
{
	struct mw_effect *effect = &m->effect;

	effect->target = mw_daemon_text(m, mw_k_text(m->k, m->k->path));
	effect->file = mw_daemon_path(m, &m->k->file);
	if (!effect->target)
		effect->target = effect->file;
	if (mw_k_has_file(&m->k->file))
		effect->owner = (uint64_t)m->k->file.owner + 1;
	take_argv(m);
	return true;
}

void mw_daemon_program_facts(struct mw_daemon_matter *m)
{
	struct mw_effect *effect = &m->effect;

	if (effect->file && is_roots(m, effect->file) && keeps_environment(m))
		effect->facts |= MW_FACT_PINNED;
	if (is_interpreter(m))
		effect->facts |= MW_FACT_INTERPRETER;
}
