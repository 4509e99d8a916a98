/* Inside the spool: one handle, and what its files share.
 *
 * Within a transaction the first error stays (`spool->error`) and nothing more is done, so that it
 * is looked at once, at the end. */
#ifndef MW_COURIER_SPOOL_PARTS_H
#define MW_COURIER_SPOOL_PARTS_H

#include <limits.h>

#include <sqlite3.h>

#include "spool.h"

#define MW_SPOOL_STATEMENTS 64
#define MW_SPOOL_KEY 65 /* a SHA-256 in hex */
#define MW_SPOOL_SINKS 32

enum mw_spool_kind {
	MW_SPOOL_ALERT,
	MW_SPOOL_LOSS,
	MW_SPOOL_REFUSAL, /* the loss record that tells of dead letters */
	MW_SPOOL_INVENTORY,
	MW_SPOOL_HEARTBEAT,
};

struct mw_spool {
	struct mw_spool_options options;
	char path[PATH_MAX];
	sqlite3 *db;
	int guard;    /* held while the database is in use */
	bool putting; /* ... by us as one who puts something in */
	int error;
	int64_t added, grouped, limited, refused; /* in this transaction */
	int64_t expire;                           /* when to look again what is too old */
	struct {
		const char *text;
		sqlite3_stmt *statement;
	} statements[MW_SPOOL_STATEMENTS];
	struct {
		char name[64];
		int64_t generation;
	} sinks[MW_SPOOL_SINKS]; /* that we have asked for, and which replay that was */
};

int64_t mw_spool_now(const struct mw_spool *spool);

/* spool_sql.c. `text` is a constant, prepared once; `types` says what follows: 'i' int64_t, 's'
 * const char *, 'f' double. mw_sql_start() is followed by mw_sql_step() until that is false. */
int mw_sql_error(struct mw_spool *spool, int code);
sqlite3_stmt *mw_sql_start(struct mw_spool *spool, const char *text, const char *types, ...);
bool mw_sql_step(struct mw_spool *spool, sqlite3_stmt *statement);
void mw_sql_stop(sqlite3_stmt *statement);
void mw_sql_do(struct mw_spool *spool, const char *text, const char *types, ...);
/* The first number of the first row; `otherwise` when there is none or it is NULL. */
int64_t mw_sql_number(struct mw_spool *spool, int64_t otherwise, const char *text,
                      const char *types, ...);
const char *mw_sql_text(sqlite3_stmt *statement, int column); /* never NULL */
/* 0, or -ESTALE: the file is no longer the one of its name, and what is written to it is lost. */
int mw_sql_here(struct mw_spool *spool);
int mw_sql_begin(struct mw_spool *spool);
/* Commits, or takes all back when there was an error. Returns 0 or the error. */
int mw_sql_end(struct mw_spool *spool);
/* The same for what only reads: the error, which is forgotten. */
int mw_sql_read(struct mw_spool *spool);

/* spool_record.c: what the spool needs to know of a record. */
struct mw_spool_facts {
	enum mw_spool_kind kind;
	enum mw_severity severity;
	bool observed;
	int64_t update, count, time;
	char id[MW_UID_TEXT], rule[96];
	/* Of alerts: what is alike on this host, on every host, and the artifact. */
	char group[MW_SPOOL_KEY], key[MW_SPOOL_KEY], artifact[MW_SPOOL_KEY];
};
/* Returns 0; -EINVAL for what is no record, or -ENOMEM. `now` stands in for a time that cannot be
 * read. */
int mw_spool_facts(const json_t *record, int64_t now, struct mw_spool_facts *ret);

/* spool_entry.c. One more entry, whose `record` is owned from here on; NULL is -ENOMEM. */
void mw_spool_insert(struct mw_spool *spool, const struct mw_spool_facts *facts, json_t *record);

/* Reads entries, whose columns are MW_ENTRY_COLUMNS, from the rows of `rows`, at most `max` and
 * `max_bytes`. Returns how many, or a negative errno when there are none. */
#define MW_ENTRY_COLUMNS " entries.sequence, uid, severity, observed, rule, record FROM entries "
void mw_spool_fill(struct mw_spool_entry *entry, sqlite3_stmt *row);
int mw_spool_collect(struct mw_spool *spool, sqlite3_stmt *rows, size_t max, size_t max_bytes,
                     struct mw_spool_entry *ret);

/* spool_group.c: an alert is a new finding, or one more of a group, or the update of one. */
void mw_spool_alert(struct mw_spool *spool, const struct mw_spool_facts *facts,
                    const json_t *record);
void mw_spool_updates(struct mw_spool *spool); /* of those whose window has passed */
void mw_spool_early_updates(struct mw_spool *spool, bool is_last);
int64_t mw_spool_updates_due(struct mw_spool *spool, int64_t now); /* INT64_MAX: never */

/* spool_limit.c: whether there is a token for one more finding, which is taken then. */
bool mw_spool_token(struct mw_spool *spool, const struct mw_spool_facts *facts);

/* spool_loss.c: what left, or did not come in, is counted and told, each kind once in a window. */
enum mw_spool_loss {
	MW_LOST_FULL,
	MW_LOST_AGE,
	MW_LOST_RATE,
	MW_LOST_REFUSED,
	MW_LOST_CORRUPT,
	MW_LOST_GONE,
	MW_LOST_COURIER,
};
/* `what`: the rule, the sink or the file. `effects`: how many that no alert tells of. */
void mw_spool_lost(struct mw_spool *spool, enum mw_spool_loss kind, const char *what,
                   enum mw_severity severity, int64_t count, int64_t effects);
void mw_spool_tell(struct mw_spool *spool);
void mw_spool_tell_all(struct mw_spool *spool); /* whether their window has passed or not */
int64_t mw_spool_tell_due(struct mw_spool *spool, int64_t now);

/* spool_schema.c. Makes the tables of an empty database, and with them its first record: what has
 * become of the one `before` (`file` NULL: there was none). Returns 0, -EMEDIUMTYPE for the
 * database of another program, -EPROTONOSUPPORT for that of another version, or another negative
 * errno.
 */
struct mw_spool_before {
	enum mw_spool_loss loss;
	const char *file;
};
int mw_spool_schema(struct mw_spool *spool, const struct mw_spool_before *before);
/* Whether SQLite finds the database whole: 0, -EBADMSG, or another negative errno. */
int mw_spool_check(struct mw_spool *spool, bool thorough);

/* spool_evict.c. */
void mw_spool_shrink(struct mw_spool *spool); /* down to max_bytes */
void mw_spool_expire(struct mw_spool *spool); /* what is too old, or was kept long enough */
int64_t mw_spool_expire_due(struct mw_spool *spool, int64_t now);

#endif
