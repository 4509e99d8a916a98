#include "sink_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../core/glob.h"
#include "sink_keys.h"

#define TIMEOUT_MS 10000
#define NAME_MAX_BYTES 63
#define HOUR_MS (UINT64_C(3600) * 1000)
#define OF(type) (1u << MW_SINK_##type)
#define ON_CHANNEL (OF(SYSLOG) | OF(RELP) | OF(FORWARD))
#define WITH_TLS (ON_CHANNEL | OF(HTTP) | OF(KAFKA))

static int severity_of(const char *word)
{
	return mw_severity_parse(word);
}

/* RFC 5424, 6.2.1, under the names that syslog.conf(5) has for them. */
static int facility_of(const char *word)
{
	static const struct {
		const char *name;
		int number;
	} facilities[] = {{"user", 1},    {"daemon", 3},  {"auth", 4},    {"authpriv", 10},
	                  {"audit", 13},  {"local0", 16}, {"local1", 17}, {"local2", 18},
	                  {"local3", 19}, {"local4", 20}, {"local5", 21}, {"local6", 22},
	                  {"local7", 23}};

	for (size_t i = 0; i < sizeof(facilities) / sizeof(*facilities); i++)
		if (!strcmp(facilities[i].name, word))
			return facilities[i].number;
	return -EINVAL;
}

static int body_of(const char *word)
{
	static const char *const words[] = {"webhook", "hec", "elastic", "otlp"};

	for (int i = 0; i < 4; i++)
		if (!strcmp(words[i], word))
			return i;
	return -EINVAL;
}

#define AT(field) offsetof(struct mw_sink_config, field)

static const struct mw_key tls_keys[] = {
        {.name = "on", .kind = MW_KEY_BOOL, .at = AT(tls.on)},
        {.name = "ca", .kind = MW_KEY_FILE, .at = AT(tls.ca)},
        {.name = "cert", .kind = MW_KEY_FILE, .at = AT(tls.cert)},
        {.name = "key", .kind = MW_KEY_FILE, .at = AT(tls.key)},
        {.name = "server_name", .kind = MW_KEY_TEXT, .at = AT(tls.server_name)},
        {0},
};

static const struct mw_key sink_keys[] = {
        {.name = "type",
         .kind = MW_KEY_WORD,
         .at = AT(type),
         .word = mw_sink_type_of,
         .words = "file, stdout, journald, syslog, relp, forward, http or kafka"},
        {.name = "format",
         .kind = MW_KEY_WORD,
         .at = AT(format),
         .word = mw_format_of,
         .words = "native, ocsf, ecs or cef"},
        {.name = "ocsf_version",
         .kind = MW_KEY_WORD,
         .at = AT(ocsf),
         .word = mw_ocsf_of,
         .words = "1.1, 1.3, 1.5 or 1.8"},
        {.name = "max_bytes", .kind = MW_KEY_BYTES, .at = AT(max)},
        {.name = "severity",
         .kind = MW_KEY_WORD,
         .at = AT(severity),
         .word = severity_of,
         .words = "info, low, medium, high or critical"},
        {.name = "rules", .kind = MW_KEY_LIST, .at = AT(rules)},
        {.name = "observe", .kind = MW_KEY_BOOL, .at = AT(observe)},
        {.name = "inventory", .kind = MW_KEY_BOOL, .at = AT(inventory)},
        {.name = "heartbeat", .kind = MW_KEY_BOOL, .at = AT(heartbeat)},
        {.name = "timeout", .kind = MW_KEY_WAIT, .at = AT(timeout_ms)},
        {.name = "path", .kind = MW_KEY_FILE, .at = AT(path), .of = OF(FILE)},
        {.name = "rotate_bytes", .kind = MW_KEY_BYTES, .at = AT(rotate_bytes), .of = OF(FILE)},
        {.name = "rotate_keep", .kind = MW_KEY_COUNT, .at = AT(rotate_keep), .of = OF(FILE)},
        {.name = "address", .kind = MW_KEY_TEXT, .at = AT(address), .of = ON_CHANNEL},
        {.name = "tls", .kind = MW_KEY_TABLE, .of = WITH_TLS, .below = tls_keys},
        {.name = "facility",
         .kind = MW_KEY_WORD,
         .at = AT(facility),
         .of = OF(SYSLOG) | OF(RELP),
         .word = facility_of,
         .words = "user, daemon, auth, authpriv, audit or local0 to local7"},
        {.name = "app_name",
         .kind = MW_KEY_TEXT,
         .at = AT(app_name),
         .of = OF(SYSLOG) | OF(RELP) | OF(JOURNALD)},
        {.name = "tag", .kind = MW_KEY_TEXT, .at = AT(tag), .of = OF(FORWARD)},
        {.name = "shared_key_file",
         .kind = MW_KEY_FILE,
         .at = AT(shared_key_file),
         .of = OF(FORWARD)},
        {.name = "hostname", .kind = MW_KEY_TEXT, .at = AT(hostname), .of = OF(FORWARD)},
        {.name = "user",
         .kind = MW_KEY_TEXT,
         .at = AT(user),
         .of = OF(FORWARD) | OF(HTTP) | OF(KAFKA)},
        {.name = "password_file",
         .kind = MW_KEY_FILE,
         .at = AT(password_file),
         .of = OF(FORWARD) | OF(HTTP) | OF(KAFKA)},
        {.name = "ack", .kind = MW_KEY_BOOL, .at = AT(ack), .of = OF(FORWARD)},
        {.name = "compress", .kind = MW_KEY_BOOL, .at = AT(compress), .of = OF(FORWARD) | OF(HTTP)},
        {.name = "url", .kind = MW_KEY_TEXT, .at = AT(url), .of = OF(HTTP)},
        {.name = "body",
         .kind = MW_KEY_WORD,
         .at = AT(body),
         .of = OF(HTTP),
         .word = body_of,
         .words = "webhook, hec, elastic or otlp"},
        {.name = "token_file", .kind = MW_KEY_FILE, .at = AT(token_file), .of = OF(HTTP)},
        {.name = "headers", .kind = MW_KEY_MAP, .at = AT(headers), .of = OF(HTTP)},
        {.name = "index", .kind = MW_KEY_TEXT, .at = AT(index), .of = OF(HTTP)},
        {.name = "indexer_ack", .kind = MW_KEY_BOOL, .at = AT(indexer_ack), .of = OF(HTTP)},
        {.name = "brokers", .kind = MW_KEY_TEXT, .at = AT(brokers), .of = OF(KAFKA)},
        {.name = "topic", .kind = MW_KEY_TEXT, .at = AT(topic), .of = OF(KAFKA)},
        {.name = "properties", .kind = MW_KEY_MAP, .at = AT(properties), .of = OF(KAFKA)},
        {0},
};

#undef AT
#define AT(field) offsetof(struct mw_spool_config, field)

static const struct mw_key rate_keys[] = {
        {.name = "per_rule", .kind = MW_KEY_COUNT, .at = AT(per_rule_minute)},
        {.name = "per_artifact", .kind = MW_KEY_COUNT, .at = AT(per_artifact_minute)},
        {0},
};
static const struct mw_key group_keys[] = {
        {.name = "window", .kind = MW_KEY_TIME, .at = AT(window_ms)},
        {.name = "window_max", .kind = MW_KEY_TIME, .at = AT(window_max_ms)},
        {0},
};
static const struct mw_key spool_keys[] = {
        {.name = "path", .kind = MW_KEY_FILE, .at = AT(path)},
        {.name = "max_bytes", .kind = MW_KEY_BYTES, .at = AT(max_bytes)},
        {.name = "max_age", .kind = MW_KEY_TIME, .at = AT(max_age_ms)},
        {.name = "keep", .kind = MW_KEY_TIME, .at = AT(keep_ms)},
        {.name = "flush", .kind = MW_KEY_TIME, .at = AT(flush_ms)},
        {.name = "heartbeat", .kind = MW_KEY_TIME, .at = AT(heartbeat_ms)},
        {.name = "group", .kind = MW_KEY_TABLE, .below = group_keys},
        {.name = "per_minute", .kind = MW_KEY_TABLE, .below = rate_keys},
        {0},
};

static int wrong(const char *where, const char *what, char *why, size_t why_size)
{
	snprintf(why, why_size, "%s: %s", where, what);
	return -EINVAL;
}

/* What a sink of the type cannot do without, or NULL. */
static const char *missing(const struct mw_sink_config *sink)
{
	switch (sink->type) {
	case MW_SINK_FILE:
		return sink->path ? NULL : "it needs a 'path'";
	case MW_SINK_SYSLOG:
	case MW_SINK_RELP:
	case MW_SINK_FORWARD:
		return sink->address ? NULL : "it needs an 'address'";
	case MW_SINK_HTTP:
		return sink->url ? NULL : "it needs a 'url'";
	case MW_SINK_KAFKA:
		return sink->brokers && sink->topic ? NULL : "it needs 'brokers' and a 'topic'";
	default:
		return NULL;
	}
}

/* Behind a name and a colon may be a password, and then another name. */
static bool is_at(const char *url, const char *host)
{
	size_t len = strlen(host);
	const char *rest;

	if (strncmp(url, host, len) != 0)
		return false;
	rest = url + len;
	if (*rest == ':')
		rest += 1 + strspn(rest + 1, "0123456789");
	return !*rest || *rest == '/';
}

/* Secrets are for one receiver, not for everybody on the way. */
static bool is_bare(const struct mw_sink_config *sink)
{
	const char *url = sink->url;

	if (!url || strncmp(url, "http://", 7) != 0)
		return false;
	if (is_at(url, "http://127.0.0.1") || is_at(url, "http://[::1]") ||
	    is_at(url, "http://localhost"))
		return false;
	return sink->token_file || sink->password_file;
}

static const char *complaint(const struct mw_sink_config *sink)
{
	const char *pattern;
	size_t i;
	json_t *item;

	json_array_foreach(sink->rules, i, item)
	{
		pattern = mw_glob_complaint(json_string_value(item));
		if (pattern)
			return pattern;
	}
	if (!(mw_sink_kind(sink->type)->formats & 1u << sink->format))
		return "this type cannot send that 'format'";
	if (sink->max && sink->max < MW_FORMAT_LEAST)
		return "max_bytes is at least 4 KiB";
	if (!sink->tls.cert != !sink->tls.key)
		return "'cert' and 'key' of tls go together";
	if (sink->url && strncmp(sink->url, "http://", 7) != 0 &&
	    strncmp(sink->url, "https://", 8) != 0)
		return "'url' begins with neither https:// nor http://";
	if (sink->url && sink->tls.on && !strncmp(sink->url, "http://", 7))
		return "'tls' is for a 'url' that begins with https://";
	if (is_bare(sink))
		return "a token or a password goes to another machine over https:// only";
	return missing(sink);
}

static int start_sink(struct mw_sink_config *sink, const char *name, const json_t *from, char *why,
                      size_t why_size)
{
	const char *word = json_string_value(json_object_get(from, "type"));
	int type = word ? mw_sink_type_of(word) : -EINVAL;

	if (type < 0)
		return wrong(name,
		             "'type' says which it is: file, stdout, journald, syslog, relp, "
		             "forward, http or kafka",
		             why, why_size);
	*sink = (struct mw_sink_config){
	        .name = strdup(name),
	        .type = (enum mw_sink_type)type,
	        .format = mw_sink_kind((enum mw_sink_type)type)->format,
	        .ocsf = MW_OCSF_1_5,
	        .max = mw_sink_kind((enum mw_sink_type)type)->max,
	        .severity = MW_INFO,
	        .heartbeat = true,
	        .timeout_ms = TIMEOUT_MS,
	        .facility = 13,
	        .ack = true,
	        .rotate_keep = 4,
	};
	return sink->name ? 0 : -ENOMEM;
}

static bool is_name(const char *name)
{
	size_t len =
	        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return len && len <= NAME_MAX_BYTES && !name[len];
}

static int read_sink(struct mw_sink_config *sink, const char *name, const json_t *from, char *why,
                     size_t why_size)
{
	char where[160];
	const char *what;
	int error;

	if (!is_name(name))
		return wrong("sinks", "a name has letters, digits, '-' and '_', at most 63", why,
		             why_size);
	snprintf(where, sizeof(where), "sink %s", name);
	error = start_sink(sink, name, from, why, why_size);
	if (!error && json_object_get(from, "tls"))
		sink->tls.on = true;
	/* Elastic's data streams are made for ECS. */
	if (!error && json_object_get(from, "body") &&
	    !strcmp(json_string_value(json_object_get(from, "body")) ?: "", "elastic"))
		sink->format = MW_FORMAT_ECS;
	if (!error)
		error = mw_keys_read(sink_keys, from, 1u << sink->type, sink, where, why, why_size);
	what = error ? NULL : complaint(sink);
	return what ? wrong(where, what, why, why_size) : error;
}

static void start_spool(struct mw_spool_config *spool)
{
	*spool = (struct mw_spool_config){
	        .max_bytes = UINT64_C(1) << 30,
	        .max_age_ms = 30 * 24 * HOUR_MS,
	        .keep_ms = 72 * HOUR_MS,
	        .window_ms = 60 * 1000,
	        .window_max_ms = HOUR_MS,
	        .per_rule_minute = 600,
	        .per_artifact_minute = 120,
	        .flush_ms = 5000,
	        .heartbeat_ms = 60 * 1000,
	};
}

int mw_sinks_read(const json_t *config, struct mw_sinks_config *ret, char *why, size_t why_size)
{
	json_t *sinks = json_object_get(config, "sinks"), *spool = json_object_get(config, "spool");
	json_t *from;
	const char *name;
	int error = 0;

	*ret = (struct mw_sinks_config){.count = 0};
	start_spool(&ret->spool);
	if (spool)
		error = mw_keys_read(spool_keys, spool, 0, &ret->spool, "spool", why, why_size);
	if (error)
		return error;
	if (json_object_size(sinks) > MW_SINKS_MAX)
		return wrong("sinks", "there are more than 32", why, why_size);
	ret->sinks = calloc(json_object_size(sinks) + 1, sizeof(*ret->sinks));
	if (!ret->sinks)
		return wrong("sinks", "not enough memory", why, why_size);
	json_object_foreach(sinks, name, from)
	{
		if (!error)
			error = read_sink(&ret->sinks[ret->count++], name, from, why, why_size);
	}
	return error;
}

void mw_sinks_free(struct mw_sinks_config *config)
{
	for (size_t i = 0; i < config->count; i++) {
		free(config->sinks[i].name);
		mw_keys_free(sink_keys, &config->sinks[i]);
	}
	free(config->sinks);
	mw_keys_free(spool_keys, &config->spool);
	*config = (struct mw_sinks_config){.count = 0};
}

bool mw_sinks_inventory(const json_t *config)
{
	struct mw_sinks_config read;
	char why[400];
	bool wanted = false;

	if (!mw_sinks_read(config, &read, why, sizeof(why)))
		for (size_t i = 0; i < read.count; i++)
			wanted |= read.sinks[i].inventory;
	mw_sinks_free(&read);
	return wanted;
}
