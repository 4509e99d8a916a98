/* Alerts: built from a record, written to the terminal and the alerts file. */
#ifndef MW_TOOLS_ALERT_H
#define MW_TOOLS_ALERT_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "../core/decide.h"
#include "../core/wire.h"
#include "../core/words.h"
#include "artifact.h"
#include "identity_cache.h"
#include "locate.h"
#include "tally.h"

struct mw_alerts;
struct mw_native_frame;

enum mw_alert_format { MW_TEXT, MW_JSON };

/* Sees each finished alert of a record before it is written, and may change it. With true it keeps
 * the alert back and has a reference of its own, which it hands to mw_alerts_write() later. */
typedef bool mw_alert_hold(void *context, pid_t pid, const struct mw_record *record, json_t *alert);

struct mw_courier;
struct mw_reporter;

struct mw_alert_options {
	const char *alerts_path; /* file to append JSON Lines to, or NULL */
	const char *journal;     /* the user's own file of all alerts, or NULL: nobody asked for it,
	                            so trouble with it is not said */
	bool quiet;              /* nothing on the terminal */
	enum mw_alert_format format;
	enum mw_verdict mode;
	const char *policy_digest; /* in hex */
	json_t *labels;            /* an object of strings, shared */
	mw_alert_hold *hold;       /* or NULL */
	void *hold_context;
	struct mw_reporter *reporter; /* what is written goes there, too; borrowed, or NULL */
	struct mw_courier *courier;   /* ... and there, first of all; borrowed, or NULL */
	struct mw_identity_cache *identities; /* who processes were that have ended; borrowed, or
	                                         NULL */
};

/* Opens the sinks. `options` is copied. The caller blocks every signal it handles first: work may
 * go to a thread. Returns 0, or a negative errno when there is no memory; an alerts file that
 * cannot be written is said once on stderr and is no error. Close with mw_alerts_close(). */
int mw_alerts_open(const struct mw_alert_options *options, struct mw_alerts **ret);

/* Has finished alerts seen by `hold` from now on; NULL: by nobody. */
void mw_alerts_hold(struct mw_alerts *a, mw_alert_hold *hold, void *context);

/* Who processes were that have ended is asked of `identities` from now on; borrowed, or NULL. */
void mw_alerts_identities(struct mw_alerts *a, struct mw_identity_cache *identities);

/* Builds one alert from an effect's record and has it written to the file and the terminal when it
 * returns. `pid` is the sender by kernel credentials. `load` is what is known of the record's load,
 * and `at` where it acts: what the record says, or the monitor's own copies when it carries no more
 * than an id. `decision` is what was decided. The alert's id goes to `ret_id`, its sentence (cut to
 * fit) to `ret_title`; both always end as strings. */
void mw_alerts_effect(struct mw_alerts *a, pid_t pid, const struct mw_record *record,
                      const struct mw_record_load *load, const struct mw_location *at,
                      const struct mw_decision *decision, char ret_id[static 40],
                      char ret_title[static 600]);

/* What the kernel says of the process of the next mw_alerts_effect(), which may have ended, and the
 * `count` frames of its native stack, which is not unwound again. Borrowed until that returns. */
void mw_alerts_hint(struct mw_alerts *a, const struct mw_identity_hint *hint,
                    const struct mw_native_frame *native, int count);

/* What was alerted about so far, less what was only to be observed. */
struct mw_alerts_sum {
	uint64_t prevented, let_go;
	char first[40]; /* ID of the first alert; empty: none */
};
void mw_alerts_sum(const struct mw_alerts *a, struct mw_alerts_sum *ret);

/* All of them, by rule; valid as long as `a`. */
const struct mw_tally *mw_alerts_tally(const struct mw_alerts *a);

/* The digest of an artifact, waited for up to `patience_ms`. Returns 0, or -ENODATA when it is not
 * to be had by then. */
int mw_alerts_digest(struct mw_alerts *a, const struct mw_artifact *artifact, int patience_ms,
                     char ret[static MW_SHA256_HEX]);

/* Another sensor saw the effect of the alert called `id`, if that is a recent one: an update says
 * so, once for each sensor. */
void mw_alerts_join(struct mw_alerts *a, struct mw_str id, enum mw_sensor sensor);

/* What could not be seen, and so gave no alert. */
struct mw_loss {
	const char *kind, *reason; /* a word, and a sentence without a full stop */
	uint64_t count;
	bool is_effect; /* each was an effect that no alert tells of */
	int64_t since;  /* ns since 1970: at that time there was none of them; 0: not known */
	enum mw_severity severity; /* MW_INFO: it has none */
	json_t *hooks; /* an object of counts by where it was lost; borrowed; may be NULL */
};

/* Writes a record of it (modelwatch.loss/1) to where alerts go. */
void mw_alerts_loss(struct mw_alerts *a, const struct mw_loss *loss);

/* Takes `options` in place of those before: where alerts go, which may be the same file again under
 * a name that somebody has moved (but not the journal), mode, policy and labels. Who sees alerts
 * and who knows identities stays. Returns 0, or -ENOMEM when all stays as it was. */
int mw_alerts_reopen(struct mw_alerts *a, const struct mw_alert_options *options);

/* Changes the JSON of an alert; true when that is news. */
typedef bool mw_alert_change(void *context, json_t *alert);

/* Writes an update of the alert called `id` if `change` has news for it. Returns -ENOENT when it is
 * no recent one. */
int mw_alerts_amend(struct mw_alerts *a, struct mw_str id, mw_alert_change *change, void *context);

/* The same for every recent alert that has the text `word` in it. */
void mw_alerts_amend_all(struct mw_alerts *a, const char *word, mw_alert_change *change,
                         void *context);

/* Writes an alert that is complete: one that was kept back, or somebody else's. Takes over the
 * reference. */
void mw_alerts_write(struct mw_alerts *a, json_t *alert);

/* A descriptor that is readable when background work (a digest) is done, or -1. */
int mw_alerts_fd(struct mw_alerts *a);

/* Writes the updates that are ready. Never blocks on the work itself. */
void mw_alerts_poll(struct mw_alerts *a);

/* Finishes pending work, within a bound, writes its updates and frees everything. What was kept
 * back is to be written before. NULL is allowed. */
void mw_alerts_close(struct mw_alerts *a);

#endif
