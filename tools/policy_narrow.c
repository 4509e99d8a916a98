#include "policy_narrow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/glob.h"
#include "../core/wire.h"
#include "../core/words.h"
#include "fields.h"
#include "sha256.h"
#include "text.h"

#define PATTERN_MAX (2 * MW_WIRE_TEXT + 2)

/* A rule while it is written: what it matches, and what is wrong. */
struct narrow {
	const json_t *alert;
	FILE *out;
	char *text;
	size_t len;
	char *error;
	size_t error_size;
	bool failed;
};

static void fail(struct narrow *n, const char *what, const char *field)
{
	if (!n->failed)
		snprintf(n->error, n->error_size, "%s%s%s", what, *field ? ": " : "", field);
	n->failed = true;
}

/* In ASCII only, each character beyond it as one escape: what JSON writes for those that need two
 * is none in YAML. */
static void put_quoted(FILE *out, const char *text)
{
	size_t len = strlen(text);
	uint32_t code;

	fputc('"', out);
	for (size_t i = 0; i < len;) {
		i += mw_utf8_next(text + i, len - i, &code);
		if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else if (code >= ' ' && code < 0x7f)
			fputc((int)code, out);
		else
			fprintf(out, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
	}
	fputc('"', out);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* The text at `path`, NULL when there is none. What is no text, or has a NUL in it, is of no alert
 * that modelwatch writes: left out it would make the rule wider. */
static const char *text_at(struct narrow *n, const char *path)
{
	const json_t *value = mw_field(n->alert, path);
	const char *text = json_string_value(value);

	if (value && (!text || strlen(text) != json_string_length(value)))
		fail(n, "the alert has something else than a text", path);
	return text && *text ? text : NULL;
}

/* Whether the text is what the process had: not redacted, not cut, every byte of it. */
static bool is_whole(struct narrow *n, const char *field, const char *text)
{
	if (strstr(text, "<redacted:"))
		fail(n, "the alert does not hold what was redacted", field);
	else if (strlen(text) >= MW_WIRE_TEXT)
		fail(n, "the alert holds only the beginning", field);
	else if (strstr(text, "\xef\xbf\xbd"))
		fail(n, "the alert holds bytes of it only as replacement characters", field);
	else if (has_control(text))
		fail(n, "a rule cannot ask for a line's end or another control character", field);
	return !n->failed;
}

static void put_literal(struct narrow *n, const char *field, const char *text)
{
	char pattern[PATTERN_MAX];

	if (!is_whole(n, field, text))
		return;
	mw_glob_escape(text, strlen(text), pattern, sizeof(pattern));
	put_quoted(n->out, pattern);
}

/* `field: "value"` of the text at `path`, when there is one. */
static bool pin(struct narrow *n, const char *field, const char *path)
{
	const char *text = text_at(n, path);

	if (!text)
		return false;
	fprintf(n->out, "    %s: ", field);
	put_literal(n, field, text);
	fputc('\n', n->out);
	return true;
}

static bool pin_number(struct narrow *n, const char *field, const char *path)
{
	uint64_t number;

	if (!mw_field(n->alert, path))
		return false;
	if (!mw_field_number(n->alert, path, &number)) {
		fail(n, "the alert has something else than a number", path);
		return false;
	}
	fprintf(n->out, "    %s: %llu\n", field, (unsigned long long)number);
	return true;
}

/* A word of the glossary as it stands. */
static void pin_word(struct narrow *n, const char *field, const char *path)
{
	const char *text = text_at(n, path);

	if (text && strspn(text, "abcdefghijklmnopqrstuvwxyz") != strlen(text))
		fail(n, "the alert has something else than a word", path);
	else if (text)
		fprintf(n->out, "    %s: %s\n", field, text);
}

static void pin_argv(struct narrow *n)
{
	const json_t *argv = mw_field(n->alert, "effect.detail.argv");
	char line[PATTERN_MAX * 4];
	size_t len = 0;

	if (argv && !json_is_array(argv))
		fail(n, "the alert has something else than a list", "argv");
	if (json_is_true(mw_field(n->alert, "effect.detail.argv_cut")))
		fail(n, "the alert does not hold all arguments", "argv");
	for (size_t i = 0; i < json_array_size(argv) && !n->failed; i++) {
		const json_t *value = json_array_get(argv, i);
		const char *arg = json_string_value(value);

		if (!arg || strlen(arg) != json_string_length(value))
			fail(n, "the alert has something else than a text", "argv");
		else
			is_whole(n, "argv", arg);
		if (n->failed)
			break;
		if (i && len + 1 < sizeof(line))
			line[len++] = ' ';
		len += mw_glob_escape(arg, strlen(arg), line + len, sizeof(line) - len);
		if (len >= 1000)
			fail(n, "the arguments are too long for a rule", "argv");
	}
	if (!json_array_size(argv) || n->failed)
		return;
	fputs("    argv: ", n->out);
	put_quoted(n->out, line);
	fputc('\n', n->out);
}

/* Both paths of a rename or link must match the same list. */
static void pin_files(struct narrow *n)
{
	const char *file = text_at(n, "effect.detail.file");
	const char *other = text_at(n, "effect.detail.file2");

	if (!file) {
		fail(n, "the alert does not say where the file really lies", "path");
		return;
	}
	fputs("    path: [", n->out);
	put_literal(n, "path", file);
	if (other) {
		fputs(", ", n->out);
		put_literal(n, "path", other);
	} else if (mw_field_text(n->alert, "effect.detail.path2")) {
		fail(n, "the alert does not say where the second file really lies", "path");
	}
	fputs("]\n", n->out);
}

static bool has_fact(const json_t *alert, const char *word)
{
	const json_t *facts = mw_field(alert, "effect.detail.facts");

	for (size_t i = 0; i < json_array_size(facts); i++)
		if (!strcmp(json_string_value(json_array_get(facts, i)) ?: "", word))
			return true;
	return false;
}

static void pin_map(struct narrow *n)
{
	if (mw_field_text(n->alert, "effect.detail.file"))
		pin_files(n);
	else if (has_fact(n->alert, "anonymous"))
		fputs("    when: [anonymous]\n", n->out);
	else if (!pin(n, "target", "effect.detail.library"))
		fail(n, "the alert does not say which library", "target");
}

static void pin_network(struct narrow *n)
{
	bool some = pin(n, "address", "effect.detail.address");

	some |= pin_number(n, "port", "effect.detail.port");
	some |= pin(n, "unix", "effect.detail.path");
	if (!some)
		fail(n, "the alert does not say which address", "");
}

static void pin_exec(struct narrow *n)
{
	if (!pin(n, "executable", "effect.detail.executable"))
		fail(n, "the alert does not say which program was found", "executable");
	pin_number(n, "executable_owner", "effect.detail.executable_owner");
	pin_argv(n);
}

static void pin_effect(struct narrow *n)
{
	const char *word = mw_field_text(n->alert, "effect.class");

	switch (word ? mw_class_parse(word) : -EINVAL) {
	case MW_EXEC:
		pin_exec(n);
		return;
	case MW_CONNECT:
	case MW_SEND:
	case MW_LISTEN:
		pin_network(n);
		return;
	case MW_WRITE:
	case MW_READ:
		pin_files(n);
		return;
	case MW_MAP:
		pin_map(n);
		return;
	case MW_TAMPER:
	case MW_CODE:
		pin(n, "target", "effect.detail.target");
		return;
	case MW_LIMIT: /* its operation says which one */
		return;
	default:
		fail(n, "the alert is of an effect that this version does not know", "");
	}
}

/* By what it is, and what calls: without a digest any file would do. */
static void pin_load(struct narrow *n)
{
	bool some = pin(n, "sha256", "load.artifact.sha256");
	const char *call = text_at(n, "load.call");

	some |= pin(n, "stream_sha256", "load.artifact.stream_sha256");
	if (!some)
		fail(n, "the alert holds no digest of what was loaded: a rule would fit any file",
		     "");
	if (call && strstr(call, " or "))
		fail(n, "the alert does not say which of several calls it was", "call");
	pin(n, "call", "load.call");
	pin(n, "entry", "load.entry");
	pin_word(n, "origin", "load.origin");
}

static void pin_all(struct narrow *n)
{
	pin_word(n, "effect", "effect.class");
	pin_word(n, "cause", "cause");
	pin(n, "op", "effect.detail.op");
	pin_effect(n);
	pin_load(n);
}

/* One line of it, so that it stays a comment. */
static void put_comment(FILE *out, const json_t *alert)
{
	json_t *title = mw_shown_field(alert, "title", 600);
	json_t *severity = mw_shown_field(alert, "severity", 16);

	fprintf(out,
	        "  # Lets this through, and only for this very file and call (severity %s):\n"
	        "  # %s\n",
	        json_string_value(severity) ?: "unknown", json_string_value(title) ?: "");
	json_decref(title);
	json_decref(severity);
}

static char *make(struct narrow *n, const struct mw_exception *exception)
{
	char digest[MW_SHA256_HEX] = "", *rule = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&rule, &len);

	if (!out || mw_sha256(n->text, n->len, digest))
		fail(n, "not enough memory", "");
	if (!out)
		return NULL;
	put_comment(out, n->alert);
	fputs("  - name: ", out);
	if (exception->name)
		put_quoted(out, exception->name);
	else
		fprintf(out, "allow-%.8s", digest);
	fprintf(out, "\n%s    verdict: allow\n    reason: ", n->text);
	put_quoted(out, exception->reason);
	fputs("\n    owner: ", out);
	put_quoted(out, exception->owner);
	if (exception->expires) {
		fputs("\n    expires: ", out);
		put_quoted(out, exception->expires);
	}
	fputc('\n', out);
	if (fclose(out))
		fail(n, "not enough memory", "");
	return rule;
}

char *mw_narrow_rule(const json_t *alert, const struct mw_exception *exception, char *error,
                     size_t error_size)
{
	struct narrow n = {.alert = alert, .error = error, .error_size = error_size};
	char *rule = NULL;

	n.out = open_memstream(&n.text, &n.len);
	if (!n.out) {
		fail(&n, "not enough memory", "");
		return NULL;
	}
	pin_all(&n);
	if (fclose(n.out))
		fail(&n, "not enough memory", "");
	if (!n.failed)
		rule = make(&n, exception);
	free(n.text);
	if (!n.failed)
		return rule;
	free(rule);
	return NULL;
}
