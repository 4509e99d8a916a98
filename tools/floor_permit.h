/* What a sensor in the process has said a thread is about to do, and the monitor has let pass: the
 * system calls that follow from it are no effects of their own. */
#ifndef MW_TOOLS_FLOOR_PERMIT_H
#define MW_TOOLS_FLOOR_PERMIT_H

#include <stdbool.h>

#include "../core/effect.h"
#include "../core/wire.h"

struct mw_permit {
	enum mw_class class;
	enum mw_cause cause;
	uint32_t facts;
	int64_t number;
	/* NUL-terminated, behind the structure; empty: not known. */
	const char *op, *target, *target2, *file, *file2;
	const char *argv; /* of a program: one NUL-terminated string after the other */
	uint32_t argc;
	bool argv_cut;
	char alert[40]; /* its alert; empty: there is none */
	bool joined;    /* the alert says that the floor saw it too */
	bool spent;     /* the one call that it stands for has come */
};

/* Copies what the record says. NULL when there is no memory; free() it. */
struct mw_permit *mw_permit_new(const struct mw_record_effect *effect, const char *alert);

/* Whether a program gets the arguments that it was let start with. */
bool mw_permit_has_arguments(const struct mw_permit *permit, const struct mw_effect *effect);

/* Whether it is for looking up a name. The resolver connects a datagram socket to each address that
 * it has found, to learn which of ours would be used, and sends nothing (getaddrinfo(3), RFC 3484).
 */
bool mw_permit_looks_up(const struct mw_permit *permit);

/* Whether the effect, as the floor sees it, follows from what was let pass. `raw` is its path as
 * the task has spelled it, or NULL. */
bool mw_permit_covers(const struct mw_permit *permit, const struct mw_effect *effect,
                      const char *raw);

/* It stands for one system call only, and that has come. */
bool mw_permit_is_used_up(const struct mw_permit *permit);

#endif
