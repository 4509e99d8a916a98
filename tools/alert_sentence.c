/* The one sentence that tells an alert. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../core/redact.h"
#include "alert_parts.h"
#include "quantity.h"
#include "text.h"

#define PATH_SHOWN 72
#define CALL_SHOWN 80
#define DEED_SHOWN 200

static void str(struct mw_text *out, struct mw_str s, size_t max)
{
	if (s.s && s.len)
		mw_text_shown(out, s.s, s.len, max);
	else
		mw_text_add(out, "something unnamed");
}

static bool has(struct mw_str s, const char *word)
{
	return s.s && memmem(s.s, s.len, word, strlen(word)) != NULL;
}

static bool is_plain(struct mw_str s)
{
	static const char others[] = "_-./=:,+@%^";

	for (uint32_t i = 0; i < s.len; i++) {
		char c = s.s[i];
		bool letter =
		        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!letter && !memchr(others, c, sizeof(others) - 1))
			return false;
	}
	return s.len > 0;
}

/* The command as one would type it. */
static void command(const struct mw_record_effect *effect, struct mw_text *out, size_t max)
{
	char line[2048], arg[MW_REDACT_ROOM(MW_WIRE_TEXT)];
	struct mw_redact_argv argv = {0};
	struct mw_text t;

	if (!effect->argc) {
		str(out, effect->target, max);
		return;
	}
	mw_text_start(&t, line, sizeof(line));
	for (uint32_t i = 0; i < effect->argc && i < MW_WIRE_ARGS; i++) {
		struct mw_str raw = effect->argv[i];
		size_t len = mw_redact_arg(&argv, raw.s ? raw.s : "?", raw.s ? raw.len : 1, arg,
		                           sizeof(arg), NULL);
		const char *quote = is_plain((struct mw_str){arg, (uint32_t)len}) ? ""
		                    : memchr(arg, '\'', len)                      ? "\""
		                                                                  : "'";

		mw_text_add(&t, "%s%s", i ? " " : "", quote);
		mw_text_shown(&t, arg, len, 1000);
		mw_text_add(&t, "%s", quote);
	}
	if (effect->argv_cut)
		mw_text_add(&t, " ...");
	mw_text_shown(out, line, t.len, max);
}

/* The first word in the operation's name decides which kind of write it is. */
static const struct {
	const char *word, *verb, *between;
} writes[] = {
        {"rename", "rename", " to "},
        {"move", "move", " to "},
        {"symlink", "link", " to "},
        {"unlink", "delete", NULL},
        {"link", "link", " as "},
        {"remove", "delete", NULL},
        {"rmdir", "delete", NULL},
        {"rmtree", "delete", NULL},
        {"copy", "copy", " to "},
        {"mkdir", "make the directory", NULL},
        {"xattr", "change attributes of", NULL},
        {"chmod", "change the mode of", NULL},
        {"chown", "change the owner of", NULL},
        {"chflags", "change the flags of", NULL},
        {"utime", "change the times of", NULL},
        {"truncate", "truncate", NULL},
        {"mknod", "make the device", NULL},
        {"unpack", "unpack", " to "},
        {"mkstemp", "create", NULL},
};

static void write_deed(const struct mw_record_effect *effect, struct mw_text *out, size_t max)
{
	const char *verb = effect->facts & MW_FACT_NEW ? "create" : "write", *between = " and ";

	for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++) {
		if (!has(effect->op, writes[i].word))
			continue;
		verb = writes[i].verb;
		between = writes[i].between ? writes[i].between : between;
		break;
	}
	mw_text_add(out, "%s ", verb);
	str(out, effect->target, max);
	if (effect->target2.s && effect->target2.len) {
		mw_text_add(out, "%s", between);
		str(out, effect->target2, max);
	}
}

static void map_deed(const struct mw_record_effect *effect, struct mw_text *out, size_t max)
{
	if (effect->facts & MW_FACT_ANONYMOUS || !effect->target.s) {
		mw_text_add(out, "make memory executable");
		return;
	}
	mw_text_add(out, "load the library ");
	str(out, effect->target, max);
}

static void tamper_deed(const struct mw_record_effect *effect, struct mw_text *out, size_t max)
{
	if (has(effect->op, "env")) {
		mw_text_add(out, "change the environment variable ");
		str(out, effect->target, max);
	} else if (has(effect->op, "kill")) {
		mw_text_add(out, "send signal %lld", (long long)effect->number);
	} else {
		mw_text_add(out, "interfere with the process or its watch");
	}
}

static void code_deed(const struct mw_record_effect *effect, struct mw_text *out, size_t max)
{
	if (effect->facts & MW_FACT_DEFERRED) {
		mw_text_add(out, "get hold of ");
		str(out, effect->target, max);
	} else if (has(effect->op, "ctypes")) {
		mw_text_add(out, "reach into memory");
	} else {
		mw_text_add(out, "build and run code");
	}
}

static void limit_deed(const struct mw_record_effect *effect, struct mw_text *out)
{
	char text[MW_QUANTITY_TEXT];

	if (has(effect->op, "memory")) {
		mw_quantity_bytes((uint64_t)effect->number, text);
		mw_text_add(out, "take more than %s of memory", text);
	} else if (has(effect->op, "time")) {
		mw_quantity_time((uint64_t)effect->number, text);
		mw_text_add(out, "take longer than %s", text);
	} else if (has(effect->op, "nesting")) {
		mw_text_add(out, "open more than %lld load%s inside one another",
		            (long long)effect->number, effect->number == 1 ? "" : "s");
	} else {
		mw_text_add(out,
		            "go on when its time was over, where no exception reaches it, and its "
		            "process is killed (it is not out of memory)");
	}
}

static void network_deed(const struct mw_record_effect *effect, struct mw_text *out, size_t max)
{
	const char *verb = effect->class == MW_CONNECT  ? "connect to "
	                   : effect->class == MW_LISTEN ? "listen on "
	                                                : "send to ";

	if (has(effect->op, "getaddrinfo") || has(effect->op, "gethostby"))
		verb = "look up ";
	mw_text_add(out, "%s", verb);
	str(out, effect->target, max);
}

void mw_alert_deed(const struct mw_record_effect *effect, struct mw_text *out, size_t max)
{
	switch (effect->class) {
	case MW_EXEC:
		mw_text_add(out, "run `");
		command(effect, out, max);
		mw_text_add(out, "`");
		break;
	case MW_CONNECT:
	case MW_SEND:
	case MW_LISTEN:
		network_deed(effect, out, max);
		break;
	case MW_WRITE:
		write_deed(effect, out, max);
		break;
	case MW_MAP:
		map_deed(effect, out, max);
		break;
	case MW_READ:
		mw_text_add(out, "read the secret file ");
		str(out, effect->target, max);
		break;
	case MW_TAMPER:
		tamper_deed(effect, out, max);
		break;
	case MW_LIMIT:
		limit_deed(effect, out);
		break;
	case MW_CODE:
	case MW_CLASS_COUNT:
		code_deed(effect, out, max);
		break;
	}
}

static void who(const struct mw_alert *alert, struct mw_text *out)
{
	const char *path = alert->artifact.path;

	if (*path) {
		mw_text_tail(out, path, strlen(path), PATH_SHOWN);
	} else if (alert->load->entry.s && alert->load->entry.len) {
		mw_text_add(out, "A stream in memory (");
		mw_text_shown(out, alert->load->entry.s, alert->load->entry.len, 40);
		mw_text_add(out, ")");
	} else {
		mw_text_add(out, "A model file");
	}
}

static void where(const struct mw_alert *alert, struct mw_text *out)
{
	const struct mw_pickle_answer *call = &alert->at->call;
	const char *member = alert->at->member;

	mw_text_add(out, "%s", alert->load->importing ? "importing for " : "");
	mw_text_shown(out, call->call, strlen(call->call), CALL_SHOWN);
	if (!call->found)
		return;
	if (call->offset == call->offset_end)
		mw_text_add(out, " at byte %llu", (unsigned long long)call->offset);
	else
		mw_text_add(out, " at bytes %llu to %llu", (unsigned long long)call->offset,
		            (unsigned long long)call->offset_end);
	if (*member) {
		mw_text_add(out, " of ");
		mw_text_tail(out, member, strlen(member), 40);
	} else if (alert->at->nested) {
		mw_text_add(out, " of a stream nested in it");
	}
}

void mw_alert_sentence(const struct mw_alert *alert, char *out, size_t size)
{
	struct mw_text t;

	mw_text_start(&t, out, size);
	who(alert, &t);
	mw_text_add(&t, " tried to ");
	mw_alert_deed(&alert->record->effect, &t, DEED_SHOWN);
	if (alert->at->call.call[0]) {
		mw_text_add(&t, " (");
		where(alert, &t);
		mw_text_add(&t, ")");
	}
	mw_text_add(&t, "%s: %s",
	            alert->record->effect.facts & MW_FACT_SCOPE ? " by what the load started" : "",
	            mw_alert_prevented(alert) ? "prevented" : "not prevented");
}
