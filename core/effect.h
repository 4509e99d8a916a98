/* One effect, as a sensor saw it, and the facts about it that a rule can ask for. */
#ifndef MW_CORE_EFFECT_H
#define MW_CORE_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "words.h"

/* Facts are established by the sensor, never by the stream. The policy file names them in lower
 * case. Order is part of the policy image's version. */
#define MW_FACTS(X)                                                                                \
	X(PYC, "pyc")                 /* the .pyc of the spec being imported, or its directory */  \
	X(EXTENSION, "extension")     /* the extension file of the spec being imported */          \
	X(INSTALLED, "installed")     /* file in a directory trusted before the load began */      \
	X(PINNED, "pinned")           /* root's program and directory; loaders' variables kept */  \
	X(LOOPBACK, "loopback")       /* address on this machine */                                \
	X(UNIX, "unix")               /* unix socket */                                            \
	X(EPHEMERAL, "ephemeral")     /* bind to port 0 */                                         \
	X(OWN, "own")                 /* of this very process: its environment, its memory */      \
	X(ANONYMOUS, "anonymous")     /* memory with no file behind it */                          \
	X(LIBRARY, "library")         /* the caller is native code of an installed library */      \
	X(REBUILDER, "rebuilder")     /* code made by a known rebuilder of functions */            \
	X(CALLED, "called")           /* the load had already called beyond plain rebuilders */    \
	X(SCOPE, "scope")             /* done by a thread or process that the load started */      \
	X(AFTER, "after")             /* the load had ended */                                     \
	X(UNANNOUNCED, "unannounced") /* the sensor above should have seen it and did not */       \
	X(DEFERRED, "deferred")       /* callable fetched for somebody else to call */             \
	X(DEVICE, "device")           /* a character device such as /dev/null or /dev/nvidia0 */   \
	X(NEW, "new")                 /* creates a file that did not exist */                      \
	X(SETSTATE, "setstate")       /* an installed class's own __setstate__ does it */          \
	X(INTERPRETER, "interpreter") /* starts the program that this process runs */              \
	X(UNPROVED, "unproved")       /* seen from outside, where no cause could be proved */

enum mw_fact_bit {
#define X(id, word) MW_FACT_BIT_##id,
	MW_FACTS(X)
#undef X
	        MW_FACT_COUNT
};

enum mw_fact {
#define X(id, word) MW_FACT_##id = 1 << MW_FACT_BIT_##id,
	MW_FACTS(X)
#undef X
};

/* Strings are borrowed for the duration of the call they are passed to; NULL means not known. */
struct mw_effect {
	enum mw_class class;
	enum mw_cause cause;
	enum mw_sensor sensor;
	const char *op;      /* what was called, as the sensor names it: "os.system", "mprotect" */
	const char *target;  /* path, program, library, "address:port" or unix path */
	const char *target2; /* second path of a rename or link */
	const char *file;  /* the program, as found along PATH; or what the path leads to: absolute,
	                      no links, no ".."; NULL: cannot be told */
	const char *file2; /* the same for target2 */
	const char *const *argv; /* exec only */
	size_t argc;
	bool argv_cut;  /* there were more */
	uint64_t owner; /* who owns the inode of the program: uid + 1; 0 when not known */
	int64_t number; /* signal, protection, flags: what `op` says it is; 0 when unused */
	uint32_t facts;
};

/* The word of fact `bit`, or "?". */
const char *mw_fact_name(enum mw_fact_bit bit);

/* The bit of the fact called `word`, or -EINVAL. */
int mw_fact_parse(const char *word);

#endif
