/* The alert in a job's log: what was tried, by which byte of which file, what became of it, how it
 * came about, and what to do now. */
#include <stdio.h>
#include <string.h>

#include "../core/redact.h"
#include "alert_parts.h"
#include "identity.h"
#include "identity_cache.h"
#include "text.h"

#define DEED_SHOWN 64
#define NAME_SHOWN 48

static void field(struct mw_text *out, const char *name)
{
	mw_text_add(out, "   = %-8s ", name);
}

static void size_of_file(const struct mw_artifact *artifact, struct mw_text *out)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
	double size = (double)artifact->status.st_size;
	int unit = 0;

	if (artifact->fd < 0)
		return;
	while (size >= 1000 && unit < 4) {
		size /= 1000;
		unit++;
	}
	mw_text_add(out, unit ? " (%.1f %s)" : " (%.0f %s)", size, units[unit]);
}

/* A call as one would write it; what BUILD sets stands behind what it sets it on. */
static void call_line(const struct mw_alert *alert, struct mw_text *out)
{
	const struct mw_pickle_answer *call = &alert->at->call;
	size_t len = strlen(call->args);
	bool tuple = len > 2 && call->args[0] == '(' && call->args[len - 1] == ')';
	bool single = tuple && call->args[len - 2] == ',';

	mw_text_add(out, "   |  %s: ",
	            alert->load->importing ? "import for"
	            : call->found          ? call->opcode
	                                   : "last fetched");
	mw_text_shown(out, call->call, strlen(call->call), 60);
	mw_text_add(out, tuple || !len ? "" : " ");
	mw_text_shown(out, call->args, single ? len - 2 : len, 100);
	mw_text_add(out, single ? ")\n" : "\n");
}

/* File, member and byte; then the call. */
static void place(const struct mw_alert *alert, struct mw_text *out)
{
	const struct mw_artifact *artifact = &alert->artifact;
	const struct mw_pickle_answer *call = &alert->at->call;

	mw_text_add(out, "  --> ");
	if (artifact->path[0])
		mw_text_tail(out, artifact->path, strlen(artifact->path), 400);
	else
		mw_text_add(out, "a stream in memory");
	size_of_file(artifact, out);
	if (alert->at->member[0]) {
		mw_text_add(out, ", ");
		mw_text_tail(out, alert->at->member, strlen(alert->at->member), 48);
	}
	if (call->found && call->offset == call->offset_end)
		mw_text_add(out, ", byte %llu", (unsigned long long)call->offset);
	else if (call->found)
		mw_text_add(out, ", bytes %llu to %llu", (unsigned long long)call->offset,
		            (unsigned long long)call->offset_end);
	mw_text_add(out, alert->at->nested ? " of a nested stream\n" : "\n");
	if (call->call[0])
		call_line(alert, out);
}

static void command_line(const struct mw_alert *alert, struct mw_text *out)
{
	char cmdline[4096], line[1024], arg[MW_REDACT_ROOM(sizeof(cmdline))];
	size_t len = mw_proc_read(alert->pid, "cmdline", cmdline, sizeof(cmdline));
	struct mw_redact_argv argv = {0};
	struct mw_text t;

	/* Another process may have the pid by now. */
	if (!len || (alert->hint && !mw_identity_is_there(alert->hint)))
		return;
	mw_text_start(&t, line, sizeof(line));
	for (size_t at = 0; at < len; at += strlen(cmdline + at) + 1) {
		mw_redact_arg(&argv, cmdline + at, strlen(cmdline + at), arg, sizeof(arg), NULL);
		mw_text_add(&t, "%s%s", at ? " " : "", arg);
	}
	mw_text_add(out, " (");
	mw_text_shown(out, line, t.len, 50);
	mw_text_add(out, ")");
}

static void loaded_by(const struct mw_alert *alert, struct mw_text *out)
{
	const struct mw_record_load *load = alert->load;

	field(out, "load");
	if (load->entry.s && load->entry.len)
		mw_text_shown(out, load->entry.s, load->entry.len, 40);
	else
		mw_text_add(out, "unknown");
	mw_text_add(out, " in process %d", (int)alert->pid);
	command_line(alert, out);
	mw_text_add(out, "\n");
}

/* Who should have announced it and did not. */
static const char *missed_by(const struct mw_record_effect *effect)
{
	if (!(effect->facts & MW_FACT_UNANNOUNCED))
		return "";
	return effect->sensor == MW_SYSCALL ? ", EVADED the Python and libc sensors"
	                                    : ", EVADED the Python sensor";
}

static void judged(const struct mw_alert *alert, struct mw_text *out)
{
	const struct mw_record_effect *effect = &alert->record->effect;
	const struct mw_decision *decision = alert->decision;
	bool prevented = mw_alert_prevented(alert);

	field(out, prevented ? "stopped" : "seen");
	mw_text_add(out, "%s by ", mw_class_name(effect->class));
	if (effect->op.s)
		mw_text_shown(out, effect->op.s, effect->op.len, 32);
	mw_text_add(out, ", rule %s, severity %s%s\n", decision->rule,
	            mw_severity_name(mw_alert_severity(alert)), missed_by(effect));
	if (decision->expired)
		mw_text_add(out, "              rule %s would have decided, but it has expired\n",
		            decision->expired);
	if (!prevented && decision->requested > decision->verdict)
		mw_text_add(out, "              mode %s let it happen; the rule asks for %s\n",
		            mw_verdict_name(alert->options->mode),
		            mw_verdict_name(decision->requested));
}

static bool entry_is(const struct mw_record_load *load, const char *word)
{
	return load->entry.s && load->entry.len >= strlen(word) &&
	       !memcmp(load->entry.s, word, strlen(word));
}

static const char *safer(const struct mw_record_load *load)
{
	if (entry_is(load, "torch."))
		return "torch.load(..., weights_only=True), or a safetensors file, runs no code.";
	if (entry_is(load, "numpy."))
		return "numpy.load(..., allow_pickle=False) runs no code.";
	if (entry_is(load, "joblib.") || entry_is(load, "sklearn."))
		return "skops or ONNX files of the same model run no code.";
	return "A pickle runs what its author wrote; safetensors and JSON run no code.";
}

/* An honest file may be larger than whoever set the limit had thought. */
static void advice_on_limit(struct mw_text *out)
{
	mw_text_add(out,
	            "If you know the file and it may take that much: `modelwatch policy allow`\n"
	            "              proposes a rule for it alone, `limits:` of the policy are for "
	            "all.\n");
}

static void advice_on_attack(const struct mw_alert *alert, struct mw_text *out)
{
	mw_text_add(out, "%s\n              %s\n",
	            mw_alert_prevented(alert)
	                    ? "Do not use this file, and do not retry it unwatched."
	                    : "Treat this machine as exposed to the file's author.",
	            safer(alert->load));
	mw_text_add(out, "              Tell your security team and whoever published it:\n");
}

static void advice(const struct mw_alert *alert, struct mw_text *out)
{
	field(out, "next");
	if (alert->record->effect.class == MW_LIMIT)
		advice_on_limit(out);
	else
		advice_on_attack(alert, out);
	field(out, "alert");
	mw_text_add(out, "%s\n", alert->id);
}

/* One line of an effect that is only to be observed. */
static size_t short_line(const struct mw_alert *alert, struct mw_text *out)
{
	mw_text_add(out, "modelwatch: observed: %s [%s, alert %s]\n", alert->title,
	            alert->decision->rule, alert->id);
	return out->len;
}

/* What to look for in a long log: short, and all on one line. */
static void headline(const struct mw_alert *alert, bool colour, struct mw_text *out)
{
	bool prevented = mw_alert_prevented(alert);
	const char *path = alert->artifact.path, *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : *path ? path : "a model file";

	mw_text_add(out, "%smodelwatch: %s: ",
	            !colour     ? ""
	            : prevented ? "\033[1;31m"
	                        : "\033[1;33m",
	            prevented ? "PREVENTED" : "NOT PREVENTED");
	mw_text_shown(out, name, strlen(name), NAME_SHOWN);
	mw_text_add(out, " tried to ");
	mw_alert_deed(&alert->record->effect, out, DEED_SHOWN);
	mw_text_add(out, "%s%s\n",
	            alert->record->effect.facts & MW_FACT_SCOPE ? " by what the load started" : "",
	            colour ? "\033[0m" : "");
}

size_t mw_alert_text(const struct mw_alert *alert, bool colour, char *out, size_t size)
{
	struct mw_text t;

	mw_text_start(&t, out, size);
	if (alert->decision->verdict < MW_ALERT)
		return short_line(alert, &t);
	headline(alert, colour, &t);
	place(alert, &t);
	loaded_by(alert, &t);
	judged(alert, &t);
	mw_alert_stacks(alert, &t);
	advice(alert, &t);
	return t.len;
}
