/* Records come in, and time passes. */
#include <errno.h>
#include <string.h>

#include "spool_parts.h"
#include "spool_place.h"

#define LOOK_MS 10000 /* at what other processes have put in */

static void add_one(struct mw_spool *spool, const json_t *record)
{
	struct mw_spool_facts facts;
	int error = mw_spool_facts(record, mw_spool_now(spool), &facts);

	spool->added++;
	if (error == -EINVAL)
		spool->refused++;
	else if (error && !spool->error)
		spool->error = error;
	else if (facts.kind == MW_SPOOL_ALERT)
		mw_spool_alert(spool, &facts, record);
	else
		mw_spool_insert(spool, &facts, json_incref((json_t *)record));
}

/* How many of `count` records this source has sent before. */
static size_t known(struct mw_spool *spool, const struct mw_spool_source *source, size_t count)
{
	int64_t next, first = (int64_t)source->first;

	if (source->first > INT64_MAX / 2)
		return 0;
	next = mw_sql_number(spool, 0, "SELECT next FROM sources WHERE id = ?", "s", source->id);
	mw_sql_do(spool,
	          "INSERT INTO sources VALUES(?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
	          " next = MAX(next, excluded.next), seen = excluded.seen",
	          "sii", source->id, first + (int64_t)count, mw_spool_now(spool));
	if (next <= first)
		return 0;
	return (uint64_t)(next - first) < count ? (size_t)(next - first) : count;
}

static void count(struct mw_spool *spool)
{
	mw_sql_do(spool,
	          "UPDATE state SET added = added + ?, grouped = grouped + ?,"
	          " limited = limited + ?, refused = refused + ?",
	          "iiii", spool->added, spool->grouped, spool->limited, spool->refused);
}

int mw_spool_add(struct mw_spool *spool, const struct mw_spool_source *source,
                 json_t *const *records, size_t n)
{
	size_t i = 0;
	int error = mw_sql_begin(spool);

	if (error)
		return error;
	if (!spool->putting)
		mw_guard_put(spool->guard);
	spool->putting = true;
	spool->added = spool->grouped = spool->limited = spool->refused = 0;
	if (source && source->id[0])
		i = known(spool, source, n);
	for (; i < n && !spool->error; i++)
		add_one(spool, records[i]);
	count(spool);
	mw_spool_shrink(spool);
	return mw_sql_end(spool);
}

int mw_spool_untold(struct mw_spool *spool, uint64_t count)
{
	const int64_t lost = count < INT64_MAX ? (int64_t)count : INT64_MAX;
	int error = mw_sql_begin(spool);

	if (error)
		return error;
	mw_spool_lost(spool, MW_LOST_COURIER, "", MW_HIGH, lost, lost);
	return mw_sql_end(spool);
}

static int64_t due(struct mw_spool *spool, int64_t now)
{
	const int64_t all[] = {mw_spool_updates_due(spool, now), mw_spool_tell_due(spool, now),
	                       mw_spool_expire_due(spool, now)};
	int64_t first = all[0];

	for (size_t i = 1; i < 3; i++)
		if (all[i] < first)
			first = all[i];
	return first;
}

/* Others' groups are ours to tell as well: they may be gone. */
static int wait_until(int64_t when, int64_t now)
{
	int64_t ms = when <= now ? 0 : (when - now) / 1000000 + 1;

	return ms < LOOK_MS ? (int)ms : LOOK_MS;
}

int mw_spool_finish(struct mw_spool *spool)
{
	int error = mw_sql_begin(spool);
	bool is_last;

	if (error)
		return error;
	/* Within the transaction: of two who finish at once the second is the last. */
	is_last = mw_guard_done(spool->guard);
	spool->putting = false;
	mw_spool_early_updates(spool, is_last);
	if (is_last)
		mw_spool_tell_all(spool);
	mw_spool_shrink(spool);
	return mw_sql_end(spool);
}

int mw_spool_tick(struct mw_spool *spool)
{
	int64_t now = mw_spool_now(spool), when;
	int error = mw_sql_here(spool);

	if (error)
		return error;
	when = due(spool, now);
	error = mw_sql_read(spool);
	if (error || when > now)
		return error ? error : wait_until(when, now);
	error = mw_sql_begin(spool);
	if (error)
		return error;
	mw_spool_updates(spool);
	mw_spool_expire(spool);
	mw_spool_tell(spool);
	mw_spool_shrink(spool);
	error = mw_sql_end(spool);
	if (!error) {
		when = due(spool, now);
		error = mw_sql_read(spool);
	}
	return error ? error : wait_until(when, now);
}
