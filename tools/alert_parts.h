/* One alert while it is made: gathered from a record and the process that sent it, told in a
 * sentence, and shown as JSON and as text. */
#ifndef MW_TOOLS_ALERT_PARTS_H
#define MW_TOOLS_ALERT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

#include "../core/effect.h"
#include "../core/wire.h"
#include "alert.h"
#include "artifact.h"
#include "hasher.h"
#include "locate.h"
#include "unwind.h"

#define MW_ALERT_NATIVE 64
#define MW_ALERT_TEXT 6144 /* bytes of a text alert, with its colours */

struct mw_alert {
	char id[40], time[40], title[600];
	pid_t pid;
	const struct mw_identity_hint *hint; /* NULL: `pid` is all that is known */
	const struct mw_record *record;
	const struct mw_record_load *load;
	const struct mw_alert_options *options;
	struct mw_artifact artifact;
	const struct mw_location *at; /* never NULL */
	const struct mw_decision *decision;
	struct mw_digest digest;
	const struct mw_native_frame *unwound; /* by who gave the hint: `unwound_count` */
	int unwound_count;
	struct mw_native_frame native[MW_ALERT_NATIVE]; /* less our own on top of the effect */
	int native_count;
};

/* Whether the effect was kept from happening. */
bool mw_alert_prevented(const struct mw_alert *alert);

/* By the rule or the table (core/severity.h). */
enum mw_severity mw_alert_severity(const struct mw_alert *alert);

/* Fills everything but the title. `alert->record`, `load`, `at`, `decision`, `pid` and `options`
 * are set. Release with mw_alert_release(). */
void mw_alert_gather(struct mw_alert *alert, struct mw_unwinder *unwinder,
                     struct mw_hasher *hasher);
void mw_alert_release(struct mw_alert *alert);

/* Whether a native frame is the watcher's own. */
bool mw_alert_is_ours(const struct mw_native_frame *frame);

/* A UUID of version 7 (RFC 9562), and the time in it as RFC 3339 with nanoseconds. */
void mw_alert_stamp(char id[static 40], char time[static 40]);

/* One sentence: what was tried, by which call of which file, and whether it was prevented. Fit for
 * a terminal. */
void mw_alert_sentence(const struct mw_alert *alert, char *out, size_t size);

/* What was tried, without who and how: "run `sh -c id`". At most `max` bytes of what the process
 * chose. */
struct mw_text;
void mw_alert_deed(const struct mw_record_effect *effect, struct mw_text *out, size_t max);

/* An alert of modelwatch.alert/1 (docs/alerts.md): a new reference, or NULL when there is no
 * memory. */
json_t *mw_alert_json(const struct mw_alert *alert);

/* `load.artifact` of it. */
json_t *mw_alert_json_artifact(const struct mw_artifact *artifact, const struct mw_location *at,
                               const struct mw_digest *digest);

/* What updates change in an alert's JSON: its digest, and who has seen the effect, which is true
 * when that is news. */
void mw_alert_json_digest(json_t *alert, const struct mw_digest *digest);
bool mw_alert_json_seen(json_t *alert, enum mw_sensor sensor);

/* Sets the severity of an alert of ours whose outcome or evasion has changed, by what it says now.
 */
void mw_alert_json_severity(json_t *alert);

/* The alert as text for people, ending in a newline. Returns its length. */
size_t mw_alert_text(const struct mw_alert *alert, bool colour, char *out, size_t size);

/* The lines of its two stacks. */
void mw_alert_stacks(const struct mw_alert *alert, struct mw_text *out);

#endif
