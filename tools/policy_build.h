/* A policy while it is read: its rules with what is only for people and for the choice of rules,
 * and the flat image that is made of them. */
#ifndef MW_TOOLS_POLICY_BUILD_H
#define MW_TOOLS_POLICY_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "../core/policy.h"
#include "buffer.h"

#define MW_POLICY_MAX_SOURCES 1000

/* Whose rules they are, from the last word to the first. */
enum mw_layer { MW_BUILT_IN, MW_SITE, MW_USER, MW_COMMAND_LINE };

struct mw_policy_source {
	const char *name; /* a file's path; owned */
	enum mw_layer layer;
};

/* Who a rule is for: tried once, when the image is made. */
enum mw_who {
	MW_WHO_USER,
	MW_WHO_GROUP,
	MW_WHO_JOB,
	MW_WHO_IMAGE,
	MW_WHO_NAMESPACE,
	MW_WHO_LABELS
};

struct mw_who_condition {
	enum mw_who who;
	uint32_t values; /* patterns, in `text` */
};

/* One rule as it stands in a source. Its image's name and patterns are offsets in `text`, its
 * numbers in `numbers`, and `conditions` counts conditions before its own. */
struct mw_policy_item {
	struct mw_rule image;
	uint32_t source, line, column;
	uint32_t reason, owner;  /* in `notes`, 0: none */
	uint32_t yaml, yaml_len; /* the rule as it was written, in `notes` */
	uint32_t who, who_count; /* in `whos` */
	bool final;
};

struct mw_policy_build {
	struct mw_policy_source *sources;
	size_t source_count;
	struct mw_buffer items;      /* of struct mw_policy_item */
	struct mw_buffer conditions; /* of struct mw_condition */
	struct mw_buffer whos;       /* of struct mw_who_condition */
	struct mw_buffer numbers, text, notes;
	uint32_t *names; /* hash table: index of a rule + 1, or 0 */
	size_t names_cap;
	char tmp[512], home[512], cwd[512], pycache[512]; /* what the words in braces stand for */
	bool for_host;    /* for everybody on it: {home} is any folder, and {cwd} none */
	uint32_t *secret; /* where the patterns of `secrets:` stand (policy_secrets.h) */
	size_t secret_count, secret_cap;
	uint32_t secrets;        /* their list, or 0 */
	int mode;                /* enum mw_verdict that a source asks for, or 0 */
	struct mw_limits limits; /* that the sources set, */
	struct mw_floor_policy floor;
	json_t *labels;     /* and these; owned */
	json_t *sinks;      /* where alerts go (courier/sink_config.h); owned */
	int64_t now;        /* seconds since the epoch */
	uint8_t digest[32]; /* of what was read */
};

/* Finds out what the words in braces stand for: {tmp} is $TMPDIR or /tmp, {home} $HOME or the
 * user's entry in the password file, {cwd} the working directory, {pycache} $PYTHONPYCACHEPREFIX,
 * all without links. Returns 0 or -ENOMEM. */
int mw_policy_build_start(struct mw_policy_build *build);

/* The same for all processes of the host, which have homes and working directories of their own:
 * {home} is any folder, {cwd} matches nothing, {tmp} is /tmp. */
int mw_policy_build_start_for_host(struct mw_policy_build *build);
void mw_policy_build_free(struct mw_policy_build *build);

/* A new source, which the rules that are added from now on come from. Returns 0 or a negative
 * errno. */
int mw_policy_begin(struct mw_policy_build *build, const char *name, enum mw_layer layer);

/* Appends `len` bytes and a NUL to the texts of the image, or to the notes, which stay out of it.
 * Returns the offset of the first, or a negative errno: -EFBIG when there is too much. */
int64_t mw_policy_text(struct mw_policy_build *build, const char *s, size_t len);
int64_t mw_policy_note(struct mw_policy_build *build, const char *s, size_t len);

/* The same for a pattern of files, with the words in braces replaced; -EINVAL when `s` has another
 * word in braces. One pattern may become several, which follow each other. */
int64_t mw_policy_path(struct mw_policy_build *build, const char *s, size_t len);

/* Adds a copy of `item`, whose parts are in the buffers already. Returns 0; -EEXIST when there is a
 * rule of that name, which `*ret_other` then points to; -E2BIG when there are too many; or another
 * negative errno. */
int mw_policy_add(struct mw_policy_build *build, const struct mw_policy_item *item,
                  const struct mw_policy_item **ret_other);

static inline size_t mw_policy_count(const struct mw_policy_build *build)
{
	return build->items.len / sizeof(struct mw_policy_item);
}

static inline const struct mw_policy_item *mw_policy_items(const struct mw_policy_build *build)
{
	return (const void *)build->items.data;
}

static inline const char *mw_policy_item_name(const struct mw_policy_build *build,
                                              const struct mw_policy_item *item)
{
	return build->text.data + item->image.name;
}

/* Whether a rule is for `subject`: an alert, or an object with its `user`, `job`, `container` and
 * `labels`. */
bool mw_policy_is_for(const struct mw_policy_build *build, const struct mw_policy_item *item,
                      const json_t *subject);

/* The indices of the rules in the order in which they are tried: final ones of the site, then those
 * of the command line, the user, the site, and the built-in ones; of several files of the site the
 * last comes first, but for final rules. The caller frees it; NULL when there is no memory. */
uint32_t *mw_policy_order(const struct mw_policy_build *build);

#endif
