/* Keeping the shim in the environment of every program the job starts, whatever environment the job
 * hands over. Runs in vfork children: the caller's stack is the only memory. */
#include <stdio.h>
#include <string.h>

#include "shim.h"

size_t mw_env_count(char *const *env)
{
	size_t n = 0;

	while (env && env[n])
		n++;
	return n;
}

static const char *value_of(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(entry, name, len) && entry[len] == '=' ? entry + len + 1 : NULL;
}

static bool has_shim(const char *preload)
{
	size_t len = strlen(mw_process.self);

	for (const char *p = preload; (p = strstr(p, mw_process.self)); p += len)
		if ((p == preload || p[-1] == ':' || p[-1] == ' ') &&
		    (!p[len] || p[len] == ':' || p[len] == ' '))
			return true;
	return false;
}

char *const *mw_env_keep(char *const *env, char **out, size_t cap, char *text, size_t text_size)
{
	const char *preload = NULL, *socket = NULL, *value;
	size_t n = 0;
	int used, more;

	if (!mw_process.policy)
		return env;
	for (size_t i = 0; env && env[i]; i++) {
		if ((value = value_of(env[i], "LD_PRELOAD")))
			preload = value;
		if ((value = value_of(env[i], "MODELWATCH_SOCKET")))
			socket = value;
	}
	if (preload && has_shim(preload) && socket && !strcmp(socket, mw_process.socket))
		return env;
	used = snprintf(text, text_size, "LD_PRELOAD=%s%s%s", mw_process.self,
	                preload && *preload ? ":" : "", preload ? preload : "");
	if (used < 0 || (size_t)used + 1 >= text_size)
		return env;
	more = snprintf(text + used + 1, text_size - (size_t)used - 1, "MODELWATCH_SOCKET=%s",
	                mw_process.socket);
	if (more < 0 || (size_t)(used + 1 + more) >= text_size)
		return env;
	for (size_t i = 0; env && env[i]; i++) {
		if (value_of(env[i], "LD_PRELOAD") || value_of(env[i], "MODELWATCH_SOCKET"))
			continue;
		if (n + MW_ENV_EXTRA > cap)
			return env;
		out[n++] = env[i];
	}
	out[n++] = text;
	out[n++] = text + used + 1;
	out[n] = NULL;
	return out;
}
