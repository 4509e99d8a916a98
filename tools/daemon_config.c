#include "daemon_config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/words.h"
#include "../courier/sink_config.h"
#include "daemon_keys.h"
#include "policy_file.h"
#include "text.h"

#define REPORTS_PER_MINUTE 600
#define STORM 100
#define RING_BYTES (4u << 20)

int mw_daemon_config_start(struct mw_daemon_config *config)
{
	*config = (struct mw_daemon_config){
	        .mode = MW_OBSERVE,
	        .reports_per_minute = REPORTS_PER_MINUTE,
	        .storm = STORM,
	        .ring_bytes = RING_BYTES,
	        .policies = json_array(),
	        .cgroups = json_array(),
	        .interpreters = json_array(),
	        .labels = json_object(),
	        .sinks = mw_sinks_json(),
	        .control_socket = strdup(MW_DAEMON_RUN "/control.sock"),
	        .report_socket = strdup(MW_DAEMON_RUN "/report.sock"),
	};
	return config->policies && config->cgroups && config->interpreters && config->labels &&
	                       config->sinks && config->control_socket && config->report_socket
	               ? 0
	               : -ENOMEM;
}

void mw_daemon_config_free(struct mw_daemon_config *config)
{
	json_decref(config->policies);
	json_decref(config->cgroups);
	json_decref(config->interpreters);
	json_decref(config->labels);
	json_decref(config->cri_sockets);
	json_decref(config->sinks);
	free(config->alerts);
	free(config->metrics_listen);
	free(config->metrics_textfile);
	free(config->control_socket);
	free(config->report_socket);
	*config = (struct mw_daemon_config){0};
}

static int take_document(struct mw_source *s, struct mw_daemon_config *config)
{
	int error = mw_source_next(s); /* the start of the stream, and of a document */

	if (!error)
		error = mw_source_next(s);
	if (error || s->event.type == YAML_STREAM_END_EVENT) /* nothing is said */
		return error;
	error = mw_source_next(s);
	if (!error)
		error = mw_daemon_keys(s, config);
	if (!error)
		error = mw_source_next(s);
	if (!error)
		error = mw_source_next(s);
	if (!error && s->event.type != YAML_STREAM_END_EVENT)
		error = mw_source_complain(s, "a configuration is one document");
	return error;
}

int mw_daemon_config_text(struct mw_daemon_config *config, const char *name, const char *text,
                          size_t len, char *why, size_t why_size)
{
	size_t mark = mw_utf8_mark(text, len);
	struct mw_source s = {.name = name,
	                      .text = text + mark,
	                      .len = len - mark,
	                      .error = why,
	                      .error_size = why_size};
	int error;

	if (!yaml_parser_initialize(&s.parser)) {
		snprintf(why, why_size, "%s: not enough memory", name);
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&s.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&s.parser, (const unsigned char *)s.text, s.len);
	error = take_document(&s, config);
	yaml_event_delete(&s.event);
	yaml_parser_delete(&s.parser);
	return error;
}

static int read_file(struct mw_daemon_config *config, const char *file, char *why, size_t why_size)
{
	char *text = NULL;
	size_t len = 0;
	int error = mw_policy_own_text(file, &text, &len, why, why_size);

	if (!error)
		error = mw_daemon_config_text(config, file, text, len, why, why_size);
	free(text);
	return error;
}

static int is_yaml(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && !strcmp(dot, ".yaml");
}

static int by_name(const struct dirent **first, const struct dirent **second)
{
	return strcmp((*first)->d_name, (*second)->d_name);
}

/* Those beside `file`. */
static int read_folder(struct mw_daemon_config *config, const char *file, char *why,
                       size_t why_size)
{
	const char *slash = strrchr(file, '/');
	int len = slash ? (int)(slash - file) + 1 : 0, count, error = 0;
	struct dirent **entries = NULL;
	char folder[PATH_MAX], path[PATH_MAX + 256];

	if (snprintf(folder, sizeof(folder), "%.*sconf.d", len, file) >= (int)sizeof(folder)) {
		snprintf(why, why_size, "%s: %s", file, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	count = scandir(folder, &entries, is_yaml, by_name);
	if (count < 0 && errno != ENOENT) {
		error = -errno;
		snprintf(why, why_size, "%s: %s", folder, strerror(errno));
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (!error)
			error = read_file(config, path, why, why_size);
		free(entries[i]);
	}
	free(entries);
	return error;
}

int mw_daemon_config_read(struct mw_daemon_config *config, const char *file, char *why,
                          size_t why_size)
{
	const char *path = file ? file : MW_DAEMON_CONFIG;
	int error = mw_daemon_config_start(config);

	if (error) {
		snprintf(why, why_size, "not enough memory");
		return error;
	}
	if (file || access(path, F_OK) == 0)
		error = read_file(config, path, why, why_size);
	return error ? error : read_folder(config, path, why, why_size);
}
