#include "daemon_offers.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

static const struct {
	const char *section, *prefix;
	uint32_t kind;
} places[] = {
        {"tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF},
        {"fentry/", "", BTF_KIND_FUNC},
        {"lsm/", "bpf_lsm_", BTF_KIND_FUNC},
};

bool mw_kernel_offers(const struct btf *types, const char *name)
{
	char type[128];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		size_t len = strlen(places[i].section);

		if (strncmp(name, places[i].section, len) != 0)
			continue;
		snprintf(type, sizeof(type), "%s%s", places[i].prefix, name + len);
		return btf__find_by_name_kind(types, type, places[i].kind) > 0;
	}
	return true;
}
