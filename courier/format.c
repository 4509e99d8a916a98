#include "format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format_parts.h"

#define WHOLE (1u << 20) /* nobody takes more in one piece */

static const char *const names[MW_FORMAT_COUNT] = {"native", "ocsf", "ecs", "cef"};
static const char *const versions[MW_OCSF_COUNT] = {"1.1.0", "1.3.0", "1.5.0", "1.8.0"};
static const char *const short_versions[MW_OCSF_COUNT] = {"1.1", "1.3", "1.5", "1.8"};

static void (*const renderers[MW_FORMAT_COUNT])(struct mw_writer *, const struct mw_view *) = {
        [MW_FORMAT_NATIVE] = mw_format_native,
        [MW_FORMAT_OCSF] = mw_format_ocsf,
        [MW_FORMAT_ECS] = mw_format_ecs,
        [MW_FORMAT_CEF] = mw_format_cef,
};

/* Texts of a record are cut after 4096 bytes by who made it, a byte that is no UTF-8 has become
 * three; OCSF 1.1 wants no more than 65535 characters. */
#define TEXT 16384
#define SHOWN 65000

#define UP_TO(part) ((2u << (part)) - 1)

/* Tried in turn until the text fits. The last one has no more than some thirty short texts, and
 * fits into MW_FORMAT_LEAST bytes whatever the record is. */
static const struct {
	unsigned int left_out;
	size_t text_max, shown_max, list_max;
	int depth_max;
} levels[] = {
        {0, TEXT, SHOWN, 256, 16},
        {UP_TO(MW_PART_NATIVE_STACK), TEXT, SHOWN, 256, 16},
        {UP_TO(MW_PART_PYTHON_REST), TEXT, SHOWN, 256, 16},
        {UP_TO(MW_PART_PYTHON_STACK), TEXT, SHOWN, 256, 16},
        {UP_TO(MW_PART_ARGV), TEXT, SHOWN, 256, 16},
        {UP_TO(MW_PART_ANCESTORS), TEXT, SHOWN, 256, 16},
        {UP_TO(MW_PART_ANCESTORS), 1024, 1024 * 2, 64, 16},
        {UP_TO(MW_PART_UNKNOWN), 512, 1024, 32, 16},
        {UP_TO(MW_PART_UNKNOWN), 256, 512, 32, 16},
        {UP_TO(MW_PART_OBSERVABLES), 160, 256, 16, 16},
        {UP_TO(MW_PART_OBSERVABLES), 96, 112, 16, 16},
        {UP_TO(MW_PART_EVIDENCE), 64, 72, 4, 1},
};
#define LEVELS (sizeof(levels) / sizeof(*levels))

const char *mw_format_name(enum mw_format format)
{
	return format < MW_FORMAT_COUNT ? names[format] : "?";
}

int mw_format_of(const char *name)
{
	for (int i = 0; i < MW_FORMAT_COUNT; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -EINVAL;
}

const char *mw_ocsf_name(enum mw_ocsf version)
{
	return version < MW_OCSF_COUNT ? short_versions[version] : "?";
}

int mw_ocsf_of(const char *name)
{
	for (int i = 0; i < MW_OCSF_COUNT; i++)
		if (!strcmp(name, short_versions[i]) || !strcmp(name, versions[i]))
			return i;
	return -EINVAL;
}

static void render_level(struct mw_writer *w, struct mw_view *view, enum mw_format format,
                         size_t level)
{
	w->len = 0;
	w->total = 0;
	w->counts = !level;
	w->error = 0;
	w->has_cut = w->needs_comma = false;
	w->text_max = levels[level].text_max;
	w->shown_max = levels[level].shown_max;
	w->list_max = levels[level].list_max;
	w->depth_max = levels[level].depth_max;
	view->left_out = levels[level].left_out;
	renderers[format](w, view);
}

int mw_format_render(const struct mw_emission *emission, const struct mw_format_options *options,
                     char **ret, size_t *ret_len)
{
	struct mw_writer w;
	struct mw_view view;
	int error = mw_view_read(emission, &view);

	if (error)
		return error;
	view.ocsf = options->ocsf;
	mw_writer_start(&w, options->max && options->max < WHOLE ? options->max : WHOLE);
	for (size_t level = 0; level < LEVELS; level++) {
		render_level(&w, &view, options->format, level);
		if (w.error != -EFBIG)
			break;
		if (!level)
			view.whole = w.total;
	}
	w.max++; /* for the NUL */
	mw_write_raw(&w, "", 1);
	if (w.error) {
		free(w.data);
		return w.error;
	}
	*ret = w.data;
	*ret_len = w.len - 1;
	return 0;
}

int mw_format_json(const struct mw_emission *emission, const struct mw_format_options *options,
                   json_t **ret)
{
	char *text;
	size_t len;
	int error;

	if (options->format == MW_FORMAT_CEF)
		return -EINVAL;
	error = mw_format_render(emission, options, &text, &len);
	if (error)
		return error;
	*ret = json_loadb(text, len, 0, NULL);
	free(text);
	return *ret ? 0 : -EINVAL;
}

void mw_write_command(struct mw_writer *w, const char *key, const json_t *argv)
{
	size_t count = json_array_size(argv);
	bool first = true;

	if (!count)
		return;
	mw_write_text_open(w, key);
	for (size_t i = 0; i < count && i < w->list_max; i++) {
		struct mw_str arg = mw_text_value(json_array_get(argv, i));

		if (!arg.s)
			continue;
		if (!first)
			mw_write_text_piece(w, " ", 1);
		mw_write_text_piece(w, arg.s, arg.len);
		first = false;
	}
	mw_write_text_close(w);
}

void mw_write_from(struct mw_writer *w, const char *key, const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);

	if (value && !json_is_null(value))
		mw_write_json(w, key, value);
}

void mw_write_frames(struct mw_writer *w, const struct mw_view *view, const json_t *frames)
{
	size_t list_max = w->list_max;

	if (!mw_has(view, MW_PART_PYTHON_REST) && list_max > MW_PYTHON_KEPT)
		w->list_max = MW_PYTHON_KEPT;
	mw_write_json(w, "python_stack", frames);
	w->list_max = list_max;
}

void mw_write_stacks(struct mw_writer *w, const struct mw_view *view)
{
	const json_t *python = json_object_get(view->emission->record, "python_stack");

	if (mw_has(view, MW_PART_PYTHON_STACK) && json_array_size(python))
		mw_write_frames(w, view, python);
	if (mw_has(view, MW_PART_NATIVE_STACK))
		mw_write_from(w, "native_stack", view->emission->record, "native_stack");
}

/* Those that a format has places for, or that would take the place of its own. */
static bool has_place(const char *key)
{
	static const char *const placed[] = {
	        "schema",       "id",           "time",     "version", "host",      "policy_digest",
	        "count",        "group",        "left_out", "job",     "container", "unit",
	        "user_unit",    "loginuid",     "atlas",    "effect",  "load",      "title",
	        "python_stack", "native_stack", "process",  "user",
	};

	for (size_t i = 0; i < sizeof(placed) / sizeof(*placed); i++)
		if (!strcmp(key, placed[i]))
			return true;
	return false;
}

void mw_write_rest(struct mw_writer *w, const struct mw_view *view)
{
	json_t *record = (json_t *)(uintptr_t)view->emission->record;
	size_t left = mw_has(view, MW_PART_UNKNOWN) ? w->list_max : 4;
	const char *key;
	json_t *value;

	json_object_foreach(record, key, value)
	{
		if (has_place(key) || json_is_null(value))
			continue;
		if (!left--) {
			w->has_cut = true;
			return;
		}
		mw_write_member(w, key, value);
	}
}

bool mw_is_truncated(const struct mw_writer *w, const struct mw_view *view)
{
	return view->left_out || w->has_cut;
}

const char *mw_part_word(enum mw_part part)
{
	static const char *const words[MW_PART_COUNT] = {
#define X(id, word) word,
	        MW_PARTS(X)
#undef X
	};

	return words[part];
}

void mw_write_left_out(struct mw_writer *w, const struct mw_view *view)
{
	if (!mw_is_truncated(w, view))
		return;
	mw_write_open(w, "left_out", '{');
	mw_write_open(w, "parts", '[');
	for (int i = 0; i < MW_PART_COUNT; i++)
		if (!mw_has(view, (enum mw_part)i))
			mw_write_word(w, NULL, mw_part_word((enum mw_part)i));
	mw_write_close(w, ']');
	if (w->has_cut) {
		mw_write_number(w, "text_max", (int64_t)w->text_max);
		mw_write_number(w, "list_max", (int64_t)w->list_max);
	}
	if (view->whole)
		mw_write_number(w, "bytes", (int64_t)view->whole);
	mw_write_close(w, '}');
}
