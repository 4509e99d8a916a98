/* What the monitor sends: lines of native JSON in memory that it shares with us, put into the spool
 * and acknowledged. docs/protocol.md has the messages. */
#ifndef MW_COURIER_INTAKE_H
#define MW_COURIER_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "spool.h"

#define MW_LINE_MAX (4u << 20) /* bytes of a record */

struct mw_intake;

/* Listens to `fd`, a stream socket that does not wait; borrowed. Returns 0 or -ENOMEM. */
int mw_intake_open(int fd, struct mw_intake **ret);
void mw_intake_close(struct mw_intake *intake); /* NULL is allowed */

/* The first line, once it is there: what the courier is to do. A new reference, or NULL: not yet
 * (`*ret_ended` false), or there will be none. */
json_t *mw_intake_hello(struct mw_intake *intake, bool *ret_ended);

/* Records come in the memory of `fd` (shared.h), from `at` on, as long as it is our turn; the
 * socket says that there are some. Returns 0 or a negative errno. */
int mw_intake_follow(struct mw_intake *intake, int fd, uint64_t at, uint64_t turn);

/* Takes in what has come: at most some hundred records, so that acknowledgements follow soon.
 * `source` names who numbers them, from `first` on. Returns how many are new in the spool, 0 when
 * there was nothing whole; or a negative errno of the spool, when they are kept and tried again. */
int mw_intake_take(struct mw_intake *intake, struct mw_spool *spool,
                   const struct mw_spool_source *source);

/* Whether the other side has closed, and all that it sent is taken. */
bool mw_intake_ended(const struct mw_intake *intake);

/* Whether the other side has closed: nothing more comes. */
bool mw_intake_closed(const struct mw_intake *intake);

/* Whether there is something to be taken without waiting. */
bool mw_intake_has(const struct mw_intake *intake);

/* Records that the monitor had no room for and has told nobody of. */
uint64_t mw_intake_untold(const struct mw_intake *intake);

/* How many records of this connection are in the spool. */
uint64_t mw_intake_taken(const struct mw_intake *intake);

#endif
