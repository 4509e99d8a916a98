#include "daemon_message_fields.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "../core/effect.h"
#include "../core/wire.h"
#include "alert_parts.h"

#define TITLE_MAX 599

static int parse_digest_state(const char *word)
{
	return !strcmp(word, "done") || !strcmp(word, "pending") || !strcmp(word, "unavailable")
	               ? 0
	               : -EINVAL;
}

static int parse_mode(const char *word)
{
	int mode = mw_verdict_parse(word);

	return mode == MW_ALLOW ? -EINVAL : mode;
}

static int parse_sensor(const char *word)
{
	for (int s = 0; s < MW_SENSOR_COUNT; s++)
		if (!strcmp(word, mw_sensor_name((enum mw_sensor)s)))
			return s;
	return -EINVAL;
}

#define COMMON                                                                                     \
	{.name = "op", .kind = MW_TAKE_TEXT},                                                      \
	{                                                                                          \
		.name = "facts", .kind = MW_TAKE_SET, .max = MW_FACT_COUNT, .parse = mw_fact_parse \
	}

static const struct mw_message_field exec_detail[] = {
        COMMON,
        {.name = "path", .kind = MW_TAKE_TEXT},
        {.name = "executable", .kind = MW_TAKE_TEXT},
        {.name = "executable_owner", .kind = MW_TAKE_NUMBER},
        {.name = "argv", .kind = MW_TAKE_TEXTS, .max = MW_WIRE_ARGS},
        {.name = "argv_cut", .kind = MW_TAKE_BOOLEAN},
        {0}};
static const struct mw_message_field network_detail[] = {COMMON,
                                                         {.name = "address", .kind = MW_TAKE_TEXT},
                                                         {.name = "port", .kind = MW_TAKE_PORT},
                                                         {.name = "path", .kind = MW_TAKE_TEXT},
                                                         {0}};
static const struct mw_message_field file_detail[] = {
        COMMON,
        {.name = "path", .kind = MW_TAKE_TEXT},
        {.name = "path2", .kind = MW_TAKE_TEXT},
        {.name = "file", .kind = MW_TAKE_TEXT},
        {.name = "file2", .kind = MW_TAKE_TEXT},
        {.name = "number", .kind = MW_TAKE_NUMBER, .low = INT64_MIN},
        {0}};
static const struct mw_message_field map_detail[] = {
        COMMON,
        {.name = "library", .kind = MW_TAKE_TEXT},
        {.name = "file", .kind = MW_TAKE_TEXT},
        {.name = "number", .kind = MW_TAKE_NUMBER, .low = INT64_MIN},
        {0}};
static const struct mw_message_field other_detail[] = {
        COMMON,
        {.name = "target", .kind = MW_TAKE_TEXT},
        {.name = "number", .kind = MW_TAKE_NUMBER, .low = INT64_MIN},
        {0}};

const struct mw_message_field *const mw_message_details[MW_CLASS_COUNT] = {
        [MW_EXEC] = exec_detail,      [MW_CONNECT] = network_detail, [MW_SEND] = network_detail,
        [MW_LISTEN] = network_detail, [MW_WRITE] = file_detail,      [MW_READ] = file_detail,
        [MW_MAP] = map_detail,        [MW_TAMPER] = other_detail,    [MW_CODE] = other_detail,
        [MW_LIMIT] = other_detail};

static const struct mw_message_field model[] = {{.name = "hub", .kind = MW_TAKE_SHOWN, .max = 200},
                                                {.name = "repo", .kind = MW_TAKE_TEXT},
                                                {.name = "revision", .kind = MW_TAKE_TEXT},
                                                {0}};
static const struct mw_message_field artifact[] = {
        {.name = "path", .kind = MW_TAKE_TEXT},
        {.name = "member", .kind = MW_TAKE_TEXT},
        {.name = "size", .kind = MW_TAKE_NUMBER},
        {.name = "sha256", .kind = MW_TAKE_HEX, .max = 64},
        {.name = "digest_state", .kind = MW_TAKE_WORD, .parse = parse_digest_state},
        {.name = "stream_sha256", .kind = MW_TAKE_HEX, .max = 64},
        {.name = "model", .kind = MW_TAKE_OPTION, .fields = model},
        {0}};
static const struct mw_message_field load[] = {
        {.name = "id", .kind = MW_TAKE_HEX, .max = 16},
        {.name = "entry", .kind = MW_TAKE_TEXT},
        {.name = "origin", .kind = MW_TAKE_CHOICE, .parse = mw_origin_parse},
        {.name = "artifact", .kind = MW_TAKE_OBJECT, .fields = artifact},
        {.name = "call", .kind = MW_TAKE_TEXT},
        {.name = "args", .kind = MW_TAKE_TEXT},
        {.name = "opcode", .kind = MW_TAKE_TEXT},
        {.name = "offset", .kind = MW_TAKE_NUMBER},
        {.name = "offset_range", .kind = MW_TAKE_RANGE},
        {.name = "nested", .kind = MW_TAKE_BOOLEAN},
        {.name = "after_load", .kind = MW_TAKE_MAYBE},
        {0}};
static const struct mw_message_field python_frame[] = {
        {.name = "function", .kind = MW_TAKE_TEXT},
        {.name = "file", .kind = MW_TAKE_TEXT},
        {.name = "line", .kind = MW_TAKE_NUMBER, .low = 1},
        {.name = "inside", .kind = MW_TAKE_BOOLEAN},
        {0}};
static const struct mw_message_field native_frame[] = {{.name = "symbol", .kind = MW_TAKE_TEXT},
                                                       {.name = "object", .kind = MW_TAKE_TEXT},
                                                       {.name = "offset", .kind = MW_TAKE_WHOLE},
                                                       {0}};
static const struct mw_message_field policy[] = {
        {.name = "digest", .kind = MW_TAKE_HEX, .max = 64},
        {.name = "rule", .kind = MW_TAKE_SHOWN, .max = 200},
        {.name = "severity", .kind = MW_TAKE_CHOICE, .parse = mw_severity_parse},
        {.name = "expired", .kind = MW_TAKE_TEXT},
        {0}};

const struct mw_message_field mw_message_alert[] = {
        {.name = "rule", .kind = MW_TAKE_SHOWN, .max = 200},
        {.name = "title", .kind = MW_TAKE_SHOWN, .max = TITLE_MAX},
        {.name = "severity", .kind = MW_TAKE_WORD, .parse = mw_severity_parse},
        {.name = "verdict", .kind = MW_TAKE_WORD, .parse = mw_verdict_parse},
        {.name = "requested", .kind = MW_TAKE_WORD, .parse = mw_verdict_parse},
        {.name = "mode", .kind = MW_TAKE_WORD, .parse = parse_mode},
        {.name = "outcome", .kind = MW_TAKE_WORD, .parse = mw_outcome_parse},
        {.name = "sensor", .kind = MW_TAKE_WORD, .parse = parse_sensor},
        {.name = "seen_by", .kind = MW_TAKE_SET, .max = MW_SENSOR_COUNT, .parse = parse_sensor},
        {.name = "evasion", .kind = MW_TAKE_BOOLEAN},
        {.name = "cause", .kind = MW_TAKE_WORD, .parse = mw_cause_parse},
        {.name = "load", .kind = MW_TAKE_OBJECT, .fields = load},
        {.name = "python_stack",
         .kind = MW_TAKE_OBJECTS,
         .max = MW_WIRE_FRAMES,
         .fields = python_frame},
        {.name = "native_stack",
         .kind = MW_TAKE_OBJECTS,
         .max = MW_ALERT_NATIVE,
         .fields = native_frame},
        {.name = "policy", .kind = MW_TAKE_OBJECT, .fields = policy},
        {.name = "labels", .kind = MW_TAKE_NAMES},
        {0},
};
