/* What each user may send to the daemon: so many messages a minute, so many connections. Small and
 * fixed; a user without connections who has not sent for a while is forgotten. */
#ifndef MW_TOOLS_DAEMON_UIDS_H
#define MW_TOOLS_DAEMON_UIDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MW_UIDS_MAX 1024

struct mw_uid {
	bool used;
	uid_t uid;
	unsigned int connections;
	int64_t spent;     /* us: when all that he has sent will be paid for */
	int64_t asleep;    /* until then he is not listened to */
	unsigned int turn; /* messages read in this round */
	uint64_t limited;  /* messages beyond the limit, not yet said */
	int64_t said;
};

struct mw_uids {
	unsigned int a_minute, burst;
	struct mw_uid uid[MW_UIDS_MAX];
};

/* The user, new if need be; NULL when there are too many who count. */
struct mw_uid *mw_uids_get(struct mw_uids *uids, uid_t uid, int64_t now);

/* Takes one message of his. False: it is beyond the limit, which is counted. */
bool mw_uids_take(const struct mw_uids *uids, struct mw_uid *uid, int64_t now);

#endif
