/* The record itself, with what the spool gives it. */
#include <string.h>

#include "format_parts.h"

/* Members of the record and of the objects in it that are left out, and what stands for them, so
 * that the schema still holds. */
static const struct {
	const char *within, *name; /* within NULL: of the record */
	enum mw_part part;
	const char *instead;
} spared[] = {
        {NULL, "native_stack", MW_PART_NATIVE_STACK, "[]"},
        {NULL, "python_stack", MW_PART_PYTHON_STACK, "[]"},
        {NULL, "labels", MW_PART_DETAILS, "{}"},
        {NULL, "reports", MW_PART_DETAILS, "[]"},
        {NULL, "hooks", MW_PART_DETAILS, "{}"},
        {"process", "argv", MW_PART_ARGV, "null"},
        {"process", "ancestors", MW_PART_ANCESTORS, "[]"},
        {"user", "groups", MW_PART_DETAILS, "[]"},
        {"effect", "argv", MW_PART_EFFECT_ARGV, "null"},
        {"effect", "facts", MW_PART_DETAILS, "[]"},
};

/* Members that stay when those that nobody knows are left out; the first ones when almost all is.
 */
static const char *const known[] = {
        "schema",  "id",           "update",       "time",      "rule",    "title",  "severity",
        "verdict", "outcome",      "count",        "group",     "lost",    "reason", "kind",
        "mode",    "rung",         "version",      "requested", "effect",  "load",   "process",
        "user",    "job",          "container",    "host",      "policy",  "labels", "reporter",
        "reports", "cause",        "sensor",       "seen_by",   "evasion", "hooks",  "since",
        "losses",  "python_stack", "native_stack",
};
#define ESSENTIAL 17

static bool is_known(const char *key, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(key, known[i]))
			return true;
	return false;
}

static const char *instead_of(const struct mw_view *view, const char *within, const char *key)
{
	for (size_t i = 0; i < sizeof(spared) / sizeof(*spared); i++) {
		bool here = within && spared[i].within ? !strcmp(within, spared[i].within)
		                                       : within == spared[i].within;

		if (here && !mw_has(view, spared[i].part) && !strcmp(key, spared[i].name))
			return spared[i].instead;
	}
	return NULL;
}

static void write_member(struct mw_writer *w, const struct mw_view *view, const char *within,
                         const char *key, const json_t *value);

static void write_object(struct mw_writer *w, const struct mw_view *view, const char *key,
                         const char *within, const json_t *object)
{
	json_t *shared = (json_t *)(uintptr_t)object;
	size_t left = w->list_max;
	void *at = json_object_iter(shared);

	mw_write_open(w, key, '{');
	for (; at && left; at = json_object_iter_next(shared, at), left--)
		write_member(w, view, within, json_object_iter_key(at), json_object_iter_value(at));
	w->has_cut |= at != NULL;
	mw_write_close(w, '}');
}

/* `effect.detail` counts as `effect`. */
static void write_member(struct mw_writer *w, const struct mw_view *view, const char *within,
                         const char *key, const json_t *value)
{
	static const char *const with_spared[] = {"process", "user", "effect", "detail"};
	const char *instead = instead_of(view, within, key);

	if (instead) {
		mw_write_raw_member(w, key, instead);
		return;
	}
	if (!within && !strcmp(key, "python_stack")) {
		mw_write_frames(w, view, value);
		return;
	}
	for (size_t i = 0; i < sizeof(with_spared) / sizeof(*with_spared); i++) {
		if (!json_is_object(value) || strcmp(key, with_spared[i]) != 0)
			continue;
		write_object(w, view, with_spared[i], i == 3 ? "effect" : with_spared[i], value);
		return;
	}
	mw_write_member(w, key, value);
}

void mw_write_effect(struct mw_writer *w, const struct mw_view *view)
{
	if (view->effect)
		write_object(w, view, "effect", "effect", view->effect);
}

/* What the spool says, whatever a record claims. */
static void write_emission(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_text(w, "uid", mw_our(view->emission->uid));
	mw_write_number(w, "sequence", (int64_t)view->emission->sequence);
}

void mw_format_native(struct mw_writer *w, const struct mw_view *view)
{
	json_t *record = (json_t *)(uintptr_t)view->emission->record;
	bool whole = mw_has(view, MW_PART_UNKNOWN);
	size_t count = mw_has(view, MW_PART_WHO) ? sizeof(known) / sizeof(*known) : ESSENTIAL;
	size_t left = w->list_max;
	void *at;

	mw_write_open(w, NULL, '{');
	for (at = json_object_iter(record); at && left; at = json_object_iter_next(record, at)) {
		const char *key = json_object_iter_key(at);

		if (!strcmp(key, "uid") || !strcmp(key, "sequence") || !strcmp(key, "left_out") ||
		    !(whole || is_known(key, count)))
			continue;
		write_member(w, view, NULL, key, json_object_iter_value(at));
		left -= whole;
	}
	write_emission(w, view);
	mw_write_left_out(w, view);
	mw_write_close(w, '}');
}
