#include "verdict.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "artifact.h"

#define DIGEST_PATIENCE_MS 8000 /* the process gives up after 10 seconds */

/* Texts of a record as strings: what was cut ends in a byte that no pattern can contain. */
struct texts {
	char op[MW_WIRE_TEXT + 2], target[MW_WIRE_TEXT + 2], target2[MW_WIRE_TEXT + 2];
	char file[MW_WIRE_TEXT + 2], file2[MW_WIRE_TEXT + 2];
	char entry[MW_WIRE_TEXT + 2], global[MW_WIRE_TEXT + 2];
	char argv[MW_WIRE_ARGS][MW_WIRE_TEXT + 2];
	const char *args[MW_WIRE_ARGS];
};

static const char *string(struct mw_str s, char out[static MW_WIRE_TEXT + 2])
{
	uint32_t len = s.len < MW_WIRE_TEXT ? s.len : MW_WIRE_TEXT;

	if (!s.s)
		return NULL;
	memcpy(out, s.s, len);
	for (uint32_t i = 0; i < len; i++)
		if (!out[i])
			out[i] = '\1';
	out[len] = '\0';
	if (len == MW_WIRE_TEXT)
		memcpy(out + len, "\1", 2);
	return out;
}

static void take_effect(const struct mw_record_effect *from, struct texts *texts,
                        struct mw_effect *ret)
{
	*ret = (struct mw_effect){
	        .class = from->class,
	        .cause = from->cause,
	        .sensor = from->sensor,
	        .op = string(from->op, texts->op),
	        .target = string(from->target, texts->target),
	        .target2 = string(from->target2, texts->target2),
	        .file = string(from->file, texts->file),
	        .file2 = string(from->file2, texts->file2),
	        .argv = from->argc ? texts->args : NULL,
	        .argc = from->argc,
	        .argv_cut = from->argv_cut,
	        .owner = from->owner,
	        .number = from->number,
	        .facts = from->facts,
	};
	for (uint32_t i = 0; i < from->argc; i++) {
		const char *arg = string(from->argv[i], texts->argv[i]);

		texts->args[i] = arg ? arg : "";
	}
}

static const char *last_global(const struct mw_record_load *load, char out[static MW_WIRE_TEXT + 2])
{
	char *space;

	if (!load->seen_count || !string(load->seen[load->seen_count - 1], out))
		return NULL;
	space = strrchr(out, ' ');
	if (space)
		*space = '.';
	return out;
}

bool mw_verdict_needs_location(const struct mw_policy *policy)
{
	return policy->fields &
	       (1u << MW_FIELD_CALL | 1u << MW_FIELD_MODULE | 1u << MW_FIELD_STREAM_SHA256);
}

void mw_verdict(const struct mw_policy *policy, struct mw_alerts *alerts, pid_t pid,
                const struct mw_record *record, const struct mw_record_load *load,
                const struct mw_location *at, struct mw_decision *ret)
{
	struct texts texts;
	struct mw_effect effect;
	struct mw_artifact artifact;
	char sha256[MW_SHA256_HEX];
	struct mw_load_view view = {
	        .origin = load->origin,
	        .unknown = 1u << MW_FIELD_SHA256,
	        .now = time(NULL),
	        .entry = string(load->entry, texts.entry),
	        .global = last_global(load, texts.global),
	        .call = at->call.call[0] ? at->call.call : NULL,
	        .stream_sha256 = at->stream_sha256[0] ? at->stream_sha256 : NULL,
	};

	take_effect(&record->effect, &texts, &effect);
	mw_artifact_open(pid, load, &artifact);
	view.artifact = artifact.path[0] ? artifact.path : NULL;
	mw_decide(policy, &view, &effect, ret);
	if (ret->ask) {
		view.unknown = 0;
		view.sha256 = mw_alerts_digest(alerts, &artifact, DIGEST_PATIENCE_MS, sha256)
		                      ? NULL
		                      : sha256;
		mw_decide(policy, &view, &effect, ret);
	}
	mw_artifact_close(&artifact);
}

static struct mw_str text(const char *s)
{
	return (struct mw_str){s, s ? (uint32_t)strlen(s) : 0};
}

void mw_verdict_record(const struct mw_effect *effect, struct mw_record_effect *ret)
{
	*ret = (struct mw_record_effect){
	        .class = effect->class,
	        .cause = effect->cause,
	        .sensor = effect->sensor,
	        .facts = effect->facts,
	        .number = effect->number,
	        .owner = effect->owner,
	        .op = text(effect->op),
	        .target = text(effect->target),
	        .target2 = text(effect->target2),
	        .file = text(effect->file),
	        .file2 = text(effect->file2),
	        .argc = (uint32_t)effect->argc,
	        .argv_cut = effect->argv_cut,
	};
	for (size_t i = 0; i < effect->argc; i++)
		ret->argv[i] = text(effect->argv[i]);
}
