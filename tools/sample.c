#include "sample.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "../core/words.h"
#include "fields.h"
#include "text.h"

#define NAME 128
#define TEXT 512
#define FRAME 200
#define PYTHON_FRAMES 48
#define NATIVE_FRAMES 64
#define ANCESTORS 16

static bool add_to_key(json_t *key, const json_t *value)
{
	return !json_array_append_new(key, value ? json_deep_copy(value) : json_null());
}

int mw_sample_key(const json_t *alert, char ret[static MW_SHA256_HEX])
{
	static const char *const fields[] = {
	        "rule",          "load.artifact.path", "load.artifact.stream_sha256",
	        "load.call",     "effect.class",       "user.uid",
	        "user.name",     "job.kind",           "job.id",
	        "effect.detail",
	};
	const size_t count = sizeof(fields) / sizeof(fields[0]);
	json_t *key = json_array(), *detail;
	char *text = NULL;
	int error = -ENOMEM;
	bool good = key != NULL;

	for (size_t i = 0; good && i < count; i++)
		good = add_to_key(key, mw_field(alert, fields[i]));
	/* The same file changed by os.open and by open() is the same target. */
	detail = json_array_get(key, count - 1);
	json_object_del(detail, "op");
	json_object_del(detail, "facts");
	json_object_del(detail, "number");
	if (good)
		text = json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS);
	if (text)
		error = mw_sha256(text, strlen(text), ret);
	free(text);
	json_decref(key);
	return error;
}

/* The words of a command line, as one would read them. */
static void command(const json_t *argv, struct mw_text *out)
{
	for (size_t i = 0; i < json_array_size(argv) && out->len + 1 < out->size; i++) {
		const json_t *word = json_array_get(argv, i);
		const char *text = json_string_value(word);
		size_t len = json_string_length(word);
		bool plain = text && len && !strpbrk(text, " \t\n'\"\\$|&;<>()*?#`");

		mw_text_add(out, "%s%s", i ? " " : "", plain ? "" : "'");
		mw_text_shown(out, text ? text : "?", text ? len : 1, TEXT);
		mw_text_add(out, "%s", plain ? "" : "'");
	}
}

static json_t *command_of(const json_t *argv)
{
	char line[MW_SHOWN_MAX];
	struct mw_text t;

	mw_text_start(&t, line, sizeof(line));
	command(argv, &t);
	return mw_shown_bytes(line, t.len, TEXT);
}

static json_t *address_of(const json_t *detail)
{
	const json_t *address = mw_field(detail, "address");
	char text[MW_SHOWN_MAX];
	struct mw_text t;
	uint64_t port;

	if (!json_is_string(address))
		return mw_shown_field(detail, "path", TEXT);
	mw_text_start(&t, text, sizeof(text));
	mw_text_shown(&t, json_string_value(address), json_string_length(address), TEXT);
	if (mw_field_number(detail, "port", &port))
		mw_text_add(&t, strchr(text, ':') ? " port %llu" : ":%llu",
		            (unsigned long long)port);
	return mw_shown_bytes(text, t.len, TEXT);
}

static json_t *paths_of(const json_t *detail)
{
	const json_t *first = mw_field(detail, "path"), *second = mw_field(detail, "path2");
	char text[MW_SHOWN_MAX];
	struct mw_text t;

	if (!json_is_string(first) || !json_is_string(second))
		return mw_shown(first ? first : second, TEXT);
	mw_text_start(&t, text, sizeof(text));
	mw_text_shown(&t, json_string_value(first), json_string_length(first), TEXT / 2 - 8);
	mw_text_add(&t, " -> ");
	mw_text_shown(&t, json_string_value(second), json_string_length(second), TEXT / 2 - 8);
	return mw_shown_bytes(text, t.len, TEXT);
}

json_t *mw_sample_target(const json_t *alert)
{
	const json_t *detail = mw_field(alert, "effect.detail");
	const char *class = mw_field_text(alert, "effect.class");

	switch (class ? mw_class_parse(class) : -1) {
	case MW_EXEC:
		if (json_array_size(mw_field(detail, "argv")))
			return command_of(mw_field(detail, "argv"));
		return mw_shown_field(detail, "path", TEXT);
	case MW_CONNECT:
	case MW_SEND:
	case MW_LISTEN:
		return address_of(detail);
	case MW_WRITE:
	case MW_READ:
		return paths_of(detail);
	case MW_MAP:
		return mw_shown_field(detail, "library", TEXT);
	case MW_LIMIT:
		return mw_shown_field(detail, "op", TEXT);
	default:
		return mw_shown_field(detail, "target", TEXT);
	}
}

struct field {
	const char *name, *path;
	size_t max;
};

/* `out` gets what `from` has of them: text that is fit to be shown, a number, a truth, or null. */
static void copy(json_t *out, const json_t *from, const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *value = mw_field(from, fields[i].path);
		bool plain = json_is_integer(value) || json_is_boolean(value);

		json_object_set_new(out, fields[i].name,
		                    plain ? json_deep_copy(value) : mw_shown(value, fields[i].max));
	}
}

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

static json_t *part(const json_t *from, const struct field *fields, size_t count)
{
	json_t *out = json_object();

	copy(out, from, fields, count);
	return out;
}

static json_t *list(const json_t *from, size_t max, const struct field *fields, size_t count)
{
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(from) && i < max; i++)
		json_array_append_new(out, part(json_array_get(from, i), fields, count));
	return out;
}

/* What is before the outcome, which is the alert's own and not its group's. */
static json_t *title_of(const json_t *alert)
{
	static const char *const ends[] = {": not prevented", ": prevented"};
	const json_t *title = mw_field(alert, "title");
	size_t len = json_string_length(title);

	if (!json_is_string(title))
		return json_null();
	for (size_t i = 0; i < COUNT(ends); i++) {
		size_t end = strlen(ends[i]);

		if (len > end && !memcmp(json_string_value(title) + len - end, ends[i], end)) {
			len -= end;
			break;
		}
	}
	return mw_shown_bytes(json_string_value(title), len, 600);
}

static json_t *range_of(const json_t *alert)
{
	const json_t *range = mw_field(alert, "load.offset_range");
	json_int_t first = json_integer_value(json_array_get(range, 0));
	json_int_t last = json_integer_value(json_array_get(range, 1));

	return json_array_size(range) == 2 ? json_pack("[I, I]", first, last) : json_null();
}

static json_t *optional(const json_t *from, const struct field *fields, size_t count)
{
	return json_is_object(from) ? part(from, fields, count) : json_null();
}

json_t *mw_sample_process(const json_t *alert)
{
	static const struct field own[] = {
	        {"pid", "process.pid", NAME},    {"start_time", "process.start_time", 40},
	        {"exe", "process.exe", FRAME},   {"cwd", "process.cwd", FRAME},
	        {"boot_id", "host.boot_id", 40}, {"host", "host.name", NAME},
	};
	static const struct field others[] = {
	        {"pid", "pid", NAME}, {"exe", "exe", NAME}, {"comm", "comm", 40}};
	const json_t *argv = mw_field(alert, "process.argv");
	json_t *out = part(alert, own, COUNT(own));

	json_object_set_new(out, "command", argv ? command_of(argv) : json_null());
	json_object_set_new(
	        out, "ancestors",
	        list(mw_field(alert, "process.ancestors"), ANCESTORS, others, COUNT(others)));
	return out;
}

static void set_load(json_t *out, const json_t *alert)
{
	static const struct field load[] = {
	        {"entry", "load.entry", NAME},        {"origin", "load.origin", 40},
	        {"call", "load.call", TEXT},          {"args", "load.args", TEXT},
	        {"opcode", "load.opcode", 40},        {"offset", "load.offset", 0},
	        {"after_load", "load.after_load", 0},
	};
	static const struct field model[] = {
	        {"path", "path", TEXT},
	        {"member", "member", TEXT},
	        {"size", "size", 0},
	        {"sha256", "sha256", 64},
	        {"stream_sha256", "stream_sha256", 64},
	        {"hub", "model.hub", NAME},
	        {"repo", "model.repo", TEXT},
	        {"revision", "model.revision", NAME},
	};

	copy(out, alert, load, COUNT(load));
	json_object_set_new(out, "offset_range", range_of(alert));
	json_object_set_new(out, "model",
	                    part(mw_field(alert, "load.artifact"), model, COUNT(model)));
}

static void set_who(json_t *out, const json_t *alert)
{
	static const struct field user[] = {
	        {"uid", "uid", 0}, {"name", "name", NAME}, {"loginuid", "loginuid", 0}};
	static const struct field job[] = {
	        {"kind", "kind", 40}, {"id", "id", NAME}, {"trust", "trust", 40}};
	static const struct field container[] = {{"id", "id", 64}, {"pod", "pod.uid", NAME}};

	json_object_set_new(out, "user", optional(mw_field(alert, "user"), user, COUNT(user)));
	json_object_set_new(out, "job", optional(mw_field(alert, "job"), job, COUNT(job)));
	json_object_set_new(out, "container",
	                    optional(mw_field(alert, "container"), container, COUNT(container)));
}

static void set_stacks(json_t *out, const json_t *alert)
{
	static const struct field python[] = {{"function", "function", FRAME},
	                                      {"file", "file", FRAME},
	                                      {"line", "line", 0},
	                                      {"inside", "inside", 0}};
	static const struct field native[] = {
	        {"symbol", "symbol", FRAME}, {"object", "object", FRAME}, {"offset", "offset", 0}};

	json_object_set_new(
	        out, "python_stack",
	        list(mw_field(alert, "python_stack"), PYTHON_FRAMES, python, COUNT(python)));
	json_object_set_new(
	        out, "native_stack",
	        list(mw_field(alert, "native_stack"), NATIVE_FRAMES, native, COUNT(native)));
}

json_t *mw_sample(const json_t *alert)
{
	static const struct field what[] = {
	        {"alert", "id", 40},
	        {"rule", "rule", NAME},
	        {"class", "effect.class", 40},
	        {"op", "effect.detail.op", NAME},
	        {"cause", "cause", 40},
	        {"requested", "requested", 40},
	        {"verdict", "verdict", 40},
	        {"mode", "mode", 40},
	        {"sensor", "sensor", 40},
	        {"evasion", "evasion", 0},
	        {"policy", "policy.digest", 64},
	        {"modelwatch", "version", 40},
	};
	json_t *out = part(alert, what, COUNT(what));

	json_object_set_new(out, "title", title_of(alert));
	json_object_set_new(out, "target", mw_sample_target(alert));
	set_load(out, alert);
	set_who(out, alert);
	set_stacks(out, alert);
	return out;
}
