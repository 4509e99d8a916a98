#include "daemon_message.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon_message_clean.h"
#include "fields.h"

/* What only the daemon can say. */
#define THEIRS (1u << MW_PYTHON | 1u << MW_LIBC | 1u << MW_SYSCALL)

static int hello(const json_t *json, struct mw_message *ret)
{
	const char *policy = mw_field_text(json, "policy"), *mode = mw_field_text(json, "mode");
	int verdict = mode ? mw_verdict_parse(mode) : -EINVAL;

	if (!policy || strlen(policy) != sizeof(ret->policy) - 1 || verdict < 0 ||
	    verdict == MW_ALLOW)
		return -EBADMSG;
	memcpy(ret->policy, policy, sizeof(ret->policy));
	ret->mode = (enum mw_verdict)verdict;
	return 0;
}

static int id_of(const json_t *json, char ret[static 37])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	const char *id = mw_field_text(json, "id");

	if (!id || strlen(id) != sizeof(form) - 1)
		return -EBADMSG;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? id[i] != '-' : !strchr("0123456789abcdef", id[i]))
			return -EBADMSG;
	memcpy(ret, id, sizeof(form));
	return 0;
}

static int process_of(const json_t *json, struct mw_message *ret)
{
	uint64_t pid, tid = 0;

	if (!mw_field_number(json, "process.pid", &pid) || !pid || pid > INT_MAX)
		return -EBADMSG;
	if (mw_field_number(json, "process.tid", &tid) && tid > INT_MAX)
		return -EBADMSG;
	ret->pid = (pid_t)pid;
	ret->tid = (pid_t)tid;
	return 0;
}

static uint32_t bit_of(const char *sensor)
{
	for (int s = 0; s < MW_SENSOR_COUNT; s++)
		if (!strcmp(sensor, mw_sensor_name((enum mw_sensor)s)))
			return 1u << s;
	return 0;
}

static int sensors_of(struct mw_message *ret)
{
	const json_t *seen = json_object_get(ret->alert, "seen_by");

	ret->sensors = bit_of(mw_field_text(ret->alert, "sensor"));
	for (size_t i = 0; i < json_array_size(seen); i++)
		ret->sensors |= bit_of(json_string_value(json_array_get(seen, i)));
	return ret->sensors & ~THEIRS ? -EACCES : 0;
}

static void add_target(struct mw_message *ret, const char *text)
{
	if (text && *text && ret->target_count < MW_MESSAGE_TARGETS)
		ret->target[ret->target_count++] = text;
}

static void add_address(struct mw_message *ret, const json_t *detail)
{
	const char *host = mw_field_text(detail, "address");
	bool v6 = host && strchr(host, ':');
	uint64_t port;

	if (!host)
		return;
	if (mw_field_number(detail, "port", &port))
		snprintf(ret->address, sizeof(ret->address), v6 ? "[%.*s]:%d" : "%.*s:%d",
		         MW_ADDRESS_TEXT, host, (int)port);
	else
		snprintf(ret->address, sizeof(ret->address), "%s", host);
	add_target(ret, ret->address);
}

static void targets_of(struct mw_message *ret)
{
	static const char *const names[] = {"path",  "file",    "executable", "path2",
	                                    "file2", "library", "target"};
	const json_t *detail = mw_field(ret->alert, "effect.detail");

	add_address(ret, detail);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		add_target(ret, mw_field_text(detail, names[i]));
}

static enum mw_outcome outcome_of(const json_t *alert)
{
	int outcome = MW_PREVENTED;

	while (outcome < MW_OBSERVED &&
	       strcmp(mw_field_text(alert, "outcome"), mw_outcome_name((enum mw_outcome)outcome)))
		outcome++;
	return (enum mw_outcome)outcome;
}

/* Who says that a user reported it is no user. */
static bool is_second_hand(const json_t *json)
{
	return mw_field(json, "reporter") || json_array_size(mw_field(json, "reports"));
}

static int report(const json_t *json, struct mw_message *ret)
{
	const char *op;
	int error = id_of(json, ret->id);

	if (!error)
		error = process_of(json, ret);
	if (!error && is_second_hand(json))
		error = -EACCES;
	if (!error)
		error = mw_message_clean(json, &ret->alert);
	if (!error)
		error = sensors_of(ret);
	if (error)
		return error;
	op = mw_field_text(ret->alert, "effect.detail.op");
	ret->op = op ? op : "";
	ret->class = (enum mw_class)mw_class_parse(mw_field_text(ret->alert, "effect.class"));
	ret->outcome = outcome_of(ret->alert);
	targets_of(ret);
	return 0;
}

static int read_it(const json_t *json, struct mw_message *ret)
{
	const char *schema = mw_field_text(json, "schema");

	if (schema && !strcmp(schema, "modelwatch.alert/1")) {
		ret->kind = MW_SAYS_REPORT;
		return report(json, ret);
	}
	if (schema && !strcmp(schema, "modelwatch.hello/1")) {
		ret->kind = MW_SAYS_HELLO;
		return hello(json, ret);
	}
	if (schema && !strcmp(schema, "modelwatch.loss/1")) {
		ret->kind = MW_SAYS_LOSS;
		return mw_field_number(json, "lost", &ret->lost) ? 0 : -EBADMSG;
	}
	ret->kind = MW_SAYS_SUPERVISE;
	return schema && !strcmp(schema, "modelwatch.supervise/1") ? 0 : -EBADMSG;
}

int mw_message_read(const char *line, size_t len, struct mw_message *ret)
{
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	int error;

	*ret = (struct mw_message){.kind = MW_SAYS_COUNT};
	if (!json)
		return -EBADMSG;
	error = read_it(json, ret);
	json_decref(json);
	if (error)
		mw_message_free(ret);
	return error;
}

void mw_message_free(struct mw_message *message)
{
	json_decref(message->alert);
	message->alert = NULL;
}
