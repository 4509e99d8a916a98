#include "syslog_line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../core/words.h"

#define PRINTABLE_MIN 33
#define PRINTABLE_MAX 126
#define NS_PER_S 1000000000
#define VALUE_MAX 80

int mw_syslog_severity(enum mw_severity severity)
{
	static const int numbers[] = {
	        [MW_INFO] = 6, [MW_LOW] = 5, [MW_MEDIUM] = 4, [MW_HIGH] = 3, [MW_CRITICAL] = 2};

	return numbers[severity];
}

/* A field of the header: printable, at most `max` characters, "-" where there is none. */
static void field(const char *text, size_t len, size_t max, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < len && used < max; i++)
		out[used++] = text[i] < PRINTABLE_MIN || text[i] > PRINTABLE_MAX ? '_' : text[i];
	if (!used)
		out[used++] = '-';
	out[used] = '\0';
}

/* A value of the structured data. */
static const char *value(const char *text, char out[static VALUE_MAX])
{
	size_t used = 0;

	for (; *text && used < VALUE_MAX - 2; text++) {
		if (strchr("\"\\]", *text))
			out[used++] = '\\';
		out[used++] = *text < ' ' || *text > PRINTABLE_MAX ? '_' : *text;
	}
	out[used] = '\0';
	return out;
}

/* What a record is: the word of its schema. */
static void message_id(const json_t *record, char out[static 33])
{
	const char *schema = json_string_value(json_object_get(record, "schema"));
	const char *word = schema ? strchr(schema, '.') : NULL;

	word = word ? word + 1 : "";
	field(word, strcspn(word, "/"), 32, out);
}

static void time_of(int64_t ns, char out[static 32])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;

	if (ns <= 0 || !gmtime_r(&seconds, &tm)) {
		strcpy(out, "-");
		return;
	}
	strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + strlen(out), 32 - strlen(out), ".%06dZ", (int)(ns % NS_PER_S / 1000));
}

size_t mw_syslog_head(const struct mw_sink_config *config, const char *host,
                      const struct mw_sink_item *item, char ret[static MW_SYSLOG_HEAD])
{
	const char *app = config->app_name ? config->app_name : "modelwatch";
	char when[32], from[256], name[49], kind[33], id[VALUE_MAX], uid[VALUE_MAX];

	time_of(item->time, when);
	field(host, strlen(host), 255, from);
	field(app, strlen(app), 48, name);
	message_id(item->emission.record, kind);
	return (size_t)snprintf(
	        ret, MW_SYSLOG_HEAD,
	        "<%d>1 %s %s %s %d %s [modelwatch@32473 id=\"%s\" uid=\"%s\" sequence=\"%llu\" "
	        "severity=\"%s\"] ",
	        config->facility * 8 + mw_syslog_severity(item->severity), when, from, name,
	        (int)getpid(), kind, value(item->id, id), value(item->emission.uid, uid),
	        (unsigned long long)item->emission.sequence, mw_severity_name(item->severity));
}
