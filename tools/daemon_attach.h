/* Interpreters as they are found on the host, and the probes in them: what daemon_objects.h asks
 * for, done with daemon_programs.h. */
#ifndef MW_TOOLS_DAEMON_ATTACH_H
#define MW_TOOLS_DAEMON_ATTACH_H

#include "daemon_judge.h"
#include "daemon_objects.h"
#include "daemon_programs.h"
#include "identity_cache.h"

struct mw_attach {
	struct mw_programs *programs;
	struct mw_identity_cache *identities; /* these learn of who runs an interpreter */
	struct mw_daemon_judge *judge;
};

/* Fills the callbacks; `attach` is their context. All of it is borrowed. */
void mw_attach_callbacks(struct mw_attach *attach, struct mw_found_options *ret);

/* Adds the probes that are put into `object`, those that must not be or that the kernel refuses,
 * and of the first those on a USDT, which cost a process the most. */
void mw_attach_count(const struct mw_found_object *object, unsigned int *ret_sites,
                     unsigned int *ret_refused, unsigned int *ret_usdt);

#endif
