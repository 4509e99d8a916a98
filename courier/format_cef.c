/* ArcSight's Common Event Format. docs/formats.md has the table. */
#include <stdio.h>
#include <string.h>

#include "format_parts.h"

#define FIELD 1023 /* characters that receivers have room for in most fields */

static void open_field(struct mw_writer *w, const char *key)
{
	if (w->needs_comma)
		mw_write_raw(w, " ", 1);
	w->needs_comma = true;
	mw_write_raw(w, key, strlen(key));
	mw_write_raw(w, "=", 1);
	w->text_left = w->text_max < FIELD ? w->text_max : FIELD;
	w->shown_left = w->shown_max;
}

static void text(struct mw_writer *w, const char *key, struct mw_str value)
{
	if (!value.s || !value.len)
		return;
	open_field(w, key);
	mw_write_cef(w, value, false);
}

static void number(struct mw_writer *w, const char *key, int64_t value)
{
	char digits[24];

	if (value < 0)
		return;
	snprintf(digits, sizeof(digits), "%lld", (long long)value);
	text(w, key, mw_our(digits));
}

/* A field of our own: its label, then its value. */
static void labelled(struct mw_writer *w, const char *key, const char *label, struct mw_str value)
{
	char name[32];

	if (!value.s || !value.len)
		return;
	snprintf(name, sizeof(name), "%sLabel", key);
	text(w, name, mw_our(label));
	text(w, key, value);
}

static const char *severity_of(const struct mw_view *view)
{
	static const char *const severities[MW_SEVERITY_COUNT] = {"0", "3", "5", "8", "10"};

	return view->severity < 0 ? "5" : severities[view->severity];
}

static void header_text(struct mw_writer *w, struct mw_str value, size_t max)
{
	w->text_left = w->text_max < max ? w->text_max : max;
	w->shown_left = w->shown_max;
	mw_write_cef(w, value.s ? value : mw_our("?"), true);
	mw_write_raw(w, "|", 1);
}

static void header(struct mw_writer *w, const struct mw_view *view)
{
	static const char begin[] = "CEF:0|modelwatch|modelwatch|";
	static const char *const ids[MW_RECORD_KINDS] = {
	        [MW_RECORD_LOSS] = "modelwatch-loss",
	        [MW_RECORD_HEARTBEAT] = "modelwatch-heartbeat",
	        [MW_RECORD_INVENTORY] = "modelwatch-inventory"};
	const char *id = ids[view->kind];

	mw_write_raw(w, begin, sizeof(begin) - 1);
	header_text(w, view->version, 31);
	header_text(w, id ? mw_our(id) : view->rule, 255);
	header_text(w, view->title, 511);
	header_text(w, mw_our(severity_of(view)), 2);
}

static void command(struct mw_writer *w, const char *key, const json_t *argv)
{
	size_t count = json_array_size(argv);

	if (!count)
		return;
	open_field(w, key);
	for (size_t i = 0; i < count; i++) {
		if (i)
			mw_write_cef(w, mw_our(" "), false);
		mw_write_cef(w, mw_text_value(json_array_get(argv, i)), false);
	}
}

static void what(struct mw_writer *w, const struct mw_view *view)
{
	const json_t *record = view->emission->record;

	text(w, "externalId", mw_our(view->emission->uid));
	number(w, "rt", mw_ms(view->last));
	number(w, "start", mw_ms(view->first));
	number(w, "end", mw_ms(view->last));
	number(w, "cnt", (int64_t)view->count);
	text(w, "dvchost", view->host_name);
	text(w, "cat", mw_text_of(view->effect, "class"));
	text(w, "act", mw_text_of(record, "verdict"));
	text(w, "outcome", mw_text_of(record, "outcome"));
	text(w, "reason", mw_text_of(record, "reason"));
	text(w, "msg", view->title);
	labelled(w, "flexString1", "finding", view->id);
	labelled(w, "flexString2", "finding on every host", view->key);
	text(w, "modelwatchPolicy", view->digest);
	text(w, "modelwatchMode", view->mode);
}

static void artifact(struct mw_writer *w, const struct mw_view *view)
{
	text(w, "fname", mw_base_of(view->path));
	text(w, "filePath", view->path);
	number(w, "fsize", mw_number_of(view->artifact, "size"));
	text(w, "fileHash", view->sha256);
	labelled(w, "cs1", "stream digest", view->stream_sha256);
	labelled(w, "cs2", "call", mw_text_of(view->load, "call"));
}

static void effect(struct mw_writer *w, const struct mw_view *view)
{
	if (json_array_size(view->program_argv) && mw_has(view, MW_PART_EFFECT_ARGV)) {
		text(w, "cs3Label", mw_our("command"));
		command(w, "cs3", view->program_argv);
	} else {
		labelled(w, "cs3", "target", view->target);
	}
	text(w, mw_is_address(view->address) ? "dst" : "dhost", view->address);
	number(w, "dpt", view->port);
}

static void who(struct mw_writer *w, const struct mw_view *view)
{
	if (!mw_has(view, MW_PART_WHO))
		return;
	number(w, "spid", mw_number_of(view->process, "pid"));
	text(w, "sproc", mw_text_of(view->process, "exe"));
	number(w, "suid", mw_number_of(view->user, "uid"));
	text(w, "suser", mw_text_of(view->user, "name"));
	labelled(w, "cs5", "container", mw_text_of(view->container, "id"));
	labelled(w, "cs6", "job", mw_text_of(view->job, "id"));
}

static void techniques(struct mw_writer *w, const struct mw_view *view)
{
	const struct mw_technique *technique;
	bool first = true;

	if (!view->techniques || !mw_has(view, MW_PART_ATTACKS))
		return;
	text(w, "cs4Label", mw_our("MITRE techniques"));
	open_field(w, "cs4");
	for (unsigned int bit = 0; (technique = mw_technique(bit)); bit++) {
		if (!(view->techniques >> bit & 1))
			continue;
		mw_write_cef(w, mw_our(first ? "" : ","), false);
		mw_write_cef(w, mw_our(technique->sub ? technique->sub : technique->id), false);
		first = false;
	}
}

/* Words of our own, in which nothing is special. */
static void left_out(struct mw_writer *w, const struct mw_view *view)
{
	const char *what = w->has_cut ? "long texts" : "parts";

	if (!mw_is_truncated(w, view))
		return;
	open_field(w, "modelwatchLeftOut");
	mw_write_raw(w, what, strlen(what));
	for (int i = 0; i < MW_PART_COUNT; i++) {
		const char *word = mw_part_word((enum mw_part)i);

		if (mw_has(view, (enum mw_part)i))
			continue;
		mw_write_raw(w, "; ", 2);
		mw_write_raw(w, word, strlen(word));
	}
}

void mw_format_cef(struct mw_writer *w, const struct mw_view *view)
{
	header(w, view);
	w->needs_comma = false; /* a blank, here */
	what(w, view);
	artifact(w, view);
	effect(w, view);
	who(w, view);
	techniques(w, view);
	left_out(w, view);
}
