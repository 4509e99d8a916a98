#include "policy_build.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../core/glob.h"
#include "../courier/sink_config.h"

/* Without links, as the kernel names the files in it; empty when it is not known. */
static void set_directory(char out[static 512], const char *path)
{
	char real[PATH_MAX];
	size_t len;

	out[0] = '\0';
	if (!path || *path != '/')
		return;
	if (realpath(path, real))
		path = real;
	len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len < 512)
		snprintf(out, 512, "%.*s", (int)len, path);
}

static void set_home(struct mw_policy_build *build)
{
	const char *home = getenv("HOME");
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (!home || *home != '/') {
		getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found);
		home = found ? found->pw_dir : NULL;
	}
	set_directory(build->home, home);
}

static int set_texts(struct mw_policy_build *build)
{
	build->now = time(NULL);
	build->labels = json_object();
	build->sinks = mw_sinks_json();
	if (!build->labels || !build->sinks || mw_policy_text(build, "", 0) < 0 ||
	    mw_policy_note(build, "", 0) < 0)
		return -ENOMEM; /* offset 0 means "none" */
	return 0;
}

int mw_policy_build_start_for_host(struct mw_policy_build *build)
{
	*build = (struct mw_policy_build){.for_host = true};
	set_directory(build->tmp, "/tmp");
	return set_texts(build);
}

int mw_policy_build_start(struct mw_policy_build *build)
{
	char cwd[PATH_MAX];

	*build = (struct mw_policy_build){0};
	set_home(build);
	set_directory(build->tmp, getenv("TMPDIR"));
	if (!build->tmp[1]) /* TMPDIR=/ would let the scratch rules cover every file */
		set_directory(build->tmp, "/tmp");
	set_directory(build->cwd, getcwd(cwd, sizeof(cwd)));
	set_directory(build->pycache, getenv("PYTHONPYCACHEPREFIX"));
	return set_texts(build);
}

void mw_policy_build_free(struct mw_policy_build *build)
{
	for (size_t i = 0; i < build->source_count; i++)
		free((char *)(uintptr_t)build->sources[i].name);
	free(build->sources);
	free(build->items.data);
	free(build->conditions.data);
	free(build->whos.data);
	free(build->numbers.data);
	free(build->text.data);
	free(build->notes.data);
	free(build->names);
	free(build->secret);
	json_decref(build->labels);
	json_decref(build->sinks);
	*build = (struct mw_policy_build){0};
}

int mw_policy_begin(struct mw_policy_build *build, const char *name, enum mw_layer layer)
{
	struct mw_policy_source *sources;
	const char *copy;

	if (build->source_count == MW_POLICY_MAX_SOURCES)
		return -E2BIG;
	sources = realloc(build->sources, (build->source_count + 1) * sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	build->sources = sources;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	sources[build->source_count++] = (struct mw_policy_source){copy, layer};
	/* cppcheck-suppress memleak ; `sources` has it now */
	return 0;
}

static int64_t add_text(struct mw_buffer *buffer, const char *s, size_t len)
{
	int64_t at = mw_buffer_add(buffer, s, len, MW_POLICY_MAX_SIZE - 1);

	if (at >= 0 && mw_buffer_add(buffer, "", 1, MW_POLICY_MAX_SIZE) < 0) {
		buffer->len = (size_t)at;
		return -ENOMEM;
	}
	return at;
}

int64_t mw_policy_text(struct mw_policy_build *build, const char *s, size_t len)
{
	return add_text(&build->text, s, len);
}

int64_t mw_policy_note(struct mw_policy_build *build, const char *s, size_t len)
{
	return add_text(&build->notes, s, len);
}

/* What a directory is in a pattern. One that is not known, or a working directory that is the root
 * and would cover every file, makes a pattern that matches no absolute path. */
static const char *as_pattern(const char *directory, bool may_be_root, char out[static 2048])
{
	if (!directory[0] || (!directory[1] && !may_be_root))
		return "unknown";
	if (!directory[1])
		return "";
	mw_glob_escape(directory, strlen(directory), out, 2048);
	return out;
}

/* The text that the word in braces at `s` stands for, as a pattern; NULL when there is no such
 * word. `*ret_taken` is its length with the braces. */
static const char *word(const struct mw_policy_build *build, const char *s, size_t len,
                        char out[static 2048], size_t *ret_taken)
{
	const struct {
		const char *word, *directory;
	} words[] = {{"{tmp}", build->tmp}, {"{home}", build->home}, {"{cwd}", build->cwd}};
	static const char artifact[] = "{artifact_dir}", marker[] = {MW_ARTIFACT_DIR, '\0'};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		*ret_taken = strlen(words[i].word);
		if (len < *ret_taken || memcmp(s, words[i].word, *ret_taken))
			continue;
		if (build->for_host && words[i].directory == build->home)
			return "**";
		return as_pattern(words[i].directory, words[i].directory == build->home, out);
	}
	*ret_taken = strlen(artifact);
	return len >= *ret_taken && !memcmp(s, artifact, *ret_taken) ? marker : NULL;
}

static int64_t add_path(struct mw_policy_build *build, const char *s, size_t len)
{
	struct mw_buffer *text = &build->text;
	int64_t at = (int64_t)text->len, result = 0;
	char room[2048];

	for (size_t i = 0; i < len && result >= 0;) {
		const char *piece = s + i;
		size_t taken = 1, piece_len = 1;

		if (s[i] == '\\' && i + 1 < len) {
			taken = piece_len = 2;
		} else if (s[i] == '{') {
			piece = word(build, s + i, len - i, room, &taken);
			if (!piece) {
				text->len = (size_t)at;
				return -EINVAL;
			}
			piece_len = strlen(piece);
		}
		result = mw_buffer_add(text, piece, piece_len, MW_POLICY_MAX_SIZE - 1);
		i += taken;
	}
	if (result >= 0)
		result = mw_buffer_add(text, "", 1, MW_POLICY_MAX_SIZE);
	return result < 0 ? result : at;
}

/* Bytecode lies in directories of its own, and where the interpreter was told to put it. */
int64_t mw_policy_path(struct mw_policy_build *build, const char *s, size_t len)
{
	static const char pycache[] = "{pycache}", usual[] = "**/__pycache__";
	size_t taken = strlen(pycache), rest = len - taken, room = 2048;
	char pattern[4096];
	int64_t at, second;

	if (len < taken || memcmp(s, pycache, taken))
		return add_path(build, s, len);
	if (rest >= room)
		return -EFBIG;
	snprintf(pattern, sizeof(pattern), "%s%.*s", usual, (int)rest, s + taken);
	at = add_path(build, pattern, strlen(pattern));
	if (at < 0 || !build->pycache[0])
		return at;
	taken = mw_glob_escape(build->pycache, strlen(build->pycache), pattern, room);
	snprintf(pattern + taken, sizeof(pattern) - taken, "%.*s", (int)rest, s + strlen(pycache));
	second = add_path(build, pattern, strlen(pattern));
	return second < 0 ? second : at;
}

/* The place of `name` in the table: its rule's, or the empty one where it belongs. */
static uint32_t *find_name(const struct mw_policy_build *build, const char *name)
{
	size_t mask = build->names_cap - 1, i = mw_policy_hash(name) & mask;

	while (build->names[i] &&
	       strcmp(mw_policy_item_name(build, mw_policy_items(build) + build->names[i] - 1),
	              name))
		i = (i + 1) & mask;
	return &build->names[i];
}

/* Twice as many places as there are rules, at least. */
static int grow_names(struct mw_policy_build *build)
{
	size_t count = mw_policy_count(build), cap = build->names_cap ? build->names_cap * 2 : 128;
	uint32_t *names;

	if (count * 2 < build->names_cap)
		return 0;
	names = calloc(cap, sizeof(*names));
	if (!names)
		return -ENOMEM;
	free(build->names);
	build->names = names;
	build->names_cap = cap;
	for (size_t i = 0; i < count; i++)
		*find_name(build, mw_policy_item_name(build, mw_policy_items(build) + i)) =
		        (uint32_t)i + 1;
	return 0;
}

int mw_policy_add(struct mw_policy_build *build, const struct mw_policy_item *item,
                  const struct mw_policy_item **ret_other)
{
	uint32_t *place;
	int64_t at;

	if (mw_policy_count(build) >= MW_POLICY_MAX_RULES)
		return -E2BIG;
	if (grow_names(build))
		return -ENOMEM;
	place = find_name(build, mw_policy_item_name(build, item));
	if (*place) {
		*ret_other = mw_policy_items(build) + *place - 1;
		return -EEXIST;
	}
	at = mw_buffer_add(&build->items, item, sizeof(*item), SIZE_MAX);
	if (at < 0)
		return (int)at;
	*place = (uint32_t)mw_policy_count(build);
	return 0;
}

/* Smaller is tried earlier. */
static int64_t rank_of(const struct mw_policy_item *item)
{
	return item->final ? (int64_t)item->source - MW_POLICY_MAX_SOURCES
	                   : MW_POLICY_MAX_SOURCES - (int64_t)item->source;
}

static int by_rank(const void *first, const void *second, void *items)
{
	uint32_t a = *(const uint32_t *)first, b = *(const uint32_t *)second;
	int64_t rank_a = rank_of((const struct mw_policy_item *)items + a);
	int64_t rank_b = rank_of((const struct mw_policy_item *)items + b);

	if (rank_a != rank_b)
		return rank_a < rank_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

uint32_t *mw_policy_order(const struct mw_policy_build *build)
{
	size_t count = mw_policy_count(build);
	uint32_t *order = malloc((count + 1) * sizeof(*order));

	if (!order)
		return NULL;
	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, count, sizeof(*order), by_rank, build->items.data);
	return order;
}
