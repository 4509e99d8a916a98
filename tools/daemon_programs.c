#include "daemon_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "daemon_offers.h"
#include "daemon_programs_inside.h"
#include "daemon_selftest.h"
#include "daemon_trial.h"
#include "daemon_uprobes.h"
#include "kernel_fs.h"

#define LET_GO_US 20000

const struct mw_program mw_programs_table[MW_PROGRAMS] = {
        {"entry", MW_K_HOOK_ENTRY, "uprobe", true, NULL},
        {"forked", MW_K_HOOK_FORK, "tp_btf", true, NULL},
        {"exited", MW_K_HOOK_EXIT, "tp_btf", true, NULL},
        {"ran", MW_K_HOOK_EXEC, "tp_btf", true, NULL},
        {"will_run", MW_K_HOOK_EXEC, "tp_btf", false, NULL},
        {"begins_to_run", MW_K_HOOK_EXEC, "fentry", false, "will_run"},
        {"signalled", MW_K_HOOK_SIGNAL, "tp_btf", false, NULL},
        {"socket_state", MW_K_HOOK_LISTEN, "tp_btf", false, NULL},
        {"submitted", MW_K_HOOK_URING, "tp_btf", false, NULL},
        {"submitted_entry", MW_K_HOOK_URING, "tp_btf", false, "submitted"},
        {"connects4", MW_K_HOOK_CONNECT, "cgroup", false, NULL},
        {"connects6", MW_K_HOOK_CONNECT, "cgroup", false, NULL},
        {"sends4", MW_K_HOOK_SEND, "cgroup", false, NULL},
        {"sends6", MW_K_HOOK_SEND, "cgroup", false, NULL},
        {"binds4", MW_K_HOOK_BIND, "cgroup", false, NULL},
        {"binds6", MW_K_HOOK_BIND, "cgroup", false, NULL},
        {"makes_socket", MW_K_HOOK_SOCKET, "cgroup", false, NULL},
        {"call_entered", MW_K_HOOK_SYSCALL, "kprobe", false, NULL},
        {"call_left", MW_K_HOOK_SYSCALL, "kprobe", false, NULL},
        {"call_begun", MW_K_HOOK_SYSCALL, "tp_btf", false, NULL},
        {"call_ended", MW_K_HOOK_SYSCALL, "tp_btf", false, NULL},
        {"may_open", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_make", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_make_folder", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_remove_folder", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_remove", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_link_by_name", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_link", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_rename", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_truncate", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_truncate_file", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_change_mode", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_change_owner", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_set_attribute", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_remove_attribute", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_map", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_protect", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_connect", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_bind", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_trace", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_bpf", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_make_namespace", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_make_ring", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_send", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_signal", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_run", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_mount", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_move_mount", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_unmount", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_turn_root", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_limit", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_signal_by_file", MW_K_HOOK_LSM, "lsm", false, NULL},
        {"may_ask", MW_K_HOOK_LSM, "lsm", false, NULL},
};

/* What the verifier says of a program that does not load is of no use to those who run it. */
__attribute__((format(printf, 2, 0))) static int keep_quiet(enum libbpf_print_level level,
                                                            const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN && getenv("MODELWATCH_BPF_LOG"))
		return vfprintf(stderr, format, arguments);
	return 0;
}

static int fail(char *why, size_t size, int error, const char *what)
{
	snprintf(why, size, "%s: %s", what, strerror(-error));
	return error;
}

/* A control group has its inode's number in the kernel. */
static int find_groups(struct mw_programs *p, char *why, size_t why_size)
{
	json_t *path;
	size_t i;

	json_array_foreach(p->options.cgroups, i, path)
	{
		const char *name = json_string_value(path) + 1; /* the slash */
		struct stat st;

		if (p->cgroup < 0 || fstatat(p->cgroup, *name ? name : ".", &st, 0) < 0)
			return fail(why, why_size, p->cgroup < 0 ? p->cgroup : -errno, name);
		p->group[i] = st.st_ino;
	}
	return 0;
}

static void set_up(struct mw_programs *p)
{
	p->bpf->bss->resting = p->options.inherits && mw_heritage_like(p->heritage);
	p->bpf->bss->hold_new = p->options.hold;
	p->bpf->rodata->group_count = (uint32_t)json_array_size(p->options.cgroups);
	memcpy((void *)p->bpf->rodata->groups, p->group, sizeof(p->group));
	for (size_t i = 0; i < p->calls; i++)
		p->bpf->rodata->watched_calls[p->call[i].number] = 1;
	p->bpf->rodata->watched_calls[SYS_execve] = 1;
	p->bpf->rodata->watched_calls[SYS_execveat] = 1;
	bpf_map__set_max_entries(p->bpf->maps.events, p->options.ring_bytes);
	bpf_map__set_max_entries(p->bpf->maps.scratches, 2 * (uint32_t)libbpf_num_possible_cpus());
}

/* Opens the object with the programs that `wanted` says. */
static int open_object(struct mw_programs *p, const bool wanted[static MW_PROGRAMS])
{
	p->bpf = mw_bpf__open();
	if (!p->bpf)
		return -errno;
	for (size_t i = 0; i < MW_PROGRAMS; i++) {
		p->program[i] =
		        bpf_object__find_program_by_name(p->bpf->obj, mw_programs_table[i].name);
		bpf_program__set_autoload(p->program[i], wanted[i]);
	}
	if (p->multi)
		mw_uprobes_prepare(p->program[0]);
	bpf_program__set_autoload(p->bpf->progs.guard, true);
	set_up(p);
	return mw_programs_inherit(p);
}

static int load(struct mw_programs *p, const bool wanted[static MW_PROGRAMS])
{
	int error = open_object(p, wanted);

	if (!error)
		error = mw_bpf__load(p->bpf);
	if (error) {
		mw_bpf__destroy(p->bpf);
		p->bpf = NULL;
	}
	return error;
}

size_t mw_programs_find(const char *name)
{
	size_t i = 0;

	while (strcmp(mw_programs_table[i].name, name))
		i++;
	return i;
}

static int look_for_places(struct mw_programs *p)
{
	struct btf *types = btf__load_vmlinux_btf();
	struct mw_bpf *bpf = types ? mw_bpf__open() : NULL;
	int error = bpf ? 0 : -errno;

	for (size_t i = 0; bpf && i < MW_PROGRAMS; i++)
		p->offered[i] = mw_kernel_offers(
		        types, bpf_program__section_name(bpf_object__find_program_by_name(
		                       bpf->obj, mw_programs_table[i].name)));
	p->asks = types && !mw_trial_lsm(types);
	mw_bpf__destroy(bpf);
	btf__free(types);
	return error;
}

/* Whether the part is to be used; `wanted` says so of those before it. */
static bool is_wanted(struct mw_programs *p, const bool *wanted, size_t i)
{
	if (!p->offered[i])
		p->why[i] = "this kernel does not have it";
	else if (mw_programs_table[i].hook == MW_K_HOOK_LSM && !p->asks)
		p->why[i] = "this kernel asks no program before it does something";
	else if (mw_programs_table[i].instead &&
	         wanted[mw_programs_find(mw_programs_table[i].instead)])
		p->why[i] = "another one does the same";
	return !p->why[i];
}

static bool loads_alone(struct mw_programs *p, size_t i)
{
	bool alone[MW_PROGRAMS] = {false};
	int error;

	alone[i] = true;
	error = load(p, alone);
	mw_bpf__destroy(p->bpf);
	p->bpf = NULL;
	if (error)
		p->why[i] = "this kernel does not load it";
	return !error;
}

/* One that does not load takes all the others with it: then each is tried by itself. */
static int load_what_loads(struct mw_programs *p)
{
	bool wanted[MW_PROGRAMS] = {false};
	int error;

	for (size_t i = 0; i < MW_PROGRAMS; i++)
		wanted[i] = is_wanted(p, wanted, i);
	error = load(p, wanted);
	if (!error)
		return 0;
	memset(p->why, 0, sizeof(p->why));
	for (size_t i = 0; i < MW_PROGRAMS; i++) {
		wanted[i] = is_wanted(p, wanted, i) && loads_alone(p, i);
		if (!wanted[i] && mw_programs_table[i].needed)
			return error;
	}
	return load(p, wanted);
}

void mw_programs_attach_one(struct mw_programs *p, size_t i)
{
	struct bpf_link *link;

	if (!strcmp(mw_programs_table[i].how, "cgroup") && p->cgroup < 0) {
		p->why[i] = "there is no cgroup2 hierarchy";
		return;
	}
	link = strcmp(mw_programs_table[i].how, "cgroup")
	               ? bpf_program__attach(p->program[i])
	               : bpf_program__attach_cgroup(p->program[i], p->cgroup);
	if (libbpf_get_error(link)) {
		p->why[i] = "this kernel does not attach it";
		return;
	}
	p->link[i] = link;
	mw_programs_stay_one(p, i);
}

/* Probes are put into interpreters, and calls looked at while there are some. What refuses is asked
 * while something is to be refused. */
static bool comes_later(size_t i)
{
	return mw_programs_table[i].hook == MW_K_HOOK_ENTRY ||
	       mw_programs_table[i].hook == MW_K_HOOK_SYSCALL ||
	       mw_programs_table[i].hook == MW_K_HOOK_LSM;
}

static int attach_parts(struct mw_programs *p)
{
	for (size_t i = 0; i < MW_PROGRAMS; i++) {
		if (!p->why[i] && !comes_later(i))
			mw_programs_attach_one(p, i);
		if (p->why[i] && mw_programs_table[i].needed)
			return -ENOTSUP;
	}
	return 0;
}

static int fill_calls(struct mw_programs *p)
{
	int fd = bpf_map__fd(p->bpf->maps.calls), error = 0;

	for (size_t i = 0; !error && i < p->calls; i++) {
		uint32_t key = (uint32_t)p->call[i].number + (p->call[i].compat ? MW_K_CALLS : 0);

		error = bpf_map_update_elem(fd, &key, &p->call[i].look, BPF_ANY);
	}
	return error;
}

/* A probe on the function of our own that would notice if it broke anything. */
static int test_probe(struct mw_programs *p)
{
	const struct mw_k_site site = {.kind = MW_K_READER_CLOSE, .convention = MW_K_BY_THIS};
	struct mw_uprobes uprobes = {.count = 1};
	uint32_t number = 0;
	int error = mw_selftest_offset(&uprobes.offset[0]);

	if (!error)
		error = bpf_map_update_elem(bpf_map__fd(p->bpf->maps.sites), &number, &site,
		                            BPF_ANY);
	if (!error)
		error = mw_uprobes_attach(p->program[0], getpid(), "/proc/self/exe", &uprobes);
	if (error)
		return error;
	error = mw_selftest_run();
	mw_uprobes_detach(&uprobes);
	return error;
}

/* Loads the programs, and tries the probe: as one link for a file first. */
static int load_and_test(struct mw_programs *p, char *why, size_t size)
{
	for (int multi = mw_uprobes_can_share(); multi >= 0; multi--) {
		int error;

		p->multi = multi;
		memset(p->why, 0, sizeof(p->why));
		error = load_what_loads(p);
		if (error && multi)
			continue;
		if (error)
			return fail(why, size, error, "the kernel does not load the programs");
		error = test_probe(p);
		if (!error)
			return 0;
		mw_bpf__destroy(p->bpf);
		p->bpf = NULL;
		if (error == -EFAULT || !multi)
			return fail(why, size, error,
			            "a probe in a function of its own failed the self-test: none "
			            "is put into others");
	}
	return -ENOTSUP;
}

int mw_programs_open(const struct mw_programs_options *options, struct mw_programs **ret, char *why,
                     size_t why_size)
{
	struct mw_programs *p = calloc(1, sizeof(*p));
	int error;

	if (!p)
		return fail(why, why_size, -ENOMEM, "no programs in the kernel");
	libbpf_set_print(keep_quiet);
	p->options = *options;
	p->cgroup = mw_kernel_fs("cgroup2");
	p->calls = mw_daemon_calls(p->call, MW_PROGRAMS_CALLS);
	p->site_used[0] = 1; /* the self-test's, and that of no site at all */
	error = find_groups(p, why, why_size);
	if (error)
		goto out;
	error = look_for_places(p);
	if (error) {
		fail(why, why_size, error, "the kernel does not describe its own types");
		goto out;
	}
	error = mw_heritage_open(mw_programs_layout, mw_programs_shared, &p->heritage);
	if (error) {
		fail(why, why_size, error, MW_PINS);
		goto out;
	}
	if (!options->inherits)
		mw_heritage_drop(p->heritage, NULL, true);
	error = load_and_test(p, why, why_size);
	if (error)
		goto out;
	error = mw_programs_take_stock(p);
	if (!error)
		error = fill_calls(p);
	if (!error)
		error = mw_daemon_parts_open(bpf_map__fd(p->bpf->maps.events), options->event,
		                             options->context, &p->assembly);
	if (error) {
		fail(why, why_size, error, "no way to read the kernel's events");
		goto out;
	}
	error = attach_parts(p);
	if (error)
		fail(why, why_size, error, "the kernel does not attach the programs");
out:
	if (error)
		mw_programs_close(p);
	else
		*ret = p;
	return error;
}

void mw_programs_close(struct mw_programs *programs)
{
	if (!programs)
		return;
	if (!programs->leaves)
		mw_pins_remove(&programs->pins);
	if (!programs->leaves && programs->took_over)
		mw_heritage_drop(programs->heritage, NULL, true);
	mw_heritage_close(programs->heritage);
	for (size_t i = 0; i < MW_PROGRAMS; i++)
		bpf_link__destroy(programs->link[i]);
	if (programs->site)
		munmap(programs->site, sizeof(*programs->site) * MW_K_SITES);
	mw_daemon_parts_close(programs->assembly);
	mw_bpf__destroy(programs->bpf);
	if (programs->cgroup >= 0)
		close(programs->cgroup);
	free(programs);
}

void mw_programs_let_go(struct mw_programs *programs)
{
	if (!programs->bpf->bss->hold_new)
		return;
	programs->bpf->bss->hold_new = false;
	usleep(LET_GO_US); /* for those that have read it before */
	mw_programs_poll(programs);
}

int mw_programs_fd(const struct mw_programs *programs)
{
	return mw_daemon_parts_fd(programs->assembly);
}

int mw_programs_poll(struct mw_programs *programs)
{
	return mw_daemon_parts_poll(programs->assembly);
}

int mw_programs_tell_loads(struct mw_programs *programs, bool on)
{
	programs->bpf->bss->wants_loads = on;
	return bpf_map__fd(programs->bpf->maps.loads_begun);
}
