/* Effects on memory and on the process itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim.h"

bool mw_refuse_memory(const char *op, int prot, int flags, int fd, const void *caller)
{
	char link[40], target[512] = "";
	struct mw_effect effect = {.class = MW_MAP, .op = op, .number = prot};
	ssize_t n = 0;

	if (!(prot & PROT_EXEC) || mw_announced(MW_MAP, NULL))
		return false;
	if (fd >= 0 && !(flags & MAP_ANONYMOUS)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof(target) - 1);
	}
	if (n > 0) {
		target[n] = '\0';
		effect.target = target;
		effect.facts = mw_trusted(target) ? MW_FACT_INSTALLED : 0;
	} else {
		effect.facts = MW_FACT_ANONYMOUS;
	}
	return mw_refused(&effect, false, caller);
}

/* A name without a slash is found by the loader in its own directories; NULL is the program. */
bool mw_refuse_library(const char *op, const char *path, const void *caller)
{
	struct mw_effect effect = {.class = MW_MAP, .op = op, .target = path};

	if (!path || mw_announced(MW_MAP, path))
		return false;
	if (!strchr(path, '/') || mw_trusted(path))
		effect.facts |= MW_FACT_INSTALLED;
	return mw_refused(&effect, false, caller);
}

bool mw_refuse_tamper(const char *op, int64_t number, const void *caller)
{
	struct mw_effect effect = {.class = MW_TAMPER, .op = op, .number = number};

	if (mw_announced(MW_TAMPER, NULL))
		return false;
	return mw_refused(&effect, false, caller);
}
