/* What no load may touch, said to the kernel by descriptors: it has numbers of its own for files.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "daemon_programs_inside.h"

static int say(struct mw_programs *p, int fd, uint32_t kind)
{
	struct mw_k_guard what = {.fd = fd, .kind = kind, .round = p->round};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &what, .ctx_size_in = sizeof(what));

	return bpf_prog_test_run_opts(bpf_program__fd(p->bpf->progs.guard), &run);
}

int mw_programs_sign(struct mw_programs *p)
{
	return say(p, -1, 0);
}

static void say_path(struct mw_programs *p, const char *path, uint32_t kind)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return;
	say(p, fd, kind);
	close(fd);
}

/* And the folders that it lies in: whoever moves one, or mounts something there, moves it. */
void mw_programs_guard(struct mw_programs *programs, const char *path)
{
	char real[PATH_MAX], *slash;

	if (!realpath(path, real))
		return;
	say_path(programs, real, MW_K_GUARD_ITSELF);
	while ((slash = strrchr(real, '/'))) {
		slash[slash == real] = '\0';
		say_path(programs, real, MW_K_GUARD_ABOVE);
		if (slash == real)
			break;
	}
}

void mw_programs_guarded(struct mw_programs *programs)
{
	int fd = bpf_map__fd(programs->bpf->maps.guarded);
	struct mw_k_program key, next;
	struct mw_k_guarded value;
	int end = bpf_map_get_next_key(fd, NULL, &key);

	while (!end) {
		end = bpf_map_get_next_key(fd, &key, &next);
		if (!bpf_map_lookup_elem(fd, &key, &value) && value.round != programs->round)
			bpf_map_delete_elem(fd, &key);
		key = next;
	}
	programs->round++;
}
