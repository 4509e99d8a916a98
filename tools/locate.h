/* Where in its stream a load acts: what the monitor finds out by reading the stream itself. */
#ifndef MW_TOOLS_LOCATE_H
#define MW_TOOLS_LOCATE_H

#include <sys/types.h>

#include "../core/pickle.h"
#include "../core/wire.h"
#include "hasher.h"
#include "stream.h"

struct mw_location {
	struct mw_pickle_answer call;      /* its offsets count in the file, or in `member` */
	char member[512];                  /* of an archive; empty: none, or not known */
	char stream_sha256[MW_SHA256_HEX]; /* empty: the stream cannot be read */
	bool nested; /* the stream came with another one: the offsets count in it alone */
};

/* Finds where the load of `record`, a record of process `pid`, is right now. Never fails: when the
 * stream cannot be read, or does not tell, `call.call` is the global that was fetched last. */
void mw_locate(pid_t pid, const struct mw_record *record, struct mw_location *ret);

/* Reads the stream of the record's load from process `pid`, eight times as much of it each time,
 * until `enough` returns true, all of it is there, or MW_STREAM_MAX. `enough` may change the query,
 * which says what the record tells of the load. Returns 0 with the last bytes in `ret`, which the
 * caller frees; or a negative errno of mw_stream_read(). */
int mw_locate_read(pid_t pid, const struct mw_record *record, size_t first,
                   bool (*enough)(void *context, struct mw_pickle_query *query), void *context,
                   struct mw_stream *ret);

/* Widens `known` so that it holds for `more` of the same load too. */
void mw_location_add(struct mw_location *known, const struct mw_location *more);

#endif
