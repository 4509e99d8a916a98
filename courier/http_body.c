/* The records are text already; what a receiver wants around them is put around that text, which is
 * not parsed again. */
#include "http_body.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/when.h"

#define BODY_MAX SIZE_MAX

static int put(struct mw_buffer *out, const char *text)
{
	return mw_buffer_add(out, text, strlen(text), BODY_MAX) < 0 ? -ENOMEM : 0;
}

static int dump_part(const char *data, size_t len, void *context)
{
	return mw_buffer_add(context, data, len, BODY_MAX) < 0 ? -1 : 0;
}

/* Writes `head`, which it takes. */
static int put_json(struct mw_buffer *out, json_t *head)
{
	/* 13 digits are a time in milliseconds. */
	int state = head ? json_dump_callback(head, dump_part, out,
	                                      JSON_COMPACT | JSON_REAL_PRECISION(13))
	                 : -1;

	json_decref(head);
	return state ? -ENOMEM : 0;
}

/* Writes `head` (taken), a non-empty object, with one more member `name`: the record. */
static int put_around(struct mw_buffer *out, json_t *head, const char *name,
                      const struct mw_sink_item *item)
{
	int error = put_json(out, head);

	if (!error)
		out->len--; /* its brace */
	if (!error && !(error = put(out, ",\"")) && !(error = put(out, name)))
		error = put(out, "\":");
	if (!error && mw_buffer_add(out, item->text, item->len, BODY_MAX) < 0)
		error = -ENOMEM;
	return error ? error : put(out, "}");
}

static const char *text_of(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text ? text : "";
}

static int webhook(const struct mw_sink_item *item, struct mw_buffer *out)
{
	return mw_buffer_add(out, item->text, item->len, BODY_MAX) < 0 ? -ENOMEM : 0;
}

static int hec(const struct mw_sink_config *config, const char *host,
               const struct mw_sink_item *item, struct mw_buffer *out)
{
	char type[32];
	json_t *head;

	snprintf(type, sizeof(type), "modelwatch:%s", mw_format_name(config->format));
	head = json_pack("{s:f, s:s, s:s, s:s, s:s*, s:{s:s, s:s}}", "time",
	                 (double)item->time / 1e9, "host", host, "source", "modelwatch",
	                 "sourcetype", type, "index", config->index, "fields", "uid",
	                 item->emission.uid, "id", item->id);
	return put_around(out, head, "event", item);
}

/* A data stream takes no document without @timestamp, which ECS has and the others do not. */
static int elastic_document(const struct mw_sink_config *config, const struct mw_sink_item *item,
                            struct mw_buffer *out)
{
	char when[MW_WHEN_TEXT], head[64];
	int error;

	if (config->format == MW_FORMAT_ECS)
		return webhook(item, out);
	mw_when_text(item->time, when);
	snprintf(head, sizeof(head), "{\"@timestamp\":\"%s\",", when);
	error = put(out, head);
	if (!error && mw_buffer_add(out, item->text + 1, item->len - 1, BODY_MAX) < 0)
		error = -ENOMEM;
	return error;
}

static int elastic(const struct mw_sink_config *config, const struct mw_sink_item *item,
                   struct mw_buffer *out)
{
	const char *index = config->index ? config->index : "logs-modelwatch.alerts-default";
	int error = put_json(out, json_pack("{s:{s:s, s:s}}", "create", "_index", index, "_id",
	                                    item->emission.uid));

	if (!error)
		error = put(out, "\n");
	if (!error)
		error = elastic_document(config, item, out);
	return error ? error : put(out, "\n");
}

/* "modelwatch.alert/1" without its version: the kind of record. */
static int event_name(const struct mw_sink_item *item, char *ret, size_t size)
{
	const char *schema = text_of(item->emission.record, "schema");

	return snprintf(ret, size, "%.*s", (int)strcspn(schema, "/"), schema);
}

static json_t *attribute(const char *name, const char *value)
{
	return json_pack("{s:s, s:{s:s}}", "key", name, "value", "stringValue", value);
}

static int otlp_record(const struct mw_sink_item *item, struct mw_buffer *out)
{
	static const int numbers[] = {
	        [MW_INFO] = 9, [MW_LOW] = 10, [MW_MEDIUM] = 13, [MW_HIGH] = 17, [MW_CRITICAL] = 21};
	char when[24], sequence[24], name[64];

	snprintf(when, sizeof(when), "%" PRId64, item->time);
	snprintf(sequence, sizeof(sequence), "%" PRIu64, item->emission.sequence);
	event_name(item, name, sizeof(name));
	return put_json(out,
	                json_pack("{s:s, s:i, s:s, s:s, s:{s:o}, s:[o, o, {s:s, s:{s:s}}]}",
	                          "timeUnixNano", when, "severityNumber", numbers[item->severity],
	                          "severityText", mw_severity_name(item->severity), "eventName",
	                          name, "body", "stringValue", json_stringn(item->text, item->len),
	                          "attributes", attribute("log.record.uid", item->emission.uid),
	                          attribute("modelwatch.id", item->id), "key",
	                          "modelwatch.sequence", "value", "intValue", sequence));
}

static int otlp(const char *host, const struct mw_sink_item *items, size_t count,
                struct mw_buffer *out)
{
	const char *version = text_of(items[0].emission.record, "version");
	json_t *resource = json_pack("{s:{s:[o, o, o]}}", "resource", "attributes",
	                             attribute("service.name", "modelwatch"),
	                             attribute("service.version", *version ? version : MW_VERSION),
	                             attribute("host.name", host));
	int error = put(out, "{\"resourceLogs\":[");

	if (error)
		json_decref(resource);
	else
		error = put_json(out, resource);
	if (!error)
		out->len--; /* its brace */
	if (!error)
		error = put(out, ",\"scopeLogs\":[{\"scope\":{\"name\":\"modelwatch\"},"
		                 "\"logRecords\":[");
	for (size_t i = 0; i < count && !error; i++) {
		error = i ? put(out, ",") : 0;
		if (!error)
			error = otlp_record(&items[i], out);
	}
	return error ? error : put(out, "]}]}]}");
}

int mw_http_body(const struct mw_sink_config *config, const char *host,
                 const struct mw_sink_item *items, size_t count, struct mw_buffer *ret)
{
	int error = 0;

	if (config->body == MW_HTTP_OTLP)
		return otlp(host, items, count, ret);
	for (size_t i = 0; i < count && !error; i++)
		error = config->body == MW_HTTP_HEC       ? hec(config, host, &items[i], ret)
		        : config->body == MW_HTTP_ELASTIC ? elastic(config, &items[i], ret)
		                                          : webhook(&items[i], ret);
	return error;
}
