/* What the programs have counted. */
#include <string.h>

#include <bpf/bpf.h>

#include "daemon_programs_inside.h"

uint64_t mw_programs_sum(int fd, uint32_t key)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t values[cpus > 0 ? cpus : 1], total = 0;

	if (cpus < 1 || bpf_map_lookup_elem(fd, &key, values))
		return 0;
	for (int i = 0; i < cpus; i++)
		total += values[i];
	return total;
}

static void add_run_time(const struct bpf_program *program, struct mw_programs_hook *ret)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return;
	ret->run_ns += info.run_time_ns;
	ret->run_count += info.run_cnt;
}

void mw_programs_hook(struct mw_programs *programs, enum mw_k_hook hook,
                      struct mw_programs_hook *ret)
{
	int fd = bpf_map__fd(programs->bpf->maps.counters);

	*ret = (struct mw_programs_hook){.how = "off"};
	for (size_t i = 0; i < MW_PROGRAMS; i++) {
		if (mw_programs_table[i].hook != hook)
			continue;
		if (programs->why[i]) {
			ret->why = programs->why[i];
			continue;
		}
		if (hook == MW_K_HOOK_SYSCALL && !programs->link[i]) {
			ret->why = "there is no interpreter to watch, or file_writes is off";
			continue;
		}
		if (hook == MW_K_HOOK_LSM && !programs->link[i]) {
			ret->why = "nothing is to be refused in this mode";
			continue;
		}
		ret->how = mw_programs_table[i].how;
		add_run_time(programs->program[i], ret);
	}
	if (strcmp(ret->how, "off"))
		ret->why = NULL;
	for (uint32_t i = 0; i < MW_K_COUNTERS; i++)
		ret->count[i] = mw_programs_sum(fd, (uint32_t)hook * MW_K_COUNTERS + i);
}

uint64_t mw_programs_loads(struct mw_programs *programs)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < MW_K_ENTRY_COUNT; i++)
		total += mw_programs_sum(bpf_map__fd(programs->bpf->maps.loads), i);
	return total;
}
