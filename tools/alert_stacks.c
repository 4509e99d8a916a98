/* The two stacks as text: what lies between the load and the effect first, then who asked for the
 * load. Frames that are the interpreter's own machinery tell a reader nothing. */
#include <string.h>

#include "alert_parts.h"
#include "text.h"

#define INSIDE_MAX 6
#define OUTSIDE_MAX 4
#define NATIVE_MAX 6
#define NATIVE_OUTSIDE_MAX 2
#define FUNCTION_WIDTH 24
#define FUNCTION_SHOWN 40
#define FILE_SHOWN 58

static bool begins(const char *s, const char *word)
{
	return !strncmp(s, word, strlen(word));
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The name of a function in a column; `len` bytes at `s`. */
static void function_column(struct mw_text *out, const char *s, size_t len)
{
	size_t before = out->len;

	mw_text_add(out, "      ");
	mw_text_shown(out, s, len, FUNCTION_SHOWN);
	while (out->len - before < 6 + FUNCTION_WIDTH && out->len + 1 < out->size)
		mw_text_add(out, " ");
	mw_text_add(out, " ");
}

/* Of an installed package, the path below the directory where packages are; of the standard
 * library, below its own. */
static struct mw_str short_file(struct mw_str file)
{
	static const char *const dirs[] = {"/site-packages/", "/dist-packages/", "/lib/python3."};

	for (size_t i = 0; file.s && i < sizeof(dirs) / sizeof(*dirs); i++) {
		size_t n = strlen(dirs[i]);
		const char *at = memmem(file.s, file.len, dirs[i], n), *end = file.s + file.len;

		if (!at)
			continue;
		at += n;
		if (i == 2)
			at = memchr(at, '/', (size_t)(end - at));
		if (!at)
			continue;
		at += *at == '/';
		return (struct mw_str){at, (uint32_t)(end - at)};
	}
	return file;
}

static bool is_import_frame(const struct mw_pyframe *frame)
{
	return frame->file.s && frame->file.len > 8 && !memcmp(frame->file.s, "<frozen ", 8);
}

static void python_frame(const struct mw_pyframe *frame, struct mw_text *out)
{
	struct mw_str file = short_file(frame->file);

	function_column(out, frame->function.s ? frame->function.s : "?",
	                frame->function.s ? frame->function.len : 1);
	mw_text_tail(out, file.s ? file.s : "?", file.s ? file.len : 1, FILE_SHOWN);
	if (frame->line)
		mw_text_add(out, ":%u", frame->line);
	mw_text_add(out, "\n");
}

/* The frames from `from` to `to`, at most `max` of them. */
static void python_frames(const struct mw_record *record, uint32_t from, uint32_t to, uint32_t max,
                          struct mw_text *out)
{
	uint32_t shown = 0, left_out = 0;

	for (uint32_t i = from; i < to && i < MW_WIRE_FRAMES; i++) {
		if (is_import_frame(&record->frames[i]))
			continue;
		if (shown++ < max)
			python_frame(&record->frames[i], out);
		else
			left_out++;
	}
	if (left_out)
		mw_text_add(out, "      (%u more)\n", left_out);
}

static void python_stack(const struct mw_record *record, struct mw_text *out)
{
	if (!record->frame_count)
		return;
	mw_text_add(out, "   = python stack, innermost first:\n");
	python_frames(record, 0, record->inside, INSIDE_MAX, out);
	if (!record->inside)
		mw_text_add(out, "      (the stream itself makes the call)\n");
	mw_text_add(out, "      ---- loaded by\n");
	python_frames(record, record->inside, record->frame_count, OUTSIDE_MAX, out);
}

/* Symbols that stand between any two Python calls, and below main(). */
static bool is_machinery(const struct mw_native_frame *frame)
{
	static const char *const prefixes[] = {
	        "_Py",        "Py",          "cfunction_",    "method_vectorcall",
	        "pymain_",    "run_mod",     "run_eval",      "pyrun_",
	        "slot_tp_",   "type_call",   "partial_",      "builtin_exec",
	        "object_",    "import_",     "__libc_start",  "_start",
	        "main",       "sys_audit",   "call_function", "function_code_",
	        "do_call",    "vectorcall_", "wrap_",         "gen_",
	        "bounded_lru"};
	const char *object = base(frame->object);

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (begins(frame->symbol, prefixes[i]))
			return true;
	return !frame->symbol[0] && (begins(object, "python") || begins(object, "libpython") ||
	                             begins(object, "libc.so"));
}

static void native_frame(const struct mw_native_frame *frame, struct mw_text *out)
{
	const char *symbol = frame->symbol[0] ? frame->symbol : "??";
	const char *object = frame->object[0] ? base(frame->object) : "[no file]";

	function_column(out, symbol, strlen(symbol));
	mw_text_tail(out, object, strlen(object), FILE_SHOWN);
	mw_text_add(out, "+0x%llx\n", (unsigned long long)frame->offset);
}

/* On top stands whatever announced the effect; the next frame of ours is where the load was
 * entered. */
static void native_stack(const struct mw_alert *alert, struct mw_text *out)
{
	int i = 0, shown = 0, max = NATIVE_MAX;
	bool inside = true;

	while (i < alert->native_count &&
	       (mw_alert_is_ours(&alert->native[i]) || is_machinery(&alert->native[i])))
		i++;
	if (i == alert->native_count)
		return;
	mw_text_add(out, "   = native stack:\n");
	for (; i < alert->native_count && (inside || shown < max); i++) {
		if (mw_alert_is_ours(&alert->native[i])) {
			inside = false;
			shown = 0;
			max = NATIVE_OUTSIDE_MAX;
		} else if (shown < max && !is_machinery(&alert->native[i])) {
			if (!inside && !shown)
				mw_text_add(out, "      ---- loaded by\n");
			native_frame(&alert->native[i], out);
			shown++;
		}
	}
}

void mw_alert_stacks(const struct mw_alert *alert, struct mw_text *out)
{
	python_stack(alert->record, out);
	native_stack(alert, out);
}
