/* The text of a policy, and what a program in the kernel is given of it: nothing is refused there
 * that the policy lets happen. Asked about are the paths, sockets and programs that the text names,
 * with something in the place of what stands for others. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/daemon_refusals.h"
#include "../unit/policy_of.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME_MAX_ 200
#define LEVELS 12 /* as ebpf/refuse.h has it */

static struct mw_k_refusal refusals[MW_REFUSALS];

static uint64_t unlike(const struct mw_k_words *text, const struct mw_k_words *like,
                       const struct mw_k_words *mask)
{
	uint64_t differs = 0;

	for (int i = 0; i < MW_K_WORDS; i++)
		differs |= (text->word[i] ^ like->word[i]) & mask->word[i];
	return differs;
}

static void take(const char *text, size_t len, struct mw_k_words *ret)
{
	*ret = (struct mw_k_words){0};
	memcpy(ret, text, len < MW_K_SPELT - 1 ? len : MW_K_SPELT - 1);
}

/* What follows does as ebpf/refuse.h does, with a path in the place of the kernel's own. */
static uint32_t place_of(const char *path, const char *slash, struct mw_k_words *ret)
{
	char place[NAME_MAX_ + 1] = "";
	uint32_t used = 0;

	for (const char *end = slash; end > path;) {
		const char *start = end - 1;

		while (*start != '/')
			start--;
		memcpy(place + used, start + 1, (size_t)(end - start) - 1);
		used += (uint32_t)(end - start);
		place[used - 1] = '\0';
		end = start;
	}
	memcpy(ret, place, sizeof(*ret));
	return used;
}

static bool is_one_spared(const struct mw_k_refusal *refusal, uint32_t facts,
                          const struct mw_k_words *name, const struct mw_k_words *place,
                          uint32_t place_len)
{
	for (uint32_t i = 0; i < refusal->count; i++) {
		const struct mw_k_spared *s = &refusal->spared[i];

		if ((facts & s->facts) != s->facts || unlike(name, &s->name, &s->name_mask))
			continue;
		if (!place || !s->place_len ||
		    (s->place_len == place_len && !unlike(place, &s->place, &s->place_mask)))
			return true;
	}
	return false;
}

static bool lies_in_spared(const struct mw_k_refusal *refusal, const char *path)
{
	const char *end = path + strlen(path);

	for (int level = 0; level < LEVELS && end > path; level++) {
		const char *start = end - 1;
		struct mw_k_words name;

		while (*start != '/')
			start--;
		take(start + 1, (size_t)(end - start) - 1, &name);
		for (uint32_t i = 0; i < refusal->folders; i++)
			if (!unlike(&name, &refusal->folder[i], &refusal->folder_mask[i]))
				return true;
		end = start;
	}
	return false;
}

static bool is_file_spared(const struct mw_k_refusal *refusal, uint32_t facts, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct mw_k_words name, place;
	uint32_t place_len = place_of(path, slash, &place);

	take(slash + 1, strlen(slash + 1), &name);
	return is_one_spared(refusal, facts, &name, &place, place_len) ||
	       lies_in_spared(refusal, path);
}

static bool is_text_spared(const struct mw_k_refusal *refusal, uint32_t facts, const char *text)
{
	struct mw_k_words name;

	take(text, strlen(text), &name);
	return is_one_spared(refusal, facts, &name, NULL, 0);
}

static bool is_spared(const struct mw_k_refusal *refusal, uint32_t facts, enum mw_class class,
                      const char *path)
{
	if (class == MW_EXEC && is_text_spared(refusal, facts, strrchr(path, '/') + 1))
		return true;
	if (class == MW_CONNECT)
		return is_text_spared(refusal, facts | MW_K_IS_UNIX, path);
	return is_file_spared(refusal, facts, path);
}

/* Whether the policy lets it happen, in a load from a file or from memory. */
static bool is_let(const struct mw_policy *policy, const struct mw_effect *effect)
{
	for (int origin = MW_FROM_FILE; origin <= MW_FROM_BYTES; origin++) {
		const struct mw_load_view load = {.origin = (enum mw_origin)origin,
		                                  .now = 1,
		                                  .entry = "pickle.loads",
		                                  .artifact = "/m/x.pt",
		                                  .global = "posix.system",
		                                  .call = "posix.system"};
		struct mw_decision decision;

		mw_decide(policy, &load, effect, &decision);
		if (decision.verdict < MW_DENY)
			return true;
	}
	return false;
}

static void compare(const struct mw_policy *policy, struct mw_effect *effect, enum mw_k_blame blame)
{
	const struct mw_k_refusal *r = &refusals[mw_k_refusal_key(effect->class, blame)];
	uint32_t facts = effect->facts & MW_FACT_CALLED ? 0 : MW_K_UNCALLED;
	bool says;

	if (r->count > MW_K_SPARED || r->folders > MW_K_FOLDERS)
		abort();
	if (r->refuse && mw_daemon_unrefused(policy, effect->class, blame, &says))
		abort();
	if (r->refuse && is_let(policy, effect) &&
	    !is_spared(r, facts, effect->class, effect->target))
		abort();
}

static void ask(const struct mw_policy *policy, const char *path)
{
	static const enum mw_class classes[] = {MW_WRITE, MW_EXEC, MW_CONNECT};
	static const char *const ops[] = {"open", "execve", "connect"};
	const char *const argv[] = {path, "-c", "x"};

	for (size_t i = 0; i < 6; i++) {
		struct mw_effect effect = {.class = classes[i / 2],
		                           .op = ops[i / 2],
		                           .target = path,
		                           .file = path,
		                           .argv = argv,
		                           .argc = 3,
		                           .facts = i % 2 ? MW_FACT_CALLED : 0};

		if (effect.class == MW_CONNECT)
			effect.facts |= MW_FACT_UNIX;
		effect.cause = MW_BY_CALL;
		compare(policy, &effect, MW_K_CALLED);
		compare(policy, &effect, MW_K_BY_PYTHON);
		effect.cause = MW_BY_NATIVE;
		compare(policy, &effect, MW_K_BY_PYTHON);
	}
}

/* The word of the text that begins there, as a path; a letter where a pattern has something else.
 * Returns its length in the text. */
static size_t take_path(const char *text, size_t len, char path[static NAME_MAX_ + 2])
{
	size_t used = 0, at = 0;

	if (*text != '/')
		path[used++] = '/';
	for (; at < len && !strchr(" '\",[]{}\n:", text[at]) && used < NAME_MAX_; at++) {
		bool other = strchr("*?\\!", text[at]) || text[at] < ' ';

		if (text[at] != '/' || !used || path[used - 1] != '/')
			path[used++] = other ? 'a' : text[at];
	}
	while (used && path[used - 1] == '/')
		used--;
	path[used] = '\0';
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char error[300], path[NAME_MAX_ + 2];
	struct mw_policy *policy;
	size_t image;

	policy = policy_of(text, size, MW_COMMAND_LINE, MW_DENY, &image, error);
	if (!policy)
		return 0;
	mw_daemon_refusals(policy, refusals);
	for (size_t at = 0; at < size; at++) {
		size_t len = take_path(text + at, size - at, path);

		if (path[0])
			ask(policy, path);
		at += len;
	}
	free(policy);
	return 0;
}
