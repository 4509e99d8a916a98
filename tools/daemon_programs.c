#include "daemon_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "../ebpf/config.h"
#include "daemon_call_probes.h"
#include "daemon_calls.h"
#include "daemon_offers.h"
#include "daemon_parts.h"
#include "daemon_selftest.h"
#include "daemon_uprobes.h"
#include "kernel_fs.h"
#include "modelwatch.skel.h"

#define LET_GO_US 20000
#define CALLS 256

/* One program of the object, and which hook it belongs to. One that stands in for another, which
 * comes before it, is used where that one cannot be. */
struct part {
	const char *name;
	enum mw_k_hook hook;
	const char *how;
	bool needed;
	const char *instead;
};

static const struct part parts[] = {
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
};
#define PARTS (sizeof(parts) / sizeof(*parts))

struct mw_programs {
	struct mw_programs_options options;
	struct mw_bpf *bpf;
	struct mw_daemon_parts *assembly;
	struct bpf_program *program[PARTS];
	struct bpf_link *link[PARTS];
	const char *why[PARTS]; /* it is off; NULL: it is on */
	bool offered[PARTS];    /* there is something that it could be put on */
	int cgroup;
	bool calls_on;
	bool multi; /* all probes of a file are one link */
	struct mw_daemon_call call[CALLS];
	size_t calls;
	uint8_t site_used[MW_K_SITES];
	uint32_t next_site;
	struct mw_py_offsets python[MW_K_PYTHONS];
	uint32_t pythons;
};

struct mw_probes {
	struct mw_uprobes uprobes;
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

static void set_up(struct mw_programs *p)
{
	p->bpf->rodata->daemon_tgid = (uint32_t)getpid();
	p->bpf->bss->hold_new = p->options.hold;
	for (size_t i = 0; i < p->calls; i++)
		p->bpf->rodata->watched_calls[p->call[i].number] = 1;
	p->bpf->rodata->watched_calls[SYS_execve] = 1;
	p->bpf->rodata->watched_calls[SYS_execveat] = 1;
	bpf_map__set_max_entries(p->bpf->maps.events, p->options.ring_bytes);
	bpf_map__set_max_entries(p->bpf->maps.scratches, 2 * (uint32_t)libbpf_num_possible_cpus());
}

/* Opens the object with the programs that `wanted` says. */
static int open_object(struct mw_programs *p, const bool wanted[static PARTS])
{
	p->bpf = mw_bpf__open();
	if (!p->bpf)
		return -errno;
	for (size_t i = 0; i < PARTS; i++) {
		p->program[i] = bpf_object__find_program_by_name(p->bpf->obj, parts[i].name);
		bpf_program__set_autoload(p->program[i], wanted[i]);
	}
	if (p->multi)
		mw_uprobes_prepare(p->program[0]);
	set_up(p);
	return 0;
}

static int load(struct mw_programs *p, const bool wanted[static PARTS])
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

static size_t find(const char *name)
{
	size_t i = 0;

	while (strcmp(parts[i].name, name))
		i++;
	return i;
}

static int look_for_places(struct mw_programs *p)
{
	struct btf *types = btf__load_vmlinux_btf();
	struct mw_bpf *bpf = types ? mw_bpf__open() : NULL;
	int error = bpf ? 0 : -errno;

	for (size_t i = 0; bpf && i < PARTS; i++)
		p->offered[i] = mw_kernel_offers(
		        types, bpf_program__section_name(
		                       bpf_object__find_program_by_name(bpf->obj, parts[i].name)));
	mw_bpf__destroy(bpf);
	btf__free(types);
	return error;
}

/* Whether the part is to be used; `wanted` says so of those before it. */
static bool is_wanted(struct mw_programs *p, const bool *wanted, size_t i)
{
	if (!p->offered[i])
		p->why[i] = "this kernel does not have it";
	else if (parts[i].instead && wanted[find(parts[i].instead)])
		p->why[i] = "another one does the same";
	return !p->why[i];
}

static bool loads_alone(struct mw_programs *p, size_t i)
{
	bool alone[PARTS] = {false};
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
	bool wanted[PARTS];
	int error;

	for (size_t i = 0; i < PARTS; i++)
		wanted[i] = is_wanted(p, wanted, i);
	error = load(p, wanted);
	if (!error)
		return 0;
	memset(p->why, 0, sizeof(p->why));
	for (size_t i = 0; i < PARTS; i++) {
		wanted[i] = is_wanted(p, wanted, i) && loads_alone(p, i);
		if (!wanted[i] && parts[i].needed)
			return error;
	}
	return load(p, wanted);
}

static void attach_part(struct mw_programs *p, size_t i)
{
	struct bpf_link *link;

	if (!strcmp(parts[i].how, "cgroup") && p->cgroup < 0) {
		p->why[i] = "there is no cgroup2 hierarchy";
		return;
	}
	link = strcmp(parts[i].how, "cgroup")
	               ? bpf_program__attach(p->program[i])
	               : bpf_program__attach_cgroup(p->program[i], p->cgroup);
	if (libbpf_get_error(link))
		p->why[i] = "this kernel does not attach it";
	else
		p->link[i] = link;
}

/* Probes are put into interpreters, and calls looked at while there are some. */
static bool comes_later(size_t i)
{
	return parts[i].hook == MW_K_HOOK_ENTRY || parts[i].hook == MW_K_HOOK_SYSCALL;
}

static int attach_parts(struct mw_programs *p)
{
	for (size_t i = 0; i < PARTS; i++) {
		if (!p->why[i] && !comes_later(i))
			attach_part(p, i);
		if (p->why[i] && parts[i].needed)
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
	p->calls = mw_daemon_calls(p->call, CALLS);
	p->site_used[0] = 1; /* the self-test's, and that of no site at all */
	error = look_for_places(p);
	if (error) {
		fail(why, why_size, error, "the kernel does not describe its own types");
		goto out;
	}
	error = load_and_test(p, why, why_size);
	if (error)
		goto out;
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
	for (size_t i = 0; i < PARTS; i++)
		bpf_link__destroy(programs->link[i]);
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

static int take_number(struct mw_programs *p, uint32_t *ret)
{
	for (uint32_t i = 0; i < MW_K_SITES; i++) {
		uint32_t number = (p->next_site + i) % MW_K_SITES;

		if (p->site_used[number])
			continue;
		p->site_used[number] = 1;
		p->next_site = number + 1;
		*ret = number;
		return 0;
	}
	return -ENOSPC;
}

/* Strings got eight bytes shorter with 3.12. What the process itself is known to run counts more.
 * 0: nothing is known. */
static uint32_t text_offset(uint32_t version)
{
	if (!version)
		return 0;
	return version < 0x030c ? 48 : 40;
}

static void translate(const struct mw_site *from, uint32_t version, struct mw_k_site *to)
{
	*to = (struct mw_k_site){
	        .kind = from->kind,
	        .convention = from->convention,
	        .text = text_offset(version),
	        .takes_path = from->takes_path,
	        .skip = from->skip,
	};
	for (uint32_t i = 0; i < MW_K_BODIES && i < from->body_count; i++) {
		to->from[i] = from->body[i].from;
		to->to[i] = from->body[i].to;
		for (int j = 0; j < MW_K_BELOW; j++)
			to->below[i][j] = (uint8_t)(from->body[i].below[j] / 8);
	}
}

/* Enters the sites under numbers of their own. */
static int number_sites(struct mw_programs *p, const struct mw_python_sites *sites,
                        struct mw_uprobes *ret)
{
	int fd = bpf_map__fd(p->bpf->maps.sites), error = 0;

	for (uint32_t i = 0; !error && i < sites->count && ret->count < MW_UPROBES_MAX; i++) {
		struct mw_k_site look;
		uint32_t number;

		if (sites->site[i].kind == MW_K_USDT_AUDIT)
			continue;
		error = take_number(p, &number);
		if (error)
			break;
		translate(&sites->site[i], sites->version, &look);
		ret->offset[ret->count] = sites->site[i].offset;
		ret->cookie[ret->count++] = number;
		error = bpf_map_update_elem(fd, &number, &look, BPF_ANY);
	}
	return error;
}

static void forget_sites(struct mw_programs *p, const struct mw_uprobes *uprobes)
{
	for (size_t i = 0; i < uprobes->count; i++)
		p->site_used[uprobes->cookie[i]] = 0;
}

int mw_programs_attach(struct mw_programs *programs, const char *path,
                       const struct mw_python_sites *sites, struct mw_probes **ret)
{
	struct mw_probes *probes = calloc(1, sizeof(*probes));
	int error;

	if (!probes)
		return -ENOMEM;
	error = number_sites(programs, sites, &probes->uprobes);
	if (!error)
		error = mw_uprobes_attach(programs->program[0], 0, path, &probes->uprobes);
	if (error) {
		forget_sites(programs, &probes->uprobes);
		free(probes);
		return error;
	}
	*ret = probes;
	return 0;
}

void mw_programs_detach(struct mw_programs *programs, struct mw_probes *probes)
{
	mw_uprobes_detach(&probes->uprobes);
	forget_sites(programs, &probes->uprobes);
	free(probes);
}

bool mw_programs_is_body(const struct mw_programs *programs, uint32_t number, int64_t at)
{
	struct mw_k_site site;

	if (number >= MW_K_SITES ||
	    bpf_map_lookup_elem(bpf_map__fd(programs->bpf->maps.sites), &number, &site))
		return false;
	for (int i = 0; i < MW_K_BODIES; i++)
		if (at >= site.from[i] && at < site.to[i])
			return true;
	return false;
}

static int python_of(struct mw_programs *p, const struct mw_py_offsets *offsets, uint32_t *ret)
{
	for (*ret = 0; *ret < p->pythons; ++*ret)
		if (!memcmp(&p->python[*ret], offsets, sizeof(*offsets)))
			return 0;
	if (p->pythons == MW_K_PYTHONS)
		return -ENOSPC;
	p->python[p->pythons++] = *offsets;
	return bpf_map_update_elem(bpf_map__fd(p->bpf->maps.pythons), ret, offsets, BPF_ANY);
}

int mw_programs_process(struct mw_programs *programs, pid_t pid, uint64_t runtime,
                        const struct mw_py_offsets *offsets)
{
	struct mw_k_process process = {.runtime = runtime};
	uint32_t key = (uint32_t)pid;
	int error = python_of(programs, offsets, &process.python);

	return error ? error
	             : bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.processes), &key,
	                                   &process, BPF_ANY);
}

void mw_programs_forget(struct mw_programs *programs, pid_t pid)
{
	uint32_t key = (uint32_t)pid;

	bpf_map_delete_elem(bpf_map__fd(programs->bpf->maps.processes), &key);
}

/* What is not used has a reason, too. */
static void say_other(struct mw_programs *p, const char *first, const char *second, const char *why)
{
	size_t a = find(first), b = find(second);

	if (!p->why[a])
		p->why[a] = why;
	if (!p->why[b])
		p->why[b] = why;
}

static int probe_calls(struct mw_programs *p)
{
	size_t in = find("call_entered"), out = find("call_left");

	if (p->why[in] || p->why[out] || p->options.tracepoints)
		return -ENOTSUP;
	return mw_call_probes(p->call, p->calls, p->program[in], p->program[out], &p->link[in],
	                      &p->link[out]);
}

static int trace_calls(struct mw_programs *p)
{
	size_t in = find("call_begun"), out = find("call_ended");

	if (p->why[in] || p->why[out])
		return -ENOTSUP;
	attach_part(p, in);
	attach_part(p, out);
	return p->link[in] && p->link[out] ? 0 : -ENOTSUP;
}

/* Probes on the calls cost who makes them; tracepoints every call of every task. */
int mw_programs_calls(struct mw_programs *programs, bool on)
{
	int error = 0;

	if (programs->calls_on == on)
		return 0;
	programs->calls_on = on;
	for (size_t i = 0; !on && i < PARTS; i++) {
		if (parts[i].hook != MW_K_HOOK_SYSCALL)
			continue;
		bpf_link__destroy(programs->link[i]);
		programs->link[i] = NULL;
	}
	if (!on)
		return 0;
	if (!probe_calls(programs)) {
		say_other(programs, "call_begun", "call_ended", "probes do the same for less");
		return 0;
	}
	error = trace_calls(programs);
	say_other(programs, "call_entered", "call_left",
	          programs->options.tracepoints ? "tracepoints are asked for"
	                                        : "this kernel does not attach it");
	return error;
}

int mw_programs_secrets(struct mw_programs *programs, const char *const *names, size_t count)
{
	int fd = bpf_map__fd(programs->bpf->maps.secret_names), error = 0;
	char key[MW_K_NAME], none[MW_K_NAME];
	uint32_t value = 1;

	memset(none, 0, sizeof(none));
	while (!bpf_map_get_next_key(fd, NULL, key))
		if (bpf_map_delete_elem(fd, key))
			break;
	for (size_t i = 0; !error && i < count; i++) {
		memcpy(key, none, sizeof(key));
		memcpy(key, names[i], strnlen(names[i], sizeof(key) - 1));
		error = bpf_map_update_elem(fd, key, &value, BPF_ANY);
	}
	return error;
}

void mw_programs_known(struct mw_programs *programs, const struct mw_k_exec *program)
{
	const struct mw_k_program key = {.ino = program->ino, .dev = program->dev};
	uint32_t value = 1;

	bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.known_programs), &key, &value, BPF_ANY);
}

static uint64_t sum(int fd, uint32_t key)
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
	for (size_t i = 0; i < PARTS; i++) {
		if (parts[i].hook != hook)
			continue;
		if (programs->why[i]) {
			ret->why = programs->why[i];
			continue;
		}
		if (hook == MW_K_HOOK_SYSCALL && !programs->link[i]) {
			ret->why = "there is no interpreter to watch, or file_writes is off";
			continue;
		}
		ret->how = parts[i].how;
		add_run_time(programs->program[i], ret);
	}
	if (strcmp(ret->how, "off"))
		ret->why = NULL;
	for (uint32_t i = 0; i < MW_K_COUNTERS; i++)
		ret->count[i] = sum(fd, (uint32_t)hook * MW_K_COUNTERS + i);
}

uint64_t mw_programs_loads(struct mw_programs *programs)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < MW_K_ENTRY_COUNT; i++)
		total += sum(bpf_map__fd(programs->bpf->maps.loads), i);
	return total;
}
