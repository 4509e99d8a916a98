/* What the programs are told while they run: whether to look at system calls, which files may be
 * secrets, which programs are known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "daemon_call_probes.h"
#include "daemon_names.h"
#include "daemon_programs_inside.h"
#include "daemon_refusals.h"

/* What is not used has a reason, too. */
static void say_other(struct mw_programs *p, const char *first, const char *second, const char *why)
{
	size_t a = mw_programs_find(first), b = mw_programs_find(second);

	if (!p->why[a])
		p->why[a] = why;
	if (!p->why[b])
		p->why[b] = why;
}

static int probe_calls(struct mw_programs *p)
{
	size_t in = mw_programs_find("call_entered"), out = mw_programs_find("call_left");
	int error;

	if (p->why[in] || p->why[out] || p->options.tracepoints)
		return -ENOTSUP;
	error = mw_call_probes(p->call, p->calls, p->program[in], p->program[out], &p->link[in],
	                       &p->link[out]);
	if (error)
		return error;
	mw_programs_stay_one(p, in);
	mw_programs_stay_one(p, out);
	return 0;
}

static int trace_calls(struct mw_programs *p)
{
	size_t in = mw_programs_find("call_begun"), out = mw_programs_find("call_ended");

	if (p->why[in] || p->why[out])
		return -ENOTSUP;
	mw_programs_attach_one(p, in);
	mw_programs_attach_one(p, out);
	return p->link[in] && p->link[out] ? 0 : -ENOTSUP;
}

/* What is refused is told of by who looks at calls. Once they are there they stay: taking one away
 * takes the kernel so long that nothing else would be done meanwhile. */
static void ask_programs(struct mw_programs *p)
{
	if (!p->bpf->bss->enforces || !p->calls_seen)
		return;
	for (size_t i = 0; i < MW_PROGRAMS; i++)
		if (mw_programs_table[i].hook == MW_K_HOOK_LSM && !p->why[i] && !p->link[i])
			mw_programs_attach_one(p, i);
}

static int look_at_calls(struct mw_programs *p)
{
	int error = probe_calls(p);

	if (!error) {
		say_other(p, "call_begun", "call_ended", "probes do the same for less");
		return 0;
	}
	error = trace_calls(p);
	say_other(p, "call_entered", "call_left",
	          p->options.tracepoints ? "tracepoints are asked for"
	                                 : "this kernel does not attach it");
	return error;
}

static void look_away(struct mw_programs *p)
{
	for (size_t i = 0; i < MW_PROGRAMS; i++) {
		if (mw_programs_table[i].hook != MW_K_HOOK_SYSCALL)
			continue;
		mw_pins_take(&p->pins, mw_programs_table[i].name);
		bpf_link__destroy(p->link[i]);
		p->link[i] = NULL;
	}
}

/* Probes on the calls cost who makes them; tracepoints every call of every task. */
int mw_programs_calls(struct mw_programs *programs, bool on)
{
	int error = 0;

	if (programs->calls_on == on)
		return 0;
	programs->calls_on = on;
	programs->calls_seen = false;
	if (!on) {
		look_away(programs);
		return 0;
	}
	error = look_at_calls(programs);
	programs->calls_seen = !error;
	ask_programs(programs);
	return error;
}

static void tell_name(void *context, const char *key, uint32_t facts)
{
	const struct mw_programs *p = context;
	char name[MW_K_GLOBAL] = "";

	memcpy(name, key, strnlen(key, sizeof(name) - 1));
	bpf_map_update_elem(bpf_map__fd(p->bpf->maps.names), name, &facts, BPF_NOEXIST);
}

int mw_programs_refuse(struct mw_programs *programs, const struct mw_policy *policy)
{
	int fd = bpf_map__fd(programs->bpf->maps.refusals), error = 0;
	struct mw_k_refusal *all = calloc(MW_REFUSALS, sizeof(*all));

	if (!all)
		return -ENOMEM;
	if (policy)
		mw_daemon_refusals(policy, all);
	mw_daemon_names(tell_name, programs);
	for (uint32_t i = 0; !error && i < MW_REFUSALS; i++)
		error = bpf_map_update_elem(fd, &i, &all[i], BPF_ANY);
	free(all);
	programs->bpf->bss->enforces = !error && policy;
	ask_programs(programs);
	mw_programs_stay(programs, programs->bpf->bss->enforces);
	return error;
}

const char *mw_programs_unasked(const struct mw_programs *programs)
{
	return programs->why[mw_programs_find("may_open")];
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
