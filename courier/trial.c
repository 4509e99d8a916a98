#include "trial.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../tools/text.h"
#include "letter.h"
#include "sink.h"

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* As the spool would hand it over. */
static void fill(struct mw_spool_entry *entry, json_t *record)
{
	const char *id = json_string_value(json_object_get(record, "id"));

	*entry = (struct mw_spool_entry){.sequence = 0, .severity = MW_INFO, .record = record};
	snprintf(entry->uid, sizeof(entry->uid), "%s", id ? id : "");
}

/* Receivers have chosen some of the words. */
static json_t *say(const char *outcome, const char *detail, const char *why, int64_t us)
{
	char shown_detail[MW_SINK_WHY], shown_why[MW_SINK_WHY];
	struct mw_text text;

	mw_text_start(&text, shown_detail, sizeof(shown_detail));
	mw_text_shown(&text, detail, strlen(detail), sizeof(shown_detail) - 1);
	mw_text_start(&text, shown_why, sizeof(shown_why));
	mw_text_shown(&text, why, strlen(why), sizeof(shown_why) - 1);
	return json_pack("{s:{s:s, s:s, s:s, s:I}}", "test", "outcome", outcome, "detail",
	                 shown_detail, "why", shown_why, "us", (json_int_t)us);
}

static json_t *answer(const struct mw_sink_item *item, const struct mw_sink_report *report,
                      int64_t us)
{
	static const char *const outcomes[] = {"retry", "done", "refused"};

	return say(outcomes[item->outcome], report->detail, report->why, us);
}

static json_t *no(const char *why)
{
	return say("retry", "", why, 0);
}

static json_t *send_one(const struct mw_sink_config *config, const struct mw_sink_ops *ops,
                        struct mw_sink *sink, json_t *record)
{
	struct mw_sink_report report = {.reason = NULL};
	struct mw_spool_entry entry;
	struct mw_sink_item item;
	int64_t start = now_us();
	json_t *ret;

	fill(&entry, record);
	if (mw_letter_make(config, ops->wants_json, &entry, &item))
		return no("the record cannot be put into the sink's format");
	ops->send(sink, &item, 1, &report);
	ret = answer(&item, &report, now_us() - start);
	mw_letter_free(&item);
	return ret;
}

static const struct mw_sink_config *find(const struct mw_sinks_config *config, const char *name)
{
	for (size_t i = 0; name && i < config->count; i++)
		if (!strcmp(config->sinks[i].name, name))
			return &config->sinks[i];
	return NULL;
}

json_t *mw_trial(const struct mw_sinks_config *config, const json_t *hello, const char *host)
{
	const struct mw_sink_config *of =
	        find(config, json_string_value(json_object_get(hello, "test")));
	const struct mw_sink_ops *ops = of ? mw_sink_ops(of->type) : NULL;
	struct mw_sink_context context = {.stop = eventfd(0, EFD_CLOEXEC), .host = host};
	char why[MW_SINK_WHY] = "not enough memory";
	struct mw_sink *sink = NULL;
	json_t *ret;

	if (!of)
		return no("there is no sink of that name");
	if (!ops)
		return no("modelwatch was built without it");
	if (ops->open(of, &context, &sink, why, sizeof(why)))
		return no(why);
	ret = send_one(of, ops, sink, json_object_get(hello, "record"));
	ops->close(sink);
	close(context.stop);
	return ret;
}
