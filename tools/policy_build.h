/* Assembles the flat image of a policy, rule by rule. */
#ifndef MW_TOOLS_POLICY_BUILD_H
#define MW_TOOLS_POLICY_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "../core/policy.h"

/* The room that strings and rules grow in; start from zero. Offsets of rules count from the start
 * of `text` until mw_policy_image() moves them. */
struct mw_policy_build {
	struct mw_rule *rules;
	size_t count, rules_cap;
	char *text;
	size_t text_len, text_cap;
	uint32_t *names; /* hash table: index of a rule + 1, or 0 */
	size_t names_cap;
	char tmp[512], home[512]; /* what {tmp} and {home} stand for */
	uint32_t *secret;         /* where the patterns of `secrets:` stand (policy_secrets.h) */
	size_t secret_count, secret_cap;
	uint32_t secrets; /* their list, or 0 */
};

/* Finds out what {tmp} and {home} stand for: $TMPDIR or /tmp, $HOME or the user's entry in the
 * password file. Returns 0 or -ENOMEM. */
int mw_policy_build_start(struct mw_policy_build *build);
void mw_policy_build_free(struct mw_policy_build *build);

/* Appends `len` bytes and a NUL. Returns the offset of the first, or a negative errno: -EFBIG when
 * the image would be too large. */
int64_t mw_policy_text(struct mw_policy_build *build, const char *s, size_t len);

/* The same, with {tmp} and {home} replaced; -EINVAL when `s` has another word in braces. */
int64_t mw_policy_target(struct mw_policy_build *build, const char *s, size_t len);

/* Adds a copy of `rule`, whose name is in the text already. Returns 0, -EEXIST when there is a rule
 * of that name, -E2BIG when there are too many, or another negative errno. */
int mw_policy_add(struct mw_policy_build *build, const struct mw_rule *rule);

/* Makes the image of what was added. Returns 0 or a negative errno; the caller frees `*ret`. */
int mw_policy_image(const struct mw_policy_build *build, enum mw_verdict mode,
                    const uint8_t digest[static 32], struct mw_policy **ret, size_t *ret_size);

#endif
