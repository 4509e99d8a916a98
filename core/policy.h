/* The compiled policy: a flat, position-independent image that the monitor builds once and every
 * sensor maps read-only, and decide(), the one pure function that reads it.
 *
 * Rules are tried in order and the first that matches decides. An image is checked once with
 * mw_policy_check() by whoever maps it; decide() then trusts its offsets. */
#ifndef MW_CORE_POLICY_H
#define MW_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "effect.h"
#include "words.h"

#define MW_POLICY_MAGIC 0x4d57504cu /* "MWPL" */
#define MW_POLICY_VERSION 1u
#define MW_POLICY_MAX_SIZE (64u << 20)
#define MW_POLICY_MAX_RULES 100000u

/* A list of patterns is a run of NUL-terminated strings that ends with an empty one; offset 0 means
 * "not asked". All offsets count from the start of the image. */
struct mw_rule {
	uint32_t classes; /* bit per enum mw_class */
	uint32_t causes;  /* bit per enum mw_cause */
	uint32_t origins; /* bit per enum mw_origin */
	uint32_t all;     /* facts that must hold */
	uint32_t none;    /* facts that must not */
	uint32_t ops;     /* patterns on the operation */
	uint32_t targets; /* patterns on the target (and on target2 when there is one) */
	uint32_t argv;    /* patterns on the arguments, joined by MW_ARGUMENT */
	uint32_t globals; /* patterns on the last global that the stream fetched */
	uint32_t name;    /* one string */
	uint8_t verdict;
	uint8_t severity;
	uint8_t pad[2];
};

struct mw_policy {
	uint32_t magic, version;
	uint32_t size; /* of the whole image, in bytes */
	uint32_t mode; /* enum mw_verdict, MW_OBSERVE to MW_KILL */
	uint32_t rule_count, rules;
	uint32_t secrets;   /* patterns of the files that are secrets (secret.h); 0: none */
	uint8_t digest[32]; /* SHA-256 of the policy's source text */
};

/* What decide() needs to know of the load. */
struct mw_load_view {
	enum mw_origin origin;
	const char *global; /* the last global fetched, "module.name", or NULL */
};

struct mw_decision {
	enum mw_verdict verdict;   /* what is to happen: the lower of the rule's and the mode's */
	enum mw_verdict requested; /* what the rule asked for */
	enum mw_severity severity;
	bool record;      /* the monitor is to be told */
	const char *rule; /* name of the rule, inside the image; "none" when none matched */
};

/* Checks an image of `size` bytes that somebody else may have written: magic, version, bounds of
 * every rule and string. Returns 0, or -EINVAL. */
int mw_policy_check(const struct mw_policy *image, size_t size);

/* Decides one effect of one load. Pure; no allocation; safe in a signal handler and a vfork child.
 * An effect that no rule names is denied: the default policy ends with a rule for each class. */
void mw_decide(const struct mw_policy *policy, const struct mw_load_view *load,
               const struct mw_effect *effect, struct mw_decision *ret);

/* Stands between the arguments of a program where patterns are matched against them. */
#define MW_ARGUMENT '\x1f'

/* True when `text` matches `pattern`: '?' one character and '*' any run of characters other than
 * '/' and MW_ARGUMENT, '**' any run without MW_ARGUMENT, '***' any run, ' ' a blank or MW_ARGUMENT,
 * anything else itself. So in "gcc **" there is exactly one argument. Bounded by |pattern| *
 * |text|. */
bool mw_glob(const char *pattern, const char *text);

#endif
