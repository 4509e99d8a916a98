#include "entry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "when.h"

#define VALUES_MAX 65536
#define COUNT_MAX UINT64_C(1000000000) /* so that sums of them do not overflow */

/* Each value takes some fifty bytes once it is read: a line of eight million commas must not take
 * half a gigabyte. An alert has less than two thousand. */
static bool is_modest(const char *line, size_t len)
{
	bool quoted = false;
	size_t values = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
		else if (!quoted)
			values += line[i] == ',' || line[i] == ':' || line[i] == '[';
	}
	return values <= VALUES_MAX;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 8-4-4-4-12 lower-case hexadecimal digits. */
static int read_id(const char *text, uint8_t ret[static MW_ID_BYTES])
{
	if (!text || strlen(text) != MW_ID_TEXT - 1)
		return -EINVAL;
	for (int i = 0; i < MW_ID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (*text++ != '-')
				return -EINVAL;
		if (digit(text[0]) < 0 || digit(text[1]) < 0)
			return -EINVAL;
		ret[i] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text += 2;
	}
	return 0;
}

void mw_id_text(const uint8_t id[static MW_ID_BYTES], char ret[static MW_ID_TEXT])
{
	for (int i = 0; i < MW_ID_BYTES; i++)
		ret += sprintf(ret, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
		               id[i]);
}

static int read_time(struct mw_entry *entry)
{
	const char *text = mw_field_text(entry->json, "time");

	return text ? mw_when_rfc3339(text, &entry->time) : -EINVAL;
}

static int read_alert(struct mw_entry *entry)
{
	int severity = mw_field_word(entry->json, "severity", mw_severity_parse);
	int requested = mw_field_word(entry->json, "requested", mw_verdict_parse);
	int outcome = mw_field_word(entry->json, "outcome", mw_outcome_parse);
	uint64_t update;

	if (severity < 0 || requested < 0 || outcome < 0 || read_time(entry) ||
	    read_id(mw_field_text(entry->json, "id"), entry->id) ||
	    mw_field_word(entry->json, "effect.class", mw_class_parse) < 0 ||
	    !mw_field_text(entry->json, "rule") ||
	    !mw_field_number(entry->json, "update", &update) || update > UINT32_MAX)
		return -EINVAL;
	entry->update = (uint32_t)update;
	entry->severity = (enum mw_severity)severity;
	entry->outcome = (enum mw_outcome)outcome;
	entry->deny_would_stop = outcome == MW_OBSERVED && requested >= MW_DENY;
	if (!mw_field_number(entry->json, "count", &entry->count) || !entry->count)
		entry->count = 1;
	return 0;
}

static int read_kind(struct mw_entry *entry)
{
	const char *schema = mw_field_text(entry->json, "schema");
	int error = 0;

	if (!schema || strncmp(schema, "modelwatch.", strlen("modelwatch.")) != 0)
		return -EINVAL;
	if (!strcmp(schema, "modelwatch.alert/1")) {
		entry->kind = MW_ENTRY_ALERT;
		error = read_alert(entry);
	} else if (!strcmp(schema, "modelwatch.loss/1")) {
		entry->kind = MW_ENTRY_LOSS;
		error = mw_field_number(entry->json, "lost", &entry->count) ? read_time(entry)
		                                                            : -EINVAL;
	} else {
		entry->kind = MW_ENTRY_OTHER;
	}
	if (entry->count > COUNT_MAX)
		entry->count = COUNT_MAX;
	return error;
}

int mw_entry_read(struct mw_entry *ret, const char *line, size_t len)
{
	*ret = (struct mw_entry){.json = NULL};
	if (!is_modest(line, len))
		return -EINVAL;
	/* A name in a model file may well have a NUL in it. */
	ret->json = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	return ret->json ? read_kind(ret) : -EINVAL;
}

void mw_entry_free(struct mw_entry *entry)
{
	json_decref(entry->json);
	entry->json = NULL;
}
