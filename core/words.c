#include "words.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const class_words[MW_CLASS_COUNT] = {
        "exec", "connect", "send", "listen", "write", "map", "read", "tamper", "code", "limit"};
static const char *const cause_words[MW_CAUSE_COUNT] = {"call",   "import", "machinery",
                                                        "loader", "native", "unknown"};
static const char *const verdict_words[MW_VERDICT_COUNT] = {"allow", "observe", "alert", "deny",
                                                            "kill"};
static const char *const outcome_words[MW_OUTCOME_COUNT] = {"prevented", "killed_after_effect",
                                                            "observed"};
static const char *const sensor_words[MW_SENSOR_COUNT] = {"python", "libc", "syscall", "kernel"};
static const char *const severity_words[MW_SEVERITY_COUNT] = {"info", "low", "medium", "high",
                                                              "critical"};
static const char *const origin_words[MW_ORIGIN_COUNT] = {"file", "bytes", "session", "foreign"};

static const char *name(const char *const *words, size_t count, size_t value)
{
	return value < count ? words[value] : "?";
}

static int parse(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(words[i], word))
			return (int)i;
	return -EINVAL;
}

const char *mw_class_name(enum mw_class c)
{
	return name(class_words, MW_CLASS_COUNT, c);
}

const char *mw_cause_name(enum mw_cause c)
{
	return name(cause_words, MW_CAUSE_COUNT, c);
}

const char *mw_verdict_name(enum mw_verdict v)
{
	return name(verdict_words, MW_VERDICT_COUNT, v);
}

const char *mw_outcome_name(enum mw_outcome o)
{
	return name(outcome_words, MW_OUTCOME_COUNT, o);
}

const char *mw_sensor_name(enum mw_sensor s)
{
	return name(sensor_words, MW_SENSOR_COUNT, s);
}

const char *mw_severity_name(enum mw_severity s)
{
	return name(severity_words, MW_SEVERITY_COUNT, s);
}

const char *mw_origin_name(enum mw_origin o)
{
	return name(origin_words, MW_ORIGIN_COUNT, o);
}

int mw_class_parse(const char *word)
{
	return parse(class_words, MW_CLASS_COUNT, word);
}

int mw_cause_parse(const char *word)
{
	return parse(cause_words, MW_CAUSE_COUNT, word);
}

int mw_verdict_parse(const char *word)
{
	return parse(verdict_words, MW_VERDICT_COUNT, word);
}

int mw_outcome_parse(const char *word)
{
	return parse(outcome_words, MW_OUTCOME_COUNT, word);
}

int mw_severity_parse(const char *word)
{
	return parse(severity_words, MW_SEVERITY_COUNT, word);
}

int mw_origin_parse(const char *word)
{
	return parse(origin_words, MW_ORIGIN_COUNT, word);
}
