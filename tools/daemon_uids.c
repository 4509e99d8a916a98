#include "daemon_uids.h"

#include <stddef.h>

static bool is_idle(const struct mw_uid *uid, int64_t now)
{
	return !uid->connections && !uid->limited && uid->spent <= now * 1000 && uid->asleep <= now;
}

struct mw_uid *mw_uids_get(struct mw_uids *uids, uid_t uid, int64_t now)
{
	struct mw_uid *place = NULL;

	for (size_t i = 0; i < MW_UIDS_MAX; i++) {
		struct mw_uid *one = &uids->uid[i];

		if (one->used && one->uid == uid)
			return one;
		if (!place && (!one->used || is_idle(one, now)))
			place = one;
	}
	if (place)
		*place = (struct mw_uid){.used = true, .uid = uid};
	return place;
}

/* Each message costs its part of a minute; a burst is what may be owed. */
bool mw_uids_take(const struct mw_uids *uids, struct mw_uid *uid, int64_t now)
{
	int64_t price = 60000000 / uids->a_minute, now_us = now * 1000;

	if (uid->spent < now_us)
		uid->spent = now_us;
	if (uid->spent + price > now_us + price * uids->burst) {
		uid->limited++;
		return false;
	}
	uid->spent += price;
	return true;
}
