/* The compiled policy: a flat, position-independent image that the monitor builds once and every
 * sensor maps read-only. Whoever maps one checks it once with mw_policy_check(); mw_decide()
 * (core/decide.h) then trusts its offsets.
 *
 * Everything lies at offsets from the start of the image; offset 0 means "none". */
#ifndef MW_CORE_POLICY_H
#define MW_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "severity.h"
#include "words.h"

#define MW_POLICY_MAGIC 0x4d57504cu /* "MWPL" */
#define MW_POLICY_VERSION 6u
#define MW_POLICY_MAX_SIZE (64u << 20)
#define MW_POLICY_MAX_RULES 100000u

/* What a rule can ask about besides classes, causes, origins and facts: patterns, or numbers. The
 * order is part of the image's version. */
#define MW_FIELDS(X)                                                                               \
	X(OP, "op")                             /* the operation */                                \
	X(TARGET, "target")                     /* whatever the effect names */                    \
	X(PATH, "path")                         /* the file, as the kernel finds it */             \
	X(EXECUTABLE, "executable")             /* the program, as it is found along PATH */       \
	X(EXECUTABLE_OWNER, "executable_owner") /* number: who owns its inode */                   \
	X(ARGV, "argv")                         /* its arguments, joined by MW_ARGUMENT */         \
	X(ADDRESS, "address")                   /* host, by name or number */                      \
	X(PORT, "port")                         /* number */                                       \
	X(UNIX, "unix")                         /* path of a unix socket */                        \
	X(GLOBAL, "global")                     /* the last global that the stream fetched */      \
	X(ENTRY, "entry")                       /* the entry point of the load */                  \
	X(ARTIFACT, "artifact")                 /* path of the artifact */                         \
	X(CALL, "call")                         /* the call of the stream: the monitor knows */    \
	X(MODULE, "module")                     /* the module that the callable is of */           \
	X(STREAM_SHA256, "stream_sha256")       /* in hex */                                       \
	X(SHA256, "sha256")                     /* of the whole artifact, in hex */

enum mw_field {
#define X(id, word) MW_FIELD_##id,
	MW_FIELDS(X)
#undef X
	        MW_FIELD_COUNT
};

/* Stands in a pattern for the directory of the artifact. */
#define MW_ARTIFACT_DIR '\x02'

/* `values` of a pattern field is a run of NUL-terminated strings that ends with an empty one; of a
 * number field (struct mw_numbers) ranges. One of them must match. */
struct mw_condition {
	uint32_t field; /* enum mw_field */
	uint32_t values;
	uint32_t hash;    /* mw_policy_hash() of the only text that matches, or 0 */
	uint32_t dynamic; /* a pattern has MW_ARTIFACT_DIR in it */
};

struct mw_numbers {
	uint32_t count;
	struct {
		uint32_t low, high;
	} range[];
};

struct mw_rule {
	uint32_t classes; /* bit per enum mw_class */
	uint32_t causes;  /* bit per enum mw_cause */
	uint32_t origins; /* bit per enum mw_origin */
	uint32_t all;     /* facts that must hold */
	uint32_t none;    /* facts that must not */
	uint32_t name;    /* one string */
	uint32_t conditions, condition_count;
	int64_t expires; /* seconds since the epoch from when on the rule is void, or 0: never */
	uint8_t verdict;
	uint8_t severity; /* enum mw_severity, or MW_BY_TABLE */
	uint8_t pad[6];
};

/* What a load may take until it has the effect `limit`; 0: as much as it likes. */
struct mw_limits {
	uint64_t time;    /* of an outermost load, in milliseconds */
	uint64_t memory;  /* by which the process's data may grow in one, in bytes */
	uint64_t nesting; /* loads open inside one another on a thread */
};

/* Of the floor below libc: each is not 0 when it is so. */
struct mw_floor_policy {
	uint32_t io_uring; /* rings are let be, and what is asked for by them is not seen */
	uint32_t closed;   /* with the monitor dead, what the floor guards is refused */
};

#define MW_KEY_PREFIX 8

/* Which rules a class has, in order. A rule whose key, one of its conditions, asks for another text
 * need not be looked at: by the hash of the only text that matches (0: there are more), or by what
 * all texts that match begin with. */
struct mw_index_entry {
	uint32_t rule;
	uint32_t key_field, key_hash;
	uint32_t prefix_len; /* 0 to MW_KEY_PREFIX */
	char prefix[MW_KEY_PREFIX];
};

struct mw_policy {
	uint32_t magic, version;
	uint32_t size; /* of the whole image, in bytes */
	uint32_t mode; /* enum mw_verdict, MW_OBSERVE to MW_KILL */
	uint32_t rule_count, rules;
	uint32_t fields;  /* bit per enum mw_field that some rule asks about */
	uint32_t secrets; /* patterns of the files that are secrets (secret.h); 0: none */
	struct {
		uint32_t entries, count;
	} index[MW_CLASS_COUNT];
	struct mw_limits limits;
	struct mw_floor_policy floor;
	uint8_t digest[32]; /* SHA-256 of the policy's source texts */
};

/* Checks an image of `size` bytes that somebody else may have written: magic, version, bounds of
 * every rule, list and string. Returns 0, or -EINVAL. */
int mw_policy_check(const struct mw_policy *image, size_t size);

/* A hash of `text` in which blanks and MW_ARGUMENT are the same; never 0. */
uint32_t mw_policy_hash(const char *text);

/* The word of a field, or "?", and the field of a word, or -EINVAL. */
const char *mw_field_name(enum mw_field field);
int mw_field_parse(const char *word);

static inline const char *mw_policy_text_at(const struct mw_policy *policy, uint32_t offset)
{
	return (const char *)policy + offset;
}

static inline const struct mw_rule *mw_policy_rules(const struct mw_policy *policy)
{
	return (const struct mw_rule *)(const void *)mw_policy_text_at(policy, policy->rules);
}

static inline bool mw_field_is_number(enum mw_field field)
{
	return field == MW_FIELD_PORT || field == MW_FIELD_EXECUTABLE_OWNER;
}

#endif
