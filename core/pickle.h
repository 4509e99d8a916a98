/* A symbolic pickle machine: which opcode of a stream makes the call that is running right now?
 *
 * It walks the bytes of a stream without executing anything (opcodes: CPython's Lib/pickletools.py,
 * protocols 0 to 5). A pickle runs straight through, so stream order is execution order. The stream
 * is hostile: work is linear in its length, memory bounded whatever it says. These functions
 * allocate (at most about 20 MiB, for streams that need it) and free before they return. */
#ifndef MW_CORE_PICKLE_H
#define MW_CORE_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct mw_pickle_query {
	const uint8_t *data; /* from the stream's first byte; there may be more behind its end */
	size_t len;
	bool cut; /* the stream goes on behind these bytes: they are only as much as was read */
	const struct mw_str *seen; /* the last globals fetched, oldest first, "module name" */
	size_t count;
	uint64_t total; /* globals fetched so far */
	bool unheard;   /* whoever reads the stream says nothing of what it fetches */
	int64_t tell; /* reader's position, or -1; of a frame, which is read as a whole, its end */
	bool tell_exact;    /* the reader does not read ahead; otherwise it is not before `tell` */
	bool importing;     /* the effect comes from the import of the last global */
	struct mw_str hint; /* name of the function that was called, to choose a call; or empty */
	bool guess;         /* the hint is only likely: it chooses the words, and no byte */
	bool fetching;      /* the effect is that the last global is fetched: what will use it? */
};

struct mw_pickle_answer {
	bool found;
	uint64_t offset;     /* of the opcode that makes the call */
	uint64_t offset_end; /* of the last that may be the one; equal to offset when certain */
	char opcode[16];     /* "REDUCE", "BUILD", "GLOBAL" ... */
	char call[256];      /* "posix.system", "builtins.getattr(posix, 'system')" */
	char args[1024];     /* "('touch x',)"; what is not plain data is "..." */
	uint64_t stream_len; /* bytes up to and with STOP, or all there are */
	bool complete;       /* STOP was reached, and nothing before it stops an unpickler */
};

/* Fills `ret`. Returns 0, also when nothing was found, or -ENOMEM. */
int mw_pickle_locate(const struct mw_pickle_query *query, struct mw_pickle_answer *ret);

/* True when all the stream does with the global it fetched last is to call it at once: the value is
 * never stored in another value, never an argument, never part of the result. False when in doubt:
 * a limit was hit, unpicklers differ on the stream, or it is `cut` while the value can be used
 * again.
 */
bool mw_pickle_called_directly(const struct mw_pickle_query *query);

#endif
