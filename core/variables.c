#include "variables.h"

#include <stddef.h>
#include <string.h>

bool mw_is_loaders(const char *name)
{
	static const char *const names[] = {"LD_",      "GCC_",   "COLLECT_", "COMPILER_PATH",
	                                    "LIBRARY_", "GCONV_", "GLIBC_",   "PATH"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return false;
}
