#include "daemon_call_probes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#define SYMBOLS 512
#define SYMBOL 64

struct symbols {
	char name[SYMBOLS][SYMBOL];
	const char *list[SYMBOLS];
	size_t count;
};

static bool is_entry(const char *symbol, const struct mw_daemon_call *call)
{
	static const char *const wide[] = {"__x64_sys_", "__arm64_sys_"};
	static const char *const narrow[] = {"__ia32_sys_", "__ia32_compat_sys_"};
	const char *const *prefix = call->compat ? narrow : wide;

	for (int i = 0; i < 2; i++) {
		size_t len = strlen(prefix[i]);

		if (!strncmp(symbol, prefix[i], len) && !strcmp(symbol + len, call->name))
			return true;
	}
	return false;
}

static bool is_wanted(const char *symbol, const struct mw_daemon_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_entry(symbol, &calls[i]))
			return true;
	return false;
}

/* Of the calls that this kernel has: one that it has not would take the others with it. */
static int find_symbols(const struct mw_daemon_call *calls, size_t count, struct symbols *ret)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], symbol[SYMBOL], type;

	if (!file)
		return -errno;
	while (ret->count < SYMBOLS && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %c %63s", &type, symbol) != 2 ||
		    (type != 'T' && type != 't') || strncmp(symbol, "__", 2) ||
		    !is_wanted(symbol, calls, count))
			continue;
		memcpy(ret->name[ret->count], symbol, sizeof(symbol));
		ret->list[ret->count] = ret->name[ret->count];
		ret->count++;
	}
	fclose(file);
	return ret->count ? 0 : -ENOENT;
}

static int attach(const struct bpf_program *program, const struct symbols *symbols, bool returns,
                  struct bpf_link **ret)
{
	LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = (const char **)(uintptr_t)symbols->list,
	            .cnt = symbols->count, .retprobe = returns);
	struct bpf_link *link = bpf_program__attach_kprobe_multi_opts(program, NULL, &opts);

	if (libbpf_get_error(link))
		return -errno;
	*ret = link;
	return 0;
}

int mw_call_probes(const struct mw_daemon_call *calls, size_t count,
                   const struct bpf_program *entered, const struct bpf_program *left,
                   struct bpf_link **ret_entered, struct bpf_link **ret_left)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));
	int error = symbols ? find_symbols(calls, count, symbols) : -ENOMEM;

	if (!error)
		error = attach(left, symbols, true, ret_left);
	if (!error)
		error = attach(entered, symbols, false, ret_entered);
	if (error) {
		bpf_link__destroy(*ret_left);
		*ret_left = NULL;
	}
	free(symbols);
	return error;
}
