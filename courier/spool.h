/* The durable spool: records that are to reach every sink, in SQLite, shared by all processes of
 * one user. Each call is one transaction; several processes may call at once. docs/alerts.md says
 * how records become few (groups, rates) and when they leave.
 *
 * A record comes out as it came in, but an alert has
 *   "group": {"key": HEX, "first": TIME, "last": TIME}
 * where `key` is a SHA-256 of what alike alerts have in common on every host, and the times are of
 * the first and the last alert that it stands for; and its `count` is how many these are. A finding
 * keeps its `id`; each further record of it has a higher `update`, and is the whole alert again as
 * it was known last.
 *
 * Records of its own are of the schema modelwatch.loss/1; their `kind` is spool-full, spool-age,
 * spool-rate, spool-corrupt, spool-gone or sink-refused.
 *
 * Times are nanoseconds since 1970 by the clock of the options. */
#ifndef MW_COURIER_SPOOL_H
#define MW_COURIER_SPOOL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "../core/words.h"
#include "emission.h"

struct mw_spool_options {
	const char *path;   /* of the database; its folder is made, for its owner alone */
	uint64_t max_bytes; /* of records; what is above leaves, the least severe first */
	int64_t max_age_ns; /* since the record; older ones leave, sent or not */
	int64_t keep_ns;    /* after every sink has acknowledged, for mw_spool_replay() */
	/* Alike alerts (rule, stream digest, call, target, artifact, user, container, outcome; not
	 * process or time) are one finding: the first goes out at once, the others as one update
	 * with their count after `window_ns`, which doubles up to `window_max_ns` while they keep
	 * coming. One that is more severe begins a new finding. `window_ns` 0: all go out. */
	int64_t window_ns, window_max_ns;
	/* New findings of one severity above these are only counted, in a record of the loss; 0: no
	 * bound. */
	uint32_t per_rule_minute, per_artifact_minute;
	bool is_there; /* to be opened only when it is; what is no spool or is corrupt stays */
	int64_t (*clock)(void *context); /* NULL: the system's */
	void *clock_context;
};

/* Fills what the options of users start from; the path is the default of who we are:
 * /var/lib/modelwatch/spool.db of the daemon, else below $XDG_STATE_HOME. Returns 0 or -ENOENT when
 * there is no home. */
int mw_spool_defaults(struct mw_spool_options *options, bool is_daemon, char path[static PATH_MAX]);

struct mw_spool;

/* Opens, and makes it when it is not there. A database that is corrupt is put aside under a name
 * with ".corrupt-" and the time, which the first record of the new one tells, as it does when the
 * file was removed. Returns 0; -EREMOTE on a network filesystem, where SQLite's WAL corrupts;
 * -EPERM and -ELOOP for a folder or a file that is somebody else's, that others may write to, or
 * that is a link; or another negative errno, with a line in `why`.
 *
 * A spool that turns out to be corrupt while it is in use gives -EBADMSG, and one that was put
 * aside or removed meanwhile -ESTALE: close it, and open it again. */
int mw_spool_open(const struct mw_spool_options *options, struct mw_spool **ret, char *why,
                  size_t why_size);
void mw_spool_close(struct mw_spool *spool); /* NULL is allowed */

/* The sinks that records have to reach, by name: their cursors start with what comes from now on.
 * Those of other names stay and hold nothing back. Returns 0 or a negative errno. */
int mw_spool_sinks(struct mw_spool *spool, const char *const *names, size_t count);

/* Who sends records, and the number of the first of them: it counts them from 1 on. */
struct mw_spool_source {
	char id[MW_UID_TEXT]; /* a UUID; "": nobody numbers them */
	uint64_t first;
};

/* Takes `count` native records (docs/alerts.md), groups them, and commits: when it returns 0 they
 * are on disk, once: those that the source has sent before are passed over. -ENOSPC and -EIO:
 * nothing is taken, try again later. Records that are no objects of a known schema are counted as
 * refused and taken as done. `source` may be NULL. */
int mw_spool_add(struct mw_spool *spool, const struct mw_spool_source *source,
                 json_t *const *records, size_t count);

/* `count` records of a monitor that is dead never came, because it had no room for them: that is
 * told by a record of the loss. Returns 0 or a negative errno. */
int mw_spool_untold(struct mw_spool *spool, uint64_t count);

/* Writes the updates of groups whose window has passed, those of other processes too, and records
 * of what was lost; lets leave what is too much or too old. Returns in how many ms it is to be
 * called again, 10 s at most, or a negative errno. */
int mw_spool_tick(struct mw_spool *spool);

/* Whoever used it is about to go, and there may be nobody to tick: writes the updates whose count
 * has doubled since it was told and, when nobody else puts anything in, all of them (of one finding
 * not more often than some times in a window) and the records of what was lost. Returns 0 or a
 * negative errno. */
int mw_spool_finish(struct mw_spool *spool);

struct mw_spool_entry {
	uint64_t sequence;
	enum mw_severity severity;
	bool observed; /* an alert whose rule asked for no more than `observe` */
	char uid[MW_UID_TEXT];
	char rule[96];  /* "" for what is no alert */
	json_t *record; /* owned by the entry */
};

/* What `sink` has to send next, in order, at most `max` entries of `max_bytes` together (one always
 * fits). Returns how many, or a negative errno. Free with mw_spool_free(). */
int mw_spool_next(struct mw_spool *spool, const char *sink, size_t max, size_t max_bytes,
                  struct mw_spool_entry *ret);
void mw_spool_free(struct mw_spool_entry *entries, size_t count);

/* Everything up to `sequence` has reached `sink`, or is none of its business. */
int mw_spool_reached(struct mw_spool *spool, const char *sink, uint64_t sequence);

/* `sink` has refused this entry for good: it goes to the dead letters, and a record tells of it. */
int mw_spool_dead(struct mw_spool *spool, const char *sink, uint64_t sequence, const char *why);

/* Sends again, to `sink` (NULL: all), what is younger than `since`. Returns how many records that
 * are, or a negative errno. */
int64_t mw_spool_replay(struct mw_spool *spool, const char *sink, int64_t since);

/* What people look for. */
struct mw_spool_filter {
	int64_t since, until; /* when it came in, both inclusive */
	enum mw_severity severity;
	const char *id; /* the beginning of the record's id or the entry's uid; NULL: any */
};

/* Entries after `after`, as mw_spool_next() has them, whatever has become of them. */
int mw_spool_browse(struct mw_spool *spool, const struct mw_spool_filter *filter, uint64_t after,
                    size_t max, size_t max_bytes, struct mw_spool_entry *ret);

struct mw_spool_letter {
	char sink[64], why[256];
	int64_t time; /* when it was refused */
	struct mw_spool_entry entry;
};

/* Dead letters, at most `max`, after the first `skip`. Returns how many, or a negative errno. Free
 * the entry of each with mw_spool_free(). */
int mw_spool_letters(struct mw_spool *spool, size_t skip, size_t max, struct mw_spool_letter *ret);

struct mw_spool_sink_view {
	char name[64];
	uint64_t pending, reached, dead; /* records: to be sent, reached in all, refused */
	int64_t oldest;                  /* time of the oldest that is pending, 0: none */
	int64_t last_success;            /* 0: never */
};

struct mw_spool_view {
	uint64_t records, bytes, groups;
	/* Since the database was made: records that came in; that became part of a group; that were
	 * only counted; that left before every sink had them; that were no records. */
	uint64_t added, grouped, limited, evicted, refused;
	int64_t oldest;
	struct mw_spool_sink_view sinks[32];
	size_t sink_count;
};

int mw_spool_look(struct mw_spool *spool, struct mw_spool_view *ret);

#endif
