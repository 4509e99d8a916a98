#include "policy_build.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A wildcard in a directory's name must not widen a pattern to other directories. */
static void set_directory(char out[static 512], const char *path, const char *otherwise)
{
	size_t len;

	if (!path || *path != '/' || strlen(path) >= 512)
		path = otherwise;
	snprintf(out, 512, "%s", path);
	for (len = strlen(out); len && out[len - 1] == '/'; len--)
		out[len - 1] = '\0';
	for (char *p = out; *p; p++)
		if (*p == '*' || (unsigned char)*p < ' ')
			*p = '?';
}

int mw_policy_build_start(struct mw_policy_build *build)
{
	const char *home = getenv("HOME");
	char buffer[4096];
	struct passwd entry, *found = NULL;

	if (!home || *home != '/') {
		getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found);
		home = found ? found->pw_dir : NULL;
	}
	*build = (struct mw_policy_build){0};
	set_directory(build->tmp, getenv("TMPDIR"), "/tmp");
	set_directory(build->home, home, "/nonexistent");
	if (!build->tmp[0]) /* TMPDIR=/ would let the scratch rules cover every file */
		set_directory(build->tmp, NULL, "/tmp");
	return mw_policy_text(build, "", 0) < 0 ? -ENOMEM : 0; /* offset 0 means "not asked" */
}

void mw_policy_build_free(struct mw_policy_build *build)
{
	free(build->rules);
	free(build->text);
	free(build->names);
	free(build->secret);
	*build = (struct mw_policy_build){0};
}

static int reserve(struct mw_policy_build *build, size_t more)
{
	size_t need = build->text_len + more + 1, cap = build->text_cap ? build->text_cap : 4096;
	char *text;

	if (more > MW_POLICY_MAX_SIZE || need > MW_POLICY_MAX_SIZE)
		return -EFBIG;
	if (need <= build->text_cap)
		return 0;
	while (cap < need)
		cap *= 2;
	text = realloc(build->text, cap);
	if (!text)
		return -ENOMEM;
	build->text = text;
	build->text_cap = cap;
	return 0;
}

/* Reserves first, so that this cannot fail. */
static void append(struct mw_policy_build *build, const char *s, size_t len)
{
	memcpy(build->text + build->text_len, s, len);
	build->text_len += len;
}

int64_t mw_policy_text(struct mw_policy_build *build, const char *s, size_t len)
{
	int64_t at = (int64_t)build->text_len;
	int error = reserve(build, len + 1);

	if (error)
		return error;
	append(build, s, len);
	append(build, "", 1);
	return at;
}

/* What the word in braces at `s` stands for, or NULL. `*ret_len` is its length with the braces. */
static const char *placeholder(const struct mw_policy_build *build, const char *s, size_t len,
                               size_t *ret_len)
{
	if (len >= 5 && !memcmp(s, "{tmp}", 5)) {
		*ret_len = 5;
		return build->tmp;
	}
	if (len >= 6 && !memcmp(s, "{home}", 6)) {
		*ret_len = 6;
		return build->home;
	}
	return NULL;
}

int64_t mw_policy_target(struct mw_policy_build *build, const char *s, size_t len)
{
	int64_t at = (int64_t)build->text_len;
	int error = 0;

	for (size_t i = 0; i < len && !error;) {
		size_t taken = 1;
		const char *piece = s + i;
		size_t piece_len = 1;

		if (s[i] == '{') {
			piece = placeholder(build, s + i, len - i, &taken);
			if (!piece)
				return -EINVAL;
			piece_len = strlen(piece);
		}
		error = reserve(build, piece_len);
		if (!error)
			append(build, piece, piece_len);
		i += taken;
	}
	if (!error)
		error = reserve(build, 1);
	if (error)
		return error;
	append(build, "", 1);
	return at;
}

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	while (*s)
		h = (h ^ (uint8_t)*s++) * 16777619u;
	return h;
}

/* The place of `name` in the table: its rule's, or the empty one where it belongs. */
static uint32_t *find_name(const struct mw_policy_build *build, const char *name)
{
	size_t mask = build->names_cap - 1, i = hash(name) & mask;

	while (build->names[i] &&
	       strcmp(build->text + build->rules[build->names[i] - 1].name, name))
		i = (i + 1) & mask;
	return &build->names[i];
}

static int grow(struct mw_policy_build *build)
{
	size_t cap = build->rules_cap ? build->rules_cap * 2 : 64;
	struct mw_rule *rules;
	uint32_t *names;

	if (build->count < build->rules_cap)
		return 0;
	rules = realloc(build->rules, cap * sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	build->rules = rules;
	names = calloc(cap * 2, sizeof(*names));
	if (!names)
		return -ENOMEM;
	free(build->names);
	build->names = names;
	build->rules_cap = cap;
	build->names_cap = cap * 2;
	for (size_t i = 0; i < build->count; i++)
		*find_name(build, build->text + rules[i].name) = (uint32_t)i + 1;
	return 0;
}

int mw_policy_add(struct mw_policy_build *build, const struct mw_rule *rule)
{
	uint32_t *place;
	int error;

	if (build->count >= MW_POLICY_MAX_RULES)
		return -E2BIG;
	error = grow(build);
	if (error)
		return error;
	place = find_name(build, build->text + rule->name);
	if (*place)
		return -EEXIST;
	build->rules[build->count++] = *rule;
	*place = (uint32_t)build->count;
	return 0;
}

static void move(uint32_t *offset, uint32_t by)
{
	if (*offset)
		*offset += by;
}

int mw_policy_image(const struct mw_policy_build *build, enum mw_verdict mode,
                    const uint8_t digest[static 32], struct mw_policy **ret, size_t *ret_size)
{
	size_t rules_len = build->count * sizeof(*build->rules);
	size_t text_at = sizeof(struct mw_policy) + rules_len, size = text_at + build->text_len;
	struct mw_policy *image;
	struct mw_rule *rules;

	if (size > MW_POLICY_MAX_SIZE)
		return -EFBIG;
	image = calloc(1, size);
	if (!image)
		return -ENOMEM;
	*image = (struct mw_policy){.magic = MW_POLICY_MAGIC,
	                            .version = MW_POLICY_VERSION,
	                            .size = (uint32_t)size,
	                            .mode = mode,
	                            .rule_count = (uint32_t)build->count,
	                            .rules = sizeof(*image),
	                            .secrets = build->secrets};
	memcpy(image->digest, digest, sizeof(image->digest));
	rules = (struct mw_rule *)(image + 1);
	if (rules_len)
		memcpy(rules, build->rules, rules_len);
	if (build->text_len)
		memcpy((char *)image + text_at, build->text, build->text_len);
	move(&image->secrets, (uint32_t)text_at);
	for (size_t i = 0; i < build->count; i++) {
		rules[i].name += (uint32_t)text_at;
		move(&rules[i].ops, (uint32_t)text_at);
		move(&rules[i].targets, (uint32_t)text_at);
		move(&rules[i].argv, (uint32_t)text_at);
		move(&rules[i].globals, (uint32_t)text_at);
	}
	*ret = image;
	*ret_size = size;
	return 0;
}
