/* Who did it, and what shows it. */
#include "../tools/when.h"
#include "format_parts.h"

static void file(struct mw_writer *w, const char *key, struct mw_str path)
{
	if (!path.s || !path.len)
		return;
	mw_write_open(w, key, '{');
	mw_write_text(w, "name", mw_base_of(path));
	mw_write_text(w, "path", path);
	mw_write_number(w, "type_id", 1);
	mw_write_close(w, '}');
}

static void number(struct mw_writer *w, const char *key, const json_t *object, const char *member)
{
	int64_t value = mw_number_of(object, member);

	if (value >= 0)
		mw_write_number(w, key, value);
}

static void user(struct mw_writer *w, const struct mw_view *view)
{
	struct mw_str name = mw_text_of(view->user, "name");
	int64_t uid = mw_number_of(view->user, "uid");

	if (!name.s && uid < 0)
		return;
	mw_write_open(w, "user", '{');
	mw_write_text(w, "name", name);
	if (uid >= 0) /* a text in OCSF */
		mw_write_number_text(w, "uid", uid);
	mw_write_close(w, '}');
}

/* An image is called by its id in OCSF; we know it by the name it was asked for. */
static void container(struct mw_writer *w, const struct mw_view *view)
{
	struct mw_str id = mw_text_of(view->container, "id");
	struct mw_str name = mw_text_of(view->container, "name");
	struct mw_str image = mw_text_of(view->container, "image");

	if (!id.s && !name.s)
		return;
	mw_write_open(w, "container", '{');
	mw_write_text(w, "uid", id);
	mw_write_text(w, "name", name);
	mw_write_text(w, "runtime", mw_text_of(view->container, "runtime"));
	mw_write_text(w, "pod_uuid", mw_text_of(view->pod, "uid"));
	if (view->pod)
		mw_write_word(w, "orchestrator", "kubernetes");
	if (image.s) {
		mw_write_open(w, "image", '{');
		mw_write_text(w, "uid", image);
		mw_write_text(w, "name", image);
		mw_write_close(w, '}');
	}
	mw_write_close(w, '}');
}

static void lineage(struct mw_writer *w, const json_t *ancestors)
{
	size_t count = json_array_size(ancestors);

	mw_write_open(w, "lineage", '[');
	for (size_t i = 0; i < count && i < w->list_max; i++) {
		const json_t *ancestor = json_array_get(ancestors, i);
		struct mw_str exe = mw_text_of(ancestor, "exe");

		mw_write_text(w, NULL, exe.s ? exe : mw_text_of(ancestor, "comm"));
	}
	mw_write_close(w, ']');
}

static void parents(struct mw_writer *w, const struct mw_view *view)
{
	const json_t *ancestors = json_object_get(view->process, "ancestors");
	const json_t *parent = json_array_get(ancestors, 0);

	if (!mw_has(view, MW_PART_ANCESTORS) || mw_number_of(parent, "pid") < 0)
		return;
	mw_write_open(w, "parent_process", '{');
	number(w, "pid", parent, "pid");
	mw_write_text(w, "name", mw_text_of(parent, "comm"));
	file(w, "file", mw_text_of(parent, "exe"));
	mw_write_close(w, '}');
	lineage(w, ancestors);
}

static void created(struct mw_writer *w, const struct mw_view *view)
{
	const char *text = json_string_value(json_object_get(view->process, "start_time"));
	int64_t time;

	if (text && !mw_when_rfc3339(text, &time))
		mw_write_number(w, "created_time", mw_ms(time));
}

static void process(struct mw_writer *w, const struct mw_view *view)
{
	if (mw_number_of(view->process, "pid") < 0)
		return;
	mw_write_open(w, "process", '{');
	number(w, "pid", view->process, "pid");
	number(w, "tid", view->process, "tid");
	number(w, "namespace_pid", view->process, "ns_pid");
	mw_write_text(w, "name", mw_text_of(view->process, "comm"));
	if (mw_has(view, MW_PART_ARGV))
		mw_write_command(w, "cmd_line", json_object_get(view->process, "argv"));
	if (view->ocsf >= MW_OCSF_1_5)
		mw_write_text(w, "working_directory", mw_text_of(view->process, "cwd"));
	created(w, view);
	file(w, "file", mw_text_of(view->process, "exe"));
	user(w, view);
	container(w, view);
	parents(w, view);
	mw_write_close(w, '}');
}

void mw_ocsf_actor(struct mw_writer *w, const struct mw_view *view)
{
	bool known = mw_number_of(view->process, "pid") >= 0 || mw_text_of(view->user, "name").s ||
	             mw_number_of(view->user, "uid") >= 0;

	if (!known || !mw_has(view, MW_PART_WHO))
		return;
	mw_write_open(w, "actor", '{');
	process(w, view);
	user(w, view);
	mw_write_close(w, '}');
}

static void hash(struct mw_writer *w, struct mw_str sha256)
{
	if (!sha256.s)
		return;
	mw_write_open(w, "hashes", '[');
	mw_write_open(w, NULL, '{');
	mw_write_number(w, "algorithm_id", 3);
	mw_write_word(w, "algorithm", "SHA-256");
	mw_write_text(w, "value", sha256);
	mw_write_close(w, '}');
	mw_write_close(w, ']');
}

static void artifact(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->path.s || !view->path.len)
		return;
	mw_write_open(w, "file", '{');
	mw_write_text(w, "name", mw_base_of(view->path));
	mw_write_text(w, "path", view->path);
	mw_write_number(w, "type_id", 1);
	number(w, "size", view->artifact, "size");
	hash(w, view->sha256);
	mw_write_close(w, '}');
}

static void name(struct mw_writer *w, const struct mw_view *view, const char *word)
{
	if (view->ocsf >= MW_OCSF_1_5)
		mw_write_word(w, "name", word);
}

static void operation(struct mw_writer *w, struct mw_str called)
{
	if (!called.s)
		return;
	mw_write_open(w, "api", '{');
	mw_write_text(w, "operation", called);
	mw_write_close(w, '}');
}

/* The load, and how it came to act. */
static void load(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, NULL, '{');
	name(w, view, "load");
	artifact(w, view);
	operation(w, mw_text_of(view->load, "entry"));
	mw_write_open(w, "data", '{');
	if (mw_has(view, MW_PART_EVIDENCE))
		mw_write_from(w, "load", view->emission->record, "load");
	mw_write_stacks(w, view);
	mw_write_close(w, '}');
	mw_write_close(w, '}');
}

static void endpoint(struct mw_writer *w, const struct mw_view *view)
{
	bool is_unix = !view->address.s;

	mw_write_open(w, "dst_endpoint", '{');
	mw_write_text(w,
	              is_unix                        ? "name"
	              : mw_is_address(view->address) ? "ip"
	                                             : "hostname",
	              is_unix ? view->target : view->address);
	if (view->port >= 0)
		mw_write_number(w, "port", view->port);
	mw_write_close(w, '}');
	mw_write_open(w, "connection_info", '{');
	mw_write_number(w, "direction_id", view->class == MW_LISTEN ? 1 : 2);
	mw_write_word(w, "direction", view->class == MW_LISTEN ? "Inbound" : "Outbound");
	mw_write_close(w, '}');
}

static bool is_network(const struct mw_view *view)
{
	return view->class == MW_CONNECT || view->class == MW_SEND || view->class == MW_LISTEN;
}

static void effect(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, NULL, '{');
	name(w, view, "effect");
	operation(w, mw_text_of(view->detail, "op"));
	if (!is_network(view))
		file(w, "file", view->target);
	else if (view->address.s || view->target.s)
		endpoint(w, view);
	mw_write_open(w, "data", '{');
	if (mw_has(view, MW_PART_EVIDENCE))
		mw_write_effect(w, view);
	mw_write_close(w, '}');
	mw_write_close(w, '}');
}

static bool has_load(const struct mw_view *view)
{
	return view->kind == MW_RECORD_ALERT || view->kind == MW_RECORD_INVENTORY;
}

void mw_ocsf_evidences(struct mw_writer *w, const struct mw_view *view)
{
	if (!has_load(view))
		return;
	mw_write_open(w, "evidences", '[');
	load(w, view);
	if (view->kind == MW_RECORD_ALERT)
		effect(w, view);
	mw_write_close(w, ']');
}

enum observable { HOST_NAME = 1, ADDRESS = 2, FILE_NAME = 7, HASH = 8, COMMAND = 13, PATH = 45 };

static void open_observable(struct mw_writer *w, const char *name_of, enum observable type)
{
	static const char *const types[] = {
	        [HOST_NAME] = "Hostname", [ADDRESS] = "IP Address",   [FILE_NAME] = "File Name",
	        [HASH] = "Hash",          [COMMAND] = "Command Line", [PATH] = "File Path",
	};

	mw_write_open(w, NULL, '{');
	mw_write_word(w, "name", name_of);
	mw_write_number(w, "type_id", type);
	mw_write_word(w, "type", types[type]);
}

static void observable(struct mw_writer *w, const char *name_of, enum observable type,
                       struct mw_str value)
{
	if (!value.s || !value.len)
		return;
	open_observable(w, name_of, type);
	mw_write_text(w, "value", value);
	mw_write_close(w, '}');
}

static void command(struct mw_writer *w, const struct mw_view *view)
{
	if (view->class != MW_EXEC || !json_array_size(view->program_argv))
		return;
	open_observable(w, "evidences[].data.effect.detail.argv", COMMAND);
	mw_write_command(w, "value", view->program_argv);
	mw_write_close(w, '}');
}

/* What receivers search by. The kinds of 1.1 are few. */
void mw_ocsf_observables(struct mw_writer *w, const struct mw_view *view)
{
	const char *endpoint_of = "evidences[].dst_endpoint.hostname";
	enum observable type = HOST_NAME;

	if (!has_load(view) || !mw_has(view, MW_PART_OBSERVABLES))
		return;
	if (mw_is_address(view->address)) {
		endpoint_of = "evidences[].dst_endpoint.ip";
		type = ADDRESS;
	}
	mw_write_open(w, "observables", '[');
	observable(w, "device.hostname", HOST_NAME, view->host_name);
	observable(w, "evidences[].file.name", FILE_NAME, mw_base_of(view->path));
	observable(w, "evidences[].file.hashes[].value", HASH, view->sha256);
	observable(w, "evidences[].data.load.artifact.stream_sha256", HASH, view->stream_sha256);
	if (is_network(view))
		observable(w, endpoint_of, type, view->address);
	if (view->ocsf >= MW_OCSF_1_3)
		command(w, view);
	if (view->ocsf >= MW_OCSF_1_5) {
		observable(w, "evidences[].file.path", PATH, view->path);
		if (!is_network(view))
			observable(w, "evidences[].file.path", PATH, view->target);
	}
	mw_write_close(w, ']');
}
