#include "alert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert_file.h"
#include "alert_parts.h"
#include "courier.h"
#include "fields.h"
#include "identity.h"
#include "journal.h"
#include "reporter.h"
#include "terminal.h"
#include "text.h"
#include "when.h"
#include "write.h"

#define RECENT_MAX MW_HASHER_JOBS
#define PATIENCE_MS 1700 /* together with giving up, within 2 s */
#define FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII)

/* An alert that is written: updates may follow. */
struct recent {
	char id[40];
	char *line;   /* as it was written last; NULL: free */
	uint64_t job; /* of its digest; 0: none is being made */
	int update;
	bool held; /* kept back: there is no line yet */
};

struct mw_alerts {
	struct mw_alert_options options;
	char digest[80], journal_path[PATH_MAX];
	bool colour;
	struct mw_alert_file file, journal;
	struct mw_unwinder *unwinder;
	struct mw_hasher *hasher;
	struct recent recent[RECENT_MAX]; /* a ring, but for those that wait for a digest */
	size_t next;
	struct mw_alerts_sum sum;
	struct mw_tally tally;
	uint64_t unread;       /* alerts that stderr had no room for */
	struct mw_alert alert; /* the one being made: too large for the stack */
	char text[MW_ALERT_TEXT];
};

/* The texts are copied to places of their own. */
static void take_options(struct mw_alerts *a, const struct mw_alert_options *options)
{
	json_t *before = a->options.labels;

	a->options = *options;
	json_incref(a->options.labels);
	json_decref(before);
	if (options->policy_digest) {
		snprintf(a->digest, sizeof(a->digest), "%s", options->policy_digest);
		a->options.policy_digest = a->digest;
	}
	if (options->journal) {
		snprintf(a->journal_path, sizeof(a->journal_path), "%s", options->journal);
		a->options.journal = a->journal_path;
	}
}

int mw_alerts_open(const struct mw_alert_options *options, struct mw_alerts **ret)
{
	struct mw_alerts *a = calloc(1, sizeof(*a));
	int error = -ENOMEM;

	if (!a)
		return -ENOMEM;
	take_options(a, options);
	a->colour = mw_terminal_colour(STDERR_FILENO);
	a->file.out.fd = a->journal.out.fd = -1;
	a->alert.options = &a->options;
	if (options->alerts_path)
		error = mw_alert_file_open(&a->file, options->alerts_path);
	else
		error = 0;
	if (!error)
		error = mw_unwinder_new(&a->unwinder);
	if (!error)
		error = mw_hasher_new(&a->hasher);
	if (error) {
		mw_alerts_close(a);
		return error;
	}
	*ret = a;
	return 0;
}

void mw_alerts_hold(struct mw_alerts *a, mw_alert_hold *hold, void *context)
{
	a->options.hold = hold;
	a->options.hold_context = context;
}

void mw_alerts_identities(struct mw_alerts *a, struct mw_identity_cache *identities)
{
	a->options.identities = identities;
}

/* Who does not read is waited for once; until there is room again what comes is only counted. */
static void write_shown(struct mw_alerts *a, const char *text, size_t len)
{
	char line[120];
	int n = 0;

	if (a->unread)
		n = snprintf(line, sizeof(line),
		             "modelwatch: %llu alerts were not shown here: nobody read\n",
		             (unsigned long long)a->unread);
	if ((!n || !mw_write_patiently(STDERR_FILENO, line, (size_t)n, 0)) &&
	    mw_write_patiently(STDERR_FILENO, text, len, n ? 0 : MW_PATIENCE_MS) != -EAGAIN)
		a->unread = 0;
	else
		a->unread++;
}

static void show(struct mw_alerts *a, const char *line, size_t len)
{
	if (a->options.quiet)
		return;
	if (a->options.format == MW_TEXT) {
		len = mw_alert_text(&a->alert, a->colour, a->text, sizeof(a->text));
		line = a->text;
	}
	write_shown(a, line, len);
}

/* The alert as one line with its newline; the caller frees it. NULL when there is no memory. */
static char *dump(const json_t *json, size_t *ret_len)
{
	size_t len = json_dumpb(json, NULL, 0, FLAGS);
	char *line = len ? malloc(len + 2) : NULL;

	if (!line)
		return NULL;
	json_dumpb(json, line, len, FLAGS);
	line[len] = '\n';
	line[len + 1] = '\0';
	*ret_len = len + 1;
	return line;
}

/* The place of the oldest alert that waits for nothing, or NULL when all wait. */
static struct recent *make_place(struct mw_alerts *a)
{
	for (size_t i = 0; i < RECENT_MAX; i++) {
		struct recent *recent = &a->recent[a->next];

		a->next = (a->next + 1) % RECENT_MAX;
		if (recent->job || recent->held)
			continue;
		free(recent->line);
		*recent = (struct recent){0};
		return recent;
	}
	return NULL;
}

/* Opened with the first alert: where nothing happens, nothing is made. */
static void write_journal(struct mw_alerts *a, const char *line, size_t len)
{
	struct mw_alert_file *journal = &a->journal;

	if (!a->options.journal)
		return;
	if (!journal->path) {
		mw_journal_prepare(a->options.journal);
		journal->path = strdup(a->options.journal);
	}
	journal->said = true;
	if (journal->path)
		mw_alert_file_write(journal, line, len);
}

static void write_line(struct mw_alerts *a, const char *line, size_t len)
{
	/* First to the courier: from there on it is safe whatever becomes of us. */
	if (a->options.courier)
		mw_courier_send(a->options.courier, line, len);
	write_journal(a, line, len);
	if (a->file.path)
		mw_alert_file_write(&a->file, line, len);
	if (a->options.reporter)
		mw_reporter_send(a->options.reporter, line, len);
}

/* By what is written first: what was kept back may have become more severe. */
static void add_to_tally(struct mw_alerts *a, const json_t *alert)
{
	int severity = mw_field_word(alert, "severity", mw_severity_parse);
	int verdict = mw_field_word(alert, "verdict", mw_verdict_parse);

	if (severity >= 0 && verdict >= 0)
		mw_tally_add(&a->tally, mw_field_text(alert, "rule"), (enum mw_severity)severity,
		             (enum mw_verdict)verdict);
}

static void count(struct mw_alerts *a, const struct mw_alert *alert)
{
	if (alert->decision->requested < MW_ALERT)
		return;
	if (!a->sum.first[0])
		memcpy(a->sum.first, alert->id, sizeof(a->sum.first));
	if (mw_alert_prevented(alert))
		a->sum.prevented++;
	else
		a->sum.let_go++;
}

/* What updates need to know of it. Takes `line`. */
static void remember(struct recent *place, const struct mw_alert *alert, char *line, bool held)
{
	if (!place) {
		free(line);
		return;
	}
	memcpy(place->id, alert->id, sizeof(place->id));
	place->line = line;
	place->held = held;
	if ((line || held) && alert->digest.state == MW_DIGEST_PENDING)
		place->job = alert->digest.job;
}

/* Returns the line that was written; NULL when it is held or there is no memory. Shown it is
 * always at once where that takes the record. */
static char *write_first(struct mw_alerts *a, json_t *json, bool held)
{
	size_t len = 0;
	char *line = json && !held ? dump(json, &len) : NULL;

	if (line)
		write_line(a, line, len);
	if (line || !held || a->options.format == MW_TEXT)
		show(a, line ? line : "", len);
	return line;
}

void mw_alerts_hint(struct mw_alerts *a, const struct mw_identity_hint *hint,
                    const struct mw_native_frame *native, int count)
{
	a->alert.hint = hint;
	a->alert.unwound = native;
	a->alert.unwound_count = count;
}

void mw_alerts_effect(struct mw_alerts *a, pid_t pid, const struct mw_record *record,
                      const struct mw_record_load *load, const struct mw_location *at,
                      const struct mw_decision *decision, char ret_id[static 40],
                      char ret_title[static 600])
{
	struct mw_alert *alert = &a->alert;
	struct recent *place = make_place(a);
	json_t *json;
	char *line;
	bool held;

	alert->pid = pid;
	alert->record = record;
	alert->load = load;
	alert->at = at;
	alert->decision = decision;
	mw_alert_gather(alert, a->unwinder, a->hasher);
	if (alert->digest.state == MW_DIGEST_PENDING && !place)
		alert->digest.state = MW_DIGEST_UNAVAILABLE;
	mw_alert_sentence(alert, alert->title, sizeof(alert->title));
	json = mw_alert_json(alert);
	held = json && a->options.hold &&
	       a->options.hold(a->options.hold_context, pid, record, json);
	line = write_first(a, json, held);
	if (!held)
		add_to_tally(a, json);
	json_decref(json);
	count(a, alert);
	memcpy(ret_id, alert->id, sizeof(alert->id));
	memcpy(ret_title, alert->title, sizeof(alert->title));
	remember(place, alert, line, held);
	mw_alert_release(alert);
	alert->hint = NULL;
}

void mw_alerts_sum(const struct mw_alerts *a, struct mw_alerts_sum *ret)
{
	*ret = a->sum;
}

const struct mw_tally *mw_alerts_tally(const struct mw_alerts *a)
{
	return &a->tally;
}

int mw_alerts_digest(struct mw_alerts *a, const struct mw_artifact *artifact, int patience_ms,
                     char ret[static MW_SHA256_HEX])
{
	struct mw_digest digest = {.state = MW_DIGEST_UNAVAILABLE};

	if (artifact->fd >= 0)
		mw_hasher_ask(a->hasher, artifact->fd, &artifact->status, &digest);
	if (digest.state == MW_DIGEST_PENDING)
		mw_hasher_await(a->hasher, patience_ms, &digest);
	if (digest.state != MW_DIGEST_DONE)
		return -ENODATA;
	memcpy(ret, digest.sha256, sizeof(digest.sha256));
	return 0;
}

/* The same alert once more, with what is known now. Takes `json`. */
static void write_update(struct mw_alerts *a, struct recent *recent, json_t *json)
{
	size_t len = 0;
	char *line;

	json_object_set_new(json, "update", json_integer(++recent->update));
	mw_alert_json_severity(json);
	line = dump(json, &len);
	json_decref(json);
	if (!line)
		return;
	write_line(a, line, len);
	if (!a->options.quiet && a->options.format == MW_JSON)
		write_shown(a, line, len);
	free(recent->line);
	recent->line = line;
}

static struct recent *find(struct mw_alerts *a, struct mw_str id)
{
	for (size_t i = 0; i < RECENT_MAX; i++) {
		struct recent *recent = &a->recent[i];

		if ((recent->line || recent->held) && strlen(recent->id) == id.len &&
		    !memcmp(recent->id, id.s, id.len))
			return recent;
	}
	return NULL;
}

static int amend(struct mw_alerts *a, struct recent *recent, mw_alert_change *change, void *context)
{
	json_t *json = recent && recent->line ? json_loads(recent->line, 0, NULL) : NULL;

	if (!json)
		return -ENOENT;
	if (change(context, json))
		write_update(a, recent, json);
	else
		json_decref(json);
	return 0;
}

int mw_alerts_amend(struct mw_alerts *a, struct mw_str id, mw_alert_change *change, void *context)
{
	return amend(a, find(a, id), change, context);
}

void mw_alerts_amend_all(struct mw_alerts *a, const char *word, mw_alert_change *change,
                         void *context)
{
	for (size_t i = 0; i < RECENT_MAX; i++)
		if (a->recent[i].line && strstr(a->recent[i].line, word))
			amend(a, &a->recent[i], change, context);
}

static bool add_sensor(void *context, json_t *alert)
{
	const enum mw_sensor *sensor = context;

	return mw_alert_json_seen(alert, *sensor);
}

void mw_alerts_join(struct mw_alerts *a, struct mw_str id, enum mw_sensor sensor)
{
	mw_alerts_amend(a, id, add_sensor, &sensor);
}

/* One of somebody else is no more than its title for people. */
static void show_written(struct mw_alerts *a, const char *title, const char *line, size_t len)
{
	char text[700];
	struct mw_text t;

	if (a->options.quiet)
		return;
	if (a->options.format == MW_TEXT) {
		mw_text_start(&t, text, sizeof(text));
		mw_text_add(&t, "modelwatch: reported: ");
		mw_text_shown(&t, title, strlen(title), 600);
		mw_text_add(&t, "\n");
		line = text;
		len = t.len;
	}
	write_shown(a, line, len);
}

/* Somebody else's names its reporter. */
static bool is_of_ours(const json_t *alert)
{
	return json_is_null(json_object_get(alert, "reporter"));
}

void mw_alerts_write(struct mw_alerts *a, json_t *alert)
{
	const char *id = json_string_value(json_object_get(alert, "id"));
	const char *title = json_string_value(json_object_get(alert, "title"));
	struct recent *recent = id ? find(a, (struct mw_str){id, (uint32_t)strlen(id)}) : NULL;
	bool ours = recent && recent->held;
	size_t len = 0;
	char *line;

	if (is_of_ours(alert))
		add_to_tally(a, alert);
	if (a->options.identities)
		mw_identity_complete(a->options.identities, alert);
	line = dump(alert, &len);

	if (line) {
		write_line(a, line, len);
		if (a->options.format == MW_JSON || (!ours && title))
			show_written(a, title ? title : "", line, len);
	}
	json_decref(alert);
	if (!ours) {
		free(line);
		return;
	}
	recent->line = line;
	recent->held = false;
	mw_alerts_poll(a); /* its digest may have been ready before */
}

static json_t *loss_json(const struct mw_loss *loss)
{
	char id[40], now[40], since[MW_WHEN_TEXT] = "";
	json_t *hooks = loss->hooks ? json_incref(loss->hooks) : json_object(), *json;

	mw_alert_stamp(id, now);
	if (loss->since > 0)
		mw_when_text(loss->since, since);
	json = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:o, s:s?, s:o, s:s}", "schema",
	                 "modelwatch.loss/1", "id", id, "time", now, "lost",
	                 (json_int_t)(loss->is_effect ? loss->count : 0), "reason", loss->reason,
	                 "kind", loss->kind, "count", (json_int_t)loss->count, "hooks", hooks,
	                 "since", since[0] ? since : NULL, "host", mw_identity_host(), "version",
	                 MW_VERSION);
	if (json && loss->severity)
		json_object_set_new(json, "severity",
		                    json_string(mw_severity_name(loss->severity)));
	return json;
}

static void show_loss(struct mw_alerts *a, const struct mw_loss *loss, const char *line, size_t len)
{
	char text[300];

	if (a->options.quiet)
		return;
	if (a->options.format == MW_TEXT) {
		snprintf(text, sizeof(text), "modelwatch: not seen, %llu times: %s\n",
		         (unsigned long long)loss->count, loss->reason);
		line = text;
		len = strlen(text);
	}
	write_shown(a, line, len);
}

void mw_alerts_loss(struct mw_alerts *a, const struct mw_loss *loss)
{
	json_t *json = loss_json(loss);
	size_t len = 0;
	char *line = json ? dump(json, &len) : NULL;

	json_decref(json);
	if (line)
		write_line(a, line, len);
	show_loss(a, loss, line ? line : "", len);
	free(line);
}

int mw_alerts_reopen(struct mw_alerts *a, const struct mw_alert_options *options)
{
	struct mw_alert_options merged = *options;
	struct mw_alert_file file = {.out.fd = -1};
	int error = 0;

	if (options->alerts_path)
		error = mw_alert_file_open(&file, options->alerts_path);
	if (error)
		return error;
	mw_alert_file_close(&a->file);
	a->file = file;
	merged.hold = a->options.hold;
	merged.hold_context = a->options.hold_context;
	merged.identities = a->options.identities;
	take_options(a, &merged);
	return 0;
}

int mw_alerts_fd(struct mw_alerts *a)
{
	return mw_hasher_fd(a->hasher);
}

void mw_alerts_poll(struct mw_alerts *a)
{
	struct mw_digest digest;
	json_t *json;

	for (size_t i = 0; i < RECENT_MAX; i++) {
		struct recent *recent = &a->recent[i];

		if (!recent->job || recent->held)
			continue;
		mw_hasher_result(a->hasher, recent->job, &digest);
		if (digest.state == MW_DIGEST_PENDING)
			continue;
		recent->job = 0;
		json = json_loads(recent->line, 0, NULL);
		if (!json)
			continue;
		mw_alert_json_digest(json, &digest);
		write_update(a, recent, json);
	}
}

void mw_alerts_close(struct mw_alerts *a)
{
	if (!a)
		return;
	if (a->hasher) {
		mw_hasher_stop(a->hasher, PATIENCE_MS);
		mw_alerts_poll(a);
	}
	for (size_t i = 0; i < RECENT_MAX; i++)
		free(a->recent[i].line);
	mw_hasher_free(a->hasher);
	mw_unwinder_free(a->unwinder);
	mw_alert_file_close(&a->file);
	json_decref(a->options.labels);
	a->journal.lost = 0;
	mw_alert_file_close(&a->journal);
	free(a);
}
