/* Elastic Common Schema. What it has no field for is below `modelwatch`, as the native record has
 * it. docs/formats.md has the table. */
#include <string.h>

#include "../tools/when.h"
#include "format_parts.h"

#define ECS_VERSION "8.17.0"

static void when(struct mw_writer *w, const char *key, int64_t time)
{
	char text[MW_WHEN_TEXT];

	mw_when_text(time, text);
	mw_write_word(w, key, text);
}

static void number(struct mw_writer *w, const char *key, const json_t *object, const char *member)
{
	int64_t value = mw_number_of(object, member);

	if (value >= 0)
		mw_write_number(w, key, value);
}

static void only_word(struct mw_writer *w, const char *key, const char *word)
{
	mw_write_open(w, key, '[');
	mw_write_word(w, NULL, word);
	mw_write_close(w, ']');
}

static void only_text(struct mw_writer *w, const char *key, struct mw_str text)
{
	if (!text.s)
		return;
	mw_write_open(w, key, '[');
	mw_write_text(w, NULL, text);
	mw_write_close(w, ']');
}

static const char *category_of(const struct mw_view *view)
{
	switch (view->class) {
	case MW_EXEC:
	case MW_TAMPER:
		return "process";
	case MW_CONNECT:
	case MW_SEND:
	case MW_LISTEN:
		return "network";
	case MW_WRITE:
	case MW_READ:
		return "file";
	case MW_MAP:
		return "library";
	default:
		return NULL;
	}
}

static void kind(struct mw_writer *w, const struct mw_view *view)
{
	const char *category = category_of(view);
	bool prevented = view->outcome == MW_PREVENTED;

	if (view->kind != MW_RECORD_ALERT) {
		mw_write_word(w, "kind", view->kind == MW_RECORD_HEARTBEAT ? "state" : "event");
		only_word(w, "category", "host");
		only_word(w, "type", "info");
		return;
	}
	mw_write_word(w, "kind", "alert");
	mw_write_open(w, "category", '[');
	mw_write_word(w, NULL, "intrusion_detection");
	if (category)
		mw_write_word(w, NULL, category);
	mw_write_close(w, ']');
	only_word(w, "type", prevented ? "denied" : "allowed");
	/* What was let go on may have failed by itself. */
	mw_write_word(w, "outcome", prevented ? "failure" : "unknown");
}

static void event(struct mw_writer *w, const struct mw_view *view)
{
	static const char *const actions[MW_RECORD_KINDS] = {[MW_RECORD_LOSS] = "loss",
	                                                     [MW_RECORD_HEARTBEAT] = "heartbeat",
	                                                     [MW_RECORD_INVENTORY] = "inventory"};
	static const int risks[MW_SEVERITY_COUNT] = {1, 21, 47, 73, 99};
	const char *action =
	        view->class >= 0 ? mw_class_name((enum mw_class)view->class) : actions[view->kind];

	mw_write_open(w, "event", '{');
	kind(w, view);
	if (action)
		mw_write_word(w, "action", action);
	mw_write_text(w, "code", view->rule);
	mw_write_word(w, "module", "modelwatch");
	mw_write_word(w, "dataset", "modelwatch.alerts");
	mw_write_word(w, "provider", "modelwatch");
	mw_write_text(w, "id", mw_our(view->emission->uid));
	mw_write_number(w, "sequence", (int64_t)view->emission->sequence);
	if (view->severity >= 0) {
		mw_write_number(w, "severity", view->severity + 1);
		mw_write_number(w, "risk_score", risks[view->severity]);
	}
	when(w, "start", view->first);
	when(w, "end", view->last);
	mw_write_shown(w, "reason", view->title);
	mw_write_close(w, '}');
}

/* Which of a technique's texts a list is made of. */
static const char *text_of(const struct mw_technique *technique, size_t at)
{
	const char *text;

	memcpy(&text, (const char *)technique + at, sizeof(text));
	return text;
}

static bool is_among(uint64_t techniques, bool atlas, unsigned int end, size_t at, const char *text)
{
	for (unsigned int bit = 0; bit < end; bit++) {
		const struct mw_technique *technique = mw_technique(bit);
		const char *other = techniques >> bit & 1 && technique->is_atlas == atlas
		                            ? text_of(technique, at)
		                            : NULL;

		if (other && !strcmp(other, text))
			return true;
	}
	return false;
}

/* A list of each text once. */
static void list(struct mw_writer *w, const struct mw_view *view, const char *key, bool atlas,
                 size_t at)
{
	const struct mw_technique *technique;

	mw_write_open(w, key, '[');
	for (unsigned int bit = 0; (technique = mw_technique(bit)); bit++) {
		const char *text = text_of(technique, at);

		if (view->techniques >> bit & 1 && technique->is_atlas == atlas && text &&
		    !is_among(view->techniques, atlas, bit, at, text))
			mw_write_word(w, NULL, text);
	}
	mw_write_close(w, ']');
}

#define AT(field) offsetof(struct mw_technique, field)

static void threat(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->techniques || !mw_has(view, MW_PART_ATTACKS))
		return;
	mw_write_open(w, "threat", '{');
	mw_write_word(w, "framework", "MITRE ATT&CK");
	mw_write_open(w, "tactic", '{');
	list(w, view, "id", false, AT(tactic));
	list(w, view, "name", false, AT(tactic_name));
	mw_write_close(w, '}');
	mw_write_open(w, "technique", '{');
	list(w, view, "id", false, AT(id));
	list(w, view, "name", false, AT(name));
	mw_write_open(w, "subtechnique", '{');
	list(w, view, "id", false, AT(sub));
	list(w, view, "name", false, AT(sub_name));
	mw_write_close(w, '}');
	mw_write_close(w, '}');
	mw_write_close(w, '}');
}

static void host(struct mw_writer *w, const struct mw_view *view)
{
	struct mw_str boot = mw_text_of(view->host, "boot_id");

	if (!view->host_name.s)
		return;
	mw_write_open(w, "host", '{');
	mw_write_text(w, "name", view->host_name);
	mw_write_text(w, "hostname", view->host_name);
	if (boot.s) {
		mw_write_open(w, "boot", '{');
		mw_write_text(w, "id", boot);
		mw_write_close(w, '}');
	}
	mw_write_open(w, "os", '{');
	mw_write_word(w, "type", "linux");
	mw_write_text(w, "kernel", mw_text_of(view->host, "kernel"));
	mw_write_close(w, '}');
	mw_write_close(w, '}');
}

static void observer(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, "observer", '{');
	mw_write_word(w, "vendor", "modelwatch");
	mw_write_word(w, "product", "modelwatch");
	mw_write_word(w, "type", "sensor");
	mw_write_text(w, "version", view->version);
	mw_write_close(w, '}');
}

static void parent(struct mw_writer *w, const struct mw_view *view)
{
	const json_t *first = json_array_get(json_object_get(view->process, "ancestors"), 0);

	if (!first || !mw_has(view, MW_PART_ANCESTORS))
		return;
	mw_write_open(w, "parent", '{');
	number(w, "pid", first, "pid");
	mw_write_text(w, "name", mw_text_of(first, "comm"));
	mw_write_text(w, "executable", mw_text_of(first, "exe"));
	mw_write_close(w, '}');
}

static void arguments(struct mw_writer *w, const struct mw_view *view)
{
	const json_t *argv = json_object_get(view->process, "argv");

	if (!json_array_size(argv) || !mw_has(view, MW_PART_ARGV))
		return;
	mw_write_json(w, "args", argv);
	mw_write_number(w, "args_count", (int64_t)json_array_size(argv));
	mw_write_command(w, "command_line", argv);
}

static void thread(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, "thread", '{');
	number(w, "id", view->process, "tid");
	mw_write_close(w, '}');
}

static void start(struct mw_writer *w, const struct mw_view *view)
{
	const char *text = json_string_value(json_object_get(view->process, "start_time"));
	int64_t time;

	if (text && !mw_when_rfc3339(text, &time))
		when(w, "start", time);
}

static void process(struct mw_writer *w, const struct mw_view *view)
{
	if (mw_number_of(view->process, "pid") < 0)
		return;
	mw_write_open(w, "process", '{');
	number(w, "pid", view->process, "pid");
	thread(w, view);
	mw_write_text(w, "name", mw_text_of(view->process, "comm"));
	mw_write_text(w, "executable", mw_text_of(view->process, "exe"));
	mw_write_text(w, "working_directory", mw_text_of(view->process, "cwd"));
	start(w, view);
	arguments(w, view);
	parent(w, view);
	mw_write_close(w, '}');
}

static void user(struct mw_writer *w, const struct mw_view *view)
{
	int64_t uid = mw_number_of(view->user, "uid");

	if (!view->user)
		return;
	mw_write_open(w, "user", '{');
	if (uid >= 0)
		mw_write_number_text(w, "id", uid);
	mw_write_text(w, "name", mw_text_of(view->user, "name"));
	mw_write_close(w, '}');
}

static void container(struct mw_writer *w, const struct mw_view *view)
{
	struct mw_str image = mw_text_of(view->container, "image");

	if (!view->container)
		return;
	mw_write_open(w, "container", '{');
	mw_write_text(w, "id", mw_text_of(view->container, "id"));
	mw_write_text(w, "name", mw_text_of(view->container, "name"));
	mw_write_text(w, "runtime", mw_text_of(view->container, "runtime"));
	if (image.s) {
		mw_write_open(w, "image", '{');
		mw_write_text(w, "name", image);
		mw_write_close(w, '}');
	}
	mw_write_close(w, '}');
}

static void pod(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->pod)
		return;
	mw_write_open(w, "orchestrator", '{');
	mw_write_word(w, "type", "kubernetes");
	mw_write_text(w, "namespace", mw_text_of(view->pod, "namespace"));
	mw_write_open(w, "resource", '{');
	mw_write_word(w, "type", "pod");
	mw_write_text(w, "id", mw_text_of(view->pod, "uid"));
	mw_write_text(w, "name", mw_text_of(view->pod, "name"));
	mw_write_close(w, '}');
	mw_write_close(w, '}');
}

/* The model file, whatever the effect is about. */
static void file(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->path.s)
		return;
	mw_write_open(w, "file", '{');
	mw_write_text(w, "path", view->path);
	mw_write_text(w, "name", mw_base_of(view->path));
	number(w, "size", view->artifact, "size");
	if (view->sha256.s) {
		mw_write_open(w, "hash", '{');
		mw_write_text(w, "sha256", view->sha256);
		mw_write_close(w, '}');
	}
	mw_write_close(w, '}');
}

static void destination(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->address.s)
		return;
	mw_write_open(w, "destination", '{');
	mw_write_text(w, "address", view->address);
	mw_write_text(w, mw_is_address(view->address) ? "ip" : "domain", view->address);
	if (view->port >= 0)
		mw_write_number(w, "port", view->port);
	mw_write_close(w, '}');
}

static void related(struct mw_writer *w, const struct mw_view *view)
{
	if (!mw_has(view, MW_PART_OBSERVABLES))
		return;
	mw_write_open(w, "related", '{');
	if (view->sha256.s || view->stream_sha256.s) {
		mw_write_open(w, "hash", '[');
		mw_write_text(w, NULL, view->sha256);
		mw_write_text(w, NULL, view->stream_sha256);
		mw_write_close(w, ']');
	}
	if (mw_is_address(view->address))
		only_text(w, "ip", view->address);
	only_text(w, "user", mw_text_of(view->user, "name"));
	only_text(w, "hosts", view->host_name);
	mw_write_close(w, '}');
}

static void rule(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->rule.s)
		return;
	mw_write_open(w, "rule", '{');
	mw_write_text(w, "name", view->rule);
	mw_write_text(w, "uuid", view->digest);
	mw_write_close(w, '}');
}

/* A dot would make an object of a name. */
static bool is_plain(const char *name)
{
	return *name && strlen(name) < 64 &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
	                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "0123456789_-")];
}

static bool fits(struct mw_writer *w, size_t *left)
{
	w->has_cut |= !*left;
	return *left && (*left)--;
}

static void labels(struct mw_writer *w, const struct mw_view *view)
{
	json_t *all = (json_t *)(uintptr_t)view->labels;
	size_t left = w->list_max;
	const char *name;
	json_t *value;

	mw_write_open(w, "labels", '{');
	json_object_foreach(all, name, value)
	{
		if (is_plain(name) && fits(w, &left))
			mw_write_text(w, name, mw_text_value(value));
	}
	mw_write_close(w, '}');
}

/* The labels whose names no field can have. */
static void tags(struct mw_writer *w, const struct mw_view *view)
{
	json_t *all = (json_t *)(uintptr_t)view->labels;
	size_t left = w->list_max;
	const char *name;
	json_t *value;

	mw_write_open(w, "tags", '[');
	json_object_foreach(all, name, value)
	{
		if (is_plain(name) || !json_is_string(value) || !fits(w, &left))
			continue;
		mw_write_text_open(w, NULL);
		mw_write_text_piece(w, name, strlen(name));
		mw_write_text_piece(w, "=", 1);
		mw_write_text_piece(w, json_string_value(value), json_string_length(value));
		mw_write_text_close(w);
	}
	mw_write_close(w, ']');
}

/* What ECS has no field for. */
static void ours(struct mw_writer *w, const struct mw_view *view)
{
	static const char *const names[] = {
	        "schema", "id",      "update",   "severity", "verdict", "requested",
	        "mode",   "sensor",  "cause",    "group",    "evasion", "seen_by",
	        "policy", "outcome", "reporter", "reports",
	};
	size_t count = sizeof(names) / sizeof(*names) - !mw_has(view, MW_PART_DETAILS);
	const json_t *record = view->emission->record;

	mw_write_open(w, "modelwatch", '{');
	if (view->kind != MW_RECORD_ALERT) {
		mw_write_from(w, "schema", record, "schema");
		mw_write_rest(w, view);
	} else {
		for (size_t i = 0; i < count; i++)
			mw_write_from(w, names[i], record, names[i]);
	}
	mw_write_number(w, "count", (int64_t)view->count);
	if (view->techniques && mw_has(view, MW_PART_ATTACKS))
		list(w, view, "atlas", true, AT(id));
	if (mw_has(view, MW_PART_WHO))
		mw_write_from(w, "job", record, "job");
	if (mw_has(view, MW_PART_EVIDENCE)) {
		mw_write_effect(w, view);
		mw_write_from(w, "load", record, "load");
	}
	mw_write_stacks(w, view);
	mw_write_left_out(w, view);
	mw_write_close(w, '}');
}

static void who(struct mw_writer *w, const struct mw_view *view)
{
	if (!mw_has(view, MW_PART_WHO))
		return;
	process(w, view);
	user(w, view);
	container(w, view);
	pod(w, view);
}

void mw_format_ecs(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, NULL, '{');
	when(w, "@timestamp", view->last);
	mw_write_open(w, "ecs", '{');
	mw_write_word(w, "version", ECS_VERSION);
	mw_write_close(w, '}');
	mw_write_shown(w, "message", view->title);
	event(w, view);
	rule(w, view);
	threat(w, view);
	host(w, view);
	observer(w, view);
	who(w, view);
	file(w, view);
	destination(w, view);
	related(w, view);
	if (mw_has(view, MW_PART_DETAILS) && json_object_size(view->labels)) {
		labels(w, view);
		tags(w, view);
	}
	ours(w, view);
	mw_write_close(w, '}');
}
