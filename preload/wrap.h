/* How a libc function is wrapped. The real one is resolved when the shim is loaded; the wrapper
 * costs one thread-local test and a tail call while no load is open. The tail call also keeps the
 * return address that dlopen() and its kin look at. */
#ifndef MW_PRELOAD_WRAP_H
#define MW_PRELOAD_WRAP_H

#include "shim.h"

struct mw_wrap {
	void **real;
	const char *name;
};

#define MW_CALLER __builtin_return_address(0)

/* A pointer to the real function, entered in the table that mw_resolve() walks. */
#define MW_REAL(type, name, params)                                                                \
	static type(*real_##name) params;                                                          \
	static const struct mw_wrap entry_##name                                                   \
	        __attribute__((used, section("mw_wraps"))) = {(void **)&real_##name, #name}

/* `check` is true when the call must not be made; the wrapper then returns `fail`. */
#define WRAP(type, name, params, args, fail, check)                                                \
	MW_REAL(type, name, params);                                                               \
	MW_EXPORT type name params                                                                 \
	{                                                                                          \
		if (mw_unlikely(mw_thread.active) && (check))                                      \
			return fail;                                                               \
		return real_##name args;                                                           \
	}

/* The same for a call that opens something: `then` makes what is returned from its `result`. */
#define WRAP_THEN(type, name, params, args, fail, check, then)                                     \
	MW_REAL(type, name, params);                                                               \
	MW_EXPORT type name params                                                                 \
	{                                                                                          \
		type result;                                                                       \
                                                                                                   \
		if (mw_likely(!mw_thread.active))                                                  \
			return real_##name args;                                                   \
		if (check)                                                                         \
			return fail;                                                               \
		result = real_##name args;                                                         \
		return then;                                                                       \
	}

#endif
