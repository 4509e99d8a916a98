/* Where in its stream a load acts: what the monitor finds out by reading the stream itself. */
#ifndef MW_TOOLS_LOCATE_H
#define MW_TOOLS_LOCATE_H

#include <sys/types.h>

#include "../core/pickle.h"
#include "../core/wire.h"
#include "hasher.h"

struct mw_location {
	struct mw_pickle_answer call;      /* its offsets count in the file, or in `member` */
	char member[512];                  /* of an archive; empty: none, or not known */
	char stream_sha256[MW_SHA256_HEX]; /* empty: the stream cannot be read */
	bool nested; /* the stream came with another one: the offsets count in it alone */
};

/* Finds where the load of `record`, a record of process `pid`, is right now. Never fails: when the
 * stream cannot be read, or does not tell, `call.call` is the global that was fetched last. */
void mw_locate(pid_t pid, const struct mw_record *record, struct mw_location *ret);

/* Widens `known` so that it holds for `more` of the same load too. */
void mw_location_add(struct mw_location *known, const struct mw_location *more);

#endif
