#include "daemon_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "../core/glob.h"
#include "../core/words.h"
#include "../courier/sink_config.h"
#include "../ebpf/config.h"
#include "daemon_storm.h"
#include "expand.h"
#include "loopback.h"
#include "quantity.h"

#define KEYS_MAX 32 /* of one mapping: each has a bit */
#define RING_MIN (UINT64_C(1) << 20)
#define RING_MAX (UINT64_C(1) << 30)
#define REPORTS_MAX 1000000

/* A key has a value that `take` takes, from the current event, or keys below it. */
struct key {
	const char *name;
	int (*take)(struct mw_source *s, const char *name, struct mw_daemon_config *config);
	const struct key *below;
};

static int text(struct mw_source *s, const char *name, const char **ret)
{
	size_t len;

	return mw_source_scalar(s, name, ret, &len);
}

static int keep(struct mw_source *s, const char *value, char **place)
{
	char *copy = strdup(value);

	if (!copy)
		return mw_source_no_room(s, -ENOMEM);
	free(*place);
	*place = copy;
	return 0;
}

/* The daemon works in no folder that anybody would mean. */
static int absolute(struct mw_source *s, const char *name, const char **ret)
{
	int error = text(s, name, ret);

	if (!error && **ret != '/')
		error = mw_source_complain(s, "%s: '%s' does not begin with '/'", name, *ret);
	return error;
}

static int take_mode(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	const char *word;
	int error = text(s, name, &word), mode = error ? 0 : mw_verdict_parse(word);

	if (!error && mode < MW_OBSERVE)
		return mw_source_complain(s, "%s: '%s' is none of observe, alert, deny and kill",
		                          name, word);
	if (!error)
		config->mode = mode;
	return error;
}

static int take_alerts(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	char path[PATH_MAX];
	const char *value;
	int error = absolute(s, name, &value);

	if (error)
		return error;
	error = mw_expand(value, path);
	if (error == -ENOENT)
		return mw_source_complain(s, "%s: the environment variable is not set", name);
	if (error)
		return mw_source_complain(s, "%s: after %% comes h, p, q{VAR} or %%", name);
	return keep(s, value, &config->alerts);
}

static int add_to(struct mw_source *s, json_t *list, const char *value)
{
	json_t *string = json_string(value);

	if (!string)
		return mw_source_complain(s, "this is no text in UTF-8");
	return json_array_append_new(list, string) ? mw_source_no_room(s, -ENOMEM) : 0;
}

static int take_policy_file(struct mw_source *s, const char *name, void *out)
{
	const char *value;
	int error = absolute(s, name, &value);

	return error ? error : add_to(s, out, value);
}

static int take_policy(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return mw_source_items(s, name, take_policy_file, config->policies);
}

static int take_pattern(struct mw_source *s, const char *name, void *out)
{
	const char *value, *complaint;
	int error = text(s, name, &value);

	if (error)
		return error;
	complaint = mw_glob_complaint(value);
	if (complaint)
		return mw_source_complain(s, "%s: '%s': %s", name, value, complaint);
	if (*value != '/' && strncmp(value, "**", 2) != 0)
		return mw_source_complain(s, "%s: '%s' begins with neither '/' nor '**'", name,
		                          value);
	return add_to(s, out, value);
}

static int take_paths(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return mw_source_items(s, name, take_pattern, config->interpreters);
}

static int take_listen(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	struct sockaddr_storage address;
	socklen_t len;
	const char *value;
	int error = text(s, name, &value);

	if (error)
		return error;
	error = mw_loopback_parse(value, &address, &len);
	if (error == -EACCES)
		return mw_source_complain(s,
		                          "%s: '%s' is reached from elsewhere; only 127.0.0.1 "
		                          "and [::1] are not",
		                          name, value);
	if (error)
		return mw_source_complain(s, "%s: '%s' is no address and port: 127.0.0.1:9464",
		                          name, value);
	return keep(s, value, &config->metrics_listen);
}

static int take_textfile(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	const char *value;
	int error = absolute(s, name, &value);

	return error ? error : keep(s, value, &config->metrics_textfile);
}

static int socket_path(struct mw_source *s, const char *name, const char **ret)
{
	struct sockaddr_un address;
	int error = absolute(s, name, ret);

	if (!error && strlen(*ret) >= sizeof(address.sun_path))
		error = mw_source_complain(s, "%s: a socket's path has at most %zu bytes", name,
		                           sizeof(address.sun_path) - 1);
	return error;
}

static int take_socket(struct mw_source *s, const char *name, char **place)
{
	const char *value;
	int error = socket_path(s, name, &value);

	return error ? error : keep(s, value, place);
}

static int take_runtime(struct mw_source *s, const char *name, void *out)
{
	const char *value;
	int error = text(s, name, &value);

	if (!error && !strcmp(value, "off"))
		return 0;
	if (!error)
		error = socket_path(s, name, &value);
	return error ? error : add_to(s, out, value);
}

/* "off" is a list of none. */
static int take_runtimes(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	if (!config->cri_sockets)
		config->cri_sockets = json_array();
	if (!config->cri_sockets)
		return mw_source_no_room(s, -ENOMEM);
	return mw_source_items(s, name, take_runtime, config->cri_sockets);
}

static int take_control(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return take_socket(s, name, &config->control_socket);
}

static int take_report(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return take_socket(s, name, &config->report_socket);
}

static int number(struct mw_source *s, const char *name, uint32_t most, uint32_t *ret)
{
	const char *value;
	char *end;
	int error = text(s, name, &value);
	unsigned long n;

	if (error)
		return error;
	n = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || n > most)
		return mw_source_complain(s, "%s: '%s' is no whole number up to %u", name, value,
		                          most);
	*ret = (uint32_t)n;
	return 0;
}

static int take_per_uid(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return number(s, name, REPORTS_MAX, &config->reports_per_minute);
}

static int take_storm(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return number(s, name, MW_STORM_MAX, &config->storm);
}

static int take_hold(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	const char *value;
	int error = text(s, name, &value);

	if (error)
		return error;
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return mw_source_complain(s, "%s: '%s' is neither true nor false", name, value);
	config->hold_new_interpreters = *value == 't';
	return 0;
}

/* Which of three words it is. Returns its place, or a negative errno. */
static int one_of(struct mw_source *s, const char *name, const char *const words[static 3])
{
	const char *value;
	int error = text(s, name, &value);

	if (error)
		return error;
	for (int i = 0; i < 3; i++)
		if (!strcmp(value, words[i]))
			return i;
	return mw_source_complain(s, "%s: '%s' is none of %s, %s and %s", name, value, words[0],
	                          words[1], words[2]);
}

static int take_writes(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	static const char *const words[] = {"auto", "tracepoints", "off"}; /* as in the enum */
	int word = one_of(s, name, words);

	if (word >= 0)
		config->file_writes = (enum mw_file_writes)word;
	return word < 0 ? word : 0;
}

static int take_group(struct mw_source *s, const char *name, void *out)
{
	const char *value;
	int error = absolute(s, name, &value);

	if (!error && json_array_size(out) == MW_K_GROUPS)
		return mw_source_complain(s, "%s: at most %d", name, MW_K_GROUPS);
	return error ? error : add_to(s, out, value);
}

static int take_groups(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return mw_source_items(s, name, take_group, config->cgroups);
}

static int take_outlives(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	static const char *const words[] = {"crash", "stop", "nothing"}; /* as in the enum */
	int word = one_of(s, name, words);

	if (word >= 0)
		config->outlives = (enum mw_outlives)word;
	return word < 0 ? word : 0;
}

static int take_bytes(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	const char *value;
	uint64_t bytes = 0;
	int error = text(s, name, &value);

	if (error)
		return error;
	if (mw_quantity_parse_bytes(value, &bytes) || bytes < RING_MIN || bytes > RING_MAX ||
	    bytes & (bytes - 1))
		return mw_source_complain(
		        s, "%s: '%s' is no power of two from 1 MiB to 1 GiB: 4 MiB", name, value);
	config->ring_bytes = (uint32_t)bytes;
	return 0;
}

static int take_label(struct mw_source *s, const char *key, const char *value, void *out)
{
	json_t *string = json_string(value);

	if (!string)
		return mw_source_complain(s, "this is no text in UTF-8");
	return json_object_set_new(out, key, string) ? mw_source_complain(s, "%s: no label", key)
	                                             : 0;
}

static int take_labels(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	return mw_source_pairs(s, name, take_label, config->labels);
}

static int take_sinks(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	(void)name;
	return mw_sinks_take_sinks(s, config->sinks);
}

static int take_spool(struct mw_source *s, const char *name, struct mw_daemon_config *config)
{
	(void)name;
	return mw_sinks_take_spool(s, config->sinks);
}

static const struct key metrics[] = {
        {.name = "listen", .take = take_listen}, {.name = "textfile", .take = take_textfile}, {0}};
static const struct key control[] = {{.name = "socket", .take = take_control}, {0}};
static const struct key reports[] = {
        {.name = "socket", .take = take_report}, {.name = "per_uid", .take = take_per_uid}, {0}};
static const struct key interpreters[] = {{.name = "paths", .take = take_paths}, {0}};
static const struct key cri[] = {{.name = "sockets", .take = take_runtimes}, {0}};
static const struct key ring[] = {{.name = "bytes", .take = take_bytes}, {0}};
static const struct key refusing[] = {
        {.name = "outlives", .take = take_outlives},
        {.name = "cgroups", .take = take_groups},
        {0},
};
static const struct key keys[] = {
        {.name = "mode", .take = take_mode},
        {.name = "storm", .take = take_storm},
        {.name = "policy", .take = take_policy},
        {.name = "alerts", .take = take_alerts},
        {.name = "labels", .take = take_labels},
        {.name = "metrics", .below = metrics},
        {.name = "control", .below = control},
        {.name = "reports", .below = reports},
        {.name = "interpreters", .below = interpreters},
        {.name = "hold_new_interpreters", .take = take_hold},
        {.name = "file_writes", .take = take_writes},
        {.name = "refusing", .below = refusing},
        {.name = "cri", .below = cri},
        {.name = "ring", .below = ring},
        {.name = "sinks", .take = take_sinks},
        {.name = "spool", .take = take_spool},
        {0},
};

static int take_mapping(struct mw_source *s, const char *where, const struct key *known,
                        struct mw_daemon_config *config);

static int take_pair(struct mw_source *s, const char *where, const struct key *known,
                     uint32_t *seen, struct mw_daemon_config *config)
{
	const char *word;
	size_t i = 0;
	int error = text(s, "a key", &word);

	if (error)
		return error;
	while (known[i].name && strcmp(word, known[i].name) != 0)
		i++;
	if (!known[i].name)
		return mw_source_complain(s, "no key '%s' in %s", word, where);
	if (*seen & 1u << i)
		return mw_source_complain(s, "the key '%s' is there twice", word);
	*seen |= 1u << i;
	error = mw_source_next(s);
	if (error)
		return error;
	return known[i].take ? known[i].take(s, known[i].name, config)
	                     : take_mapping(s, known[i].name, known[i].below, config);
}

static int take_mapping(struct mw_source *s, const char *where, const struct key *known,
                        struct mw_daemon_config *config)
{
	uint32_t seen = 0;
	int error;

	if (s->event.type != YAML_MAPPING_START_EVENT)
		return mw_source_complain(s, "%s must be a mapping of keys to values", where);
	for (;;) {
		error = mw_source_next(s);
		if (error || s->event.type == YAML_MAPPING_END_EVENT)
			return error;
		error = take_pair(s, where, known, &seen, config);
		if (error)
			return error;
	}
}

int mw_daemon_keys(struct mw_source *s, struct mw_daemon_config *config)
{
	_Static_assert(sizeof(keys) / sizeof(*keys) <= KEYS_MAX, "a bit for each key");

	return take_mapping(s, "the configuration", keys, config);
}
