#include "paths.h"

#include <string.h>

bool mw_path_inside(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	while (len > 1 && directory[len - 1] == '/')
		len--;
	return !strncmp(path, directory, len) && (!path[len] || path[len] == '/');
}

bool mw_ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

bool mw_is_bytecode_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *end = strstr(name, ".pyc");

	return end && end != name &&
	       (!end[4] || (end[4] == '.' && !end[5 + strspn(end + 5, "0123456789")]));
}

bool mw_is_cached_bytecode(const char *path)
{
	if (strstr(path, "/../"))
		return false;
	return mw_ends_with(path, "/__pycache__") ||
	       (strstr(path, "/__pycache__/") && mw_is_bytecode_name(path));
}

bool mw_is_of_system(const char *path)
{
	static const char *const system[] = {"/usr", "/lib", "/lib32", "/lib64",     "/libx32",
	                                     "/bin", "/opt", "/sbin",  "/nix/store", "/gnu/store"};

	for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++)
		if (mw_path_inside(path, system[i]))
			return true;
	return false;
}

bool mw_is_in_model_cache(const char *path)
{
	return strstr(path, "/models--") || strstr(path, "/.cache/huggingface/") ||
	       strstr(path, "/.cache/torch/");
}
