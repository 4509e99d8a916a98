/* The tree of processes: those that alerts name and their ancestors, each once. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "report.h"
#include "when.h"

#define NODES_MAX 1024
#define DEPTH_MAX 64
#define COMMANDS_MAX 4
#define NONE (-1)
#define SECOND INT64_C(1000000000)

struct node {
	json_t *json;
	const json_t *machine, *pid; /* borrowed from the groups */
	int64_t start;               /* NONE: alerts say it of their own process only */
	int parent, depth;
};

struct tree {
	struct node nodes[NODES_MAX];
	int count;
	uint64_t left_out;
};

/* A process as one alert names it. */
struct name {
	const json_t *machine, *pid, *host;
	int64_t start, until; /* it had started by `until` */
};

/* The start is worked out from the machine's clock for each alert: the last digits may differ. */
static bool same_start(int64_t a, int64_t b)
{
	return a - b < SECOND && b - a < SECOND;
}

/* json_equal() has it that nothing is not equal to nothing. */
static bool same_value(const json_t *a, const json_t *b)
{
	return a == b || json_equal(a, b);
}

static bool is_same(const struct node *node, const struct name *name, int parent)
{
	if (!same_value(node->pid, name->pid) || !same_value(node->machine, name->machine))
		return false;
	if (node->start != NONE && name->start != NONE)
		return same_start(node->start, name->start);
	if (node->start == NONE)
		return node->parent == parent;
	return node->start <= name->until;
}

/* A process ID is used again later: the one that started last is meant. */
static int find(const struct tree *tree, const struct name *name, int parent)
{
	int found = NONE;

	for (int i = 0; i < tree->count; i++)
		if (is_same(&tree->nodes[i], name, parent) &&
		    (found == NONE || tree->nodes[i].start > tree->nodes[found].start))
			found = i;
	return found;
}

static int add(struct tree *tree, const struct name *name, int parent)
{
	int depth = parent == NONE ? 0 : tree->nodes[parent].depth + 1;
	struct node *node = &tree->nodes[tree->count];

	if (tree->count == NODES_MAX || depth > DEPTH_MAX) {
		tree->left_out++;
		return NONE;
	}
	*node = (struct node){.machine = name->machine,
	                      .pid = name->pid,
	                      .start = NONE,
	                      .parent = parent,
	                      .depth = depth};
	node->json = json_pack("{s:o, s:O, s:O?, s:n, s:[], s:[]}", "parent",
	                       parent == NONE ? json_null() : json_integer(parent), "pid",
	                       name->pid, "host", name->host, "start_time", "commands", "groups");
	return tree->count++;
}

static int find_or_add(struct tree *tree, const struct name *name, int parent)
{
	int found = find(tree, name, parent);

	return found == NONE ? add(tree, name, parent) : found;
}

static void add_once(json_t *list, json_t *value, size_t max)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return;
	if (value && !json_is_null(value) && json_array_size(list) < max)
		json_array_append(list, value);
}

/* What it runs, and ran before an exec. */
static void set_command(struct node *node, json_t *command)
{
	add_once(json_object_get(node->json, "commands"), command, COMMANDS_MAX);
}

static int64_t start_of(const json_t *process)
{
	const char *text = mw_field_text(process, "start_time");
	int64_t start;

	return text && !mw_when_rfc3339(text, &start) ? start : NONE;
}

/* Who can tell two machines' processes of the same number apart. */
static const json_t *machine_of(const json_t *process)
{
	const json_t *boot = mw_field(process, "boot_id");

	return boot ? boot : mw_field(process, "host");
}

/* From the outermost ancestor inwards. Returns the parent of the alert's own process. */
static int add_ancestors(struct tree *tree, const json_t *process, struct name name)
{
	const json_t *list = json_object_get(process, "ancestors");
	int parent = NONE;

	name.start = NONE;
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *ancestor = json_array_get(list, i);
		json_t *comm = json_object_get(ancestor, "comm");

		name.pid = mw_field(ancestor, "pid");
		if (!json_is_integer(name.pid))
			continue;
		parent = find_or_add(tree, &name, parent);
		if (parent == NONE)
			return NONE;
		if (tree->nodes[parent].start == NONE)
			set_command(&tree->nodes[parent],
			            json_is_null(comm) ? json_object_get(ancestor, "exe") : comm);
	}
	return parent;
}

static void add_event(struct tree *tree, const struct mw_event *event, int group)
{
	const json_t *process = event->process;
	struct name name = {.machine = machine_of(process),
	                    .host = mw_field(process, "host"),
	                    .start = start_of(process)};
	json_t *index;
	int own;

	name.until = name.start == NONE ? event->time : name.start;
	own = add_ancestors(tree, process, name);
	name.pid = mw_field(process, "pid");
	if (!json_is_integer(name.pid))
		return;
	own = find_or_add(tree, &name, own);
	if (own == NONE)
		return;
	if (tree->nodes[own].start == NONE && name.start != NONE) {
		tree->nodes[own].start = name.start;
		json_object_set(tree->nodes[own].json, "start_time",
		                json_object_get(process, "start_time"));
		json_array_clear(json_object_get(tree->nodes[own].json, "commands"));
	}
	set_command(&tree->nodes[own], json_object_get(process, "command"));
	index = json_integer(group);
	add_once(json_object_get(tree->nodes[own].json, "groups"), index, MW_GROUPS_MAX);
	json_decref(index);
}

json_t *mw_report_processes(const struct mw_groups *groups, uint64_t *ret_left_out)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	json_t *list = tree ? json_array() : NULL;

	for (size_t i = 0; list && i < groups->count; i++)
		for (size_t j = 0; j < groups->all[i].event_count; j++)
			add_event(tree, &groups->all[i].events[j], (int)i);
	for (int i = 0; list && i < tree->count; i++)
		json_array_append_new(list, tree->nodes[i].json);
	*ret_left_out = tree ? tree->left_out : 0;
	free(tree);
	return list;
}
