#include "learn.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "../core/words.h"
#include "fields.h"
#include "find.h"
#include "policy_narrow.h"

#define PATH_LINE "    path: "

static const char head[] = "# Proposed from the effects of runs that were taken for honest. Read "
                           "every rule before you use\n"
                           "# it: what a model file did in those runs, it may do again. Written "
                           "anew by each run with\n"
                           "# --learn; keep what you have reviewed elsewhere.\n"
                           "version: 1\n"
                           "rules:\n";

static int path_in(const char *directory, const char *name, char ret[static PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", directory, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int mw_learn_open(const char *directory, char ret[static PATH_MAX])
{
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	return path_in(directory, "alerts.jsonl", ret);
}

/* A proposed rule: as it is written, in the three parts around its path. */
struct proposal {
	char *rule;      /* owned */
	size_t from, to; /* the path's value in it; from == to: it has none, or two */
	bool dropped;
};

struct learner {
	struct proposal *all;
	size_t count;
	FILE *comments; /* what there is no rule for */
	size_t left;
};

static const char *user(void)
{
	const struct passwd *entry = getpwuid(getuid());

	return entry ? entry->pw_name : "nobody";
}

/* The one path of a rule: `    path: ["..."]`. */
static void find_path(struct proposal *proposal)
{
	const char *line = strstr(proposal->rule, "\n" PATH_LINE "[\""), *end;

	proposal->from = proposal->to = 0;
	if (!line)
		return;
	line += strlen("\n" PATH_LINE "[\"");
	end = strchr(line, '"');
	if (!end || end[1] != ']' || end[-1] == '\\')
		return;
	proposal->from = (size_t)(line - proposal->rule);
	proposal->to = (size_t)(end - proposal->rule);
}

/* Where a rule's matching part begins: behind the name, which is a hash of it. */
static const char *body_of(const char *rule)
{
	const char *name = strstr(rule, "  - name: ");
	const char *end = name ? strchr(name, '\n') : NULL;

	return end ? end : rule;
}

static bool is_known(const struct learner *l, const char *rule)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(body_of(l->all[i].rule), body_of(rule)))
			return true;
	return false;
}

static int take(struct learner *l, const json_t *alert)
{
	const struct mw_exception exception = {
	        .reason = "seen in a run that was taken for honest; to be reviewed",
	        .owner = user(),
	};
	const char *word = mw_field_text(alert, "requested");
	int requested = word ? mw_verdict_parse(word) : -EINVAL;
	struct proposal *all, one = {0};
	char error[300];

	if (requested < MW_ALERT)
		return 0;
	one.rule = mw_narrow_rule(alert, &exception, error, sizeof(error));
	if (!one.rule) {
		json_t *title = mw_shown_field(alert, "title", 600);

		fprintf(l->comments, "  # No rule (%s): %s\n", error,
		        json_string_value(title) ?: "");
		json_decref(title);
		l->left++;
		return 0;
	}
	all = is_known(l, one.rule) ? NULL : realloc(l->all, (l->count + 1) * sizeof(*all));
	if (!all) {
		bool known = is_known(l, one.rule);

		free(one.rule);
		return known ? 0 : -ENOMEM;
	}
	find_path(&one);
	l->all = all;
	l->all[l->count++] = one;
	return 0;
}

/* Whether the part between slashes that [from, to) of a path lies in has an escape in it, which a
 * star could cut in two. */
static bool has_escape(const char *path, size_t from, size_t to, size_t len)
{
	while (from > 0 && path[from - 1] != '/')
		from--;
	while (to < len && path[to] != '/')
		to++;
	return memchr(path + from, '\\', to - from) != NULL;
}

/* Whether two rules differ in their path alone, and there in one part between slashes. The part is
 * [*ret_from, *ret_to) of the first path. */
static bool differ_in_one_part(const struct proposal *a, const struct proposal *b, size_t *ret_from,
                               size_t *ret_to)
{
	const char *first = a->rule + a->from, *second = b->rule + b->from;
	size_t first_len = a->to - a->from, second_len = b->to - b->from, same = 0, tail = 0;
	const char *x = body_of(a->rule), *y = body_of(b->rule);

	if (a->from == a->to || b->from == b->to || first - x != second - y ||
	    memcmp(x, y, (size_t)(first - x)) != 0 || strcmp(a->rule + a->to, b->rule + b->to) != 0)
		return false;
	while (same < first_len && same < second_len && first[same] == second[same])
		same++;
	while (tail < first_len - same && tail < second_len - same &&
	       first[first_len - 1 - tail] == second[second_len - 1 - tail])
		tail++;
	if (memchr(first + same, '/', first_len - tail - same) ||
	    memchr(second + same, '/', second_len - tail - same) ||
	    has_escape(first, same, first_len - tail, first_len) ||
	    has_escape(second, same, second_len - tail, second_len))
		return false;
	*ret_from = same;
	*ret_to = first_len - tail;
	return same > 0;
}

/* Puts the star in the first rule and drops the second. The whole of what is left of the part is
 * kept: /tmp/a1.pt and /tmp/a2.pt become /tmp/a*.pt. */
static int generalise(struct proposal *first, struct proposal *second, size_t from, size_t to)
{
	char *rule;

	if (asprintf(&rule, "  # (two runs had other names for a part of the path)\n%.*s*%s",
	             (int)(first->from + from), first->rule, first->rule + first->from + to) < 0)
		return -ENOMEM;
	free(first->rule);
	first->rule = rule;
	find_path(first);
	second->dropped = true;
	return 0;
}

static int merge(struct learner *l)
{
	for (size_t i = 0; i < l->count; i++) {
		for (size_t k = i + 1; k < l->count; k++) {
			size_t from, to;

			if (l->all[i].dropped || l->all[k].dropped ||
			    !differ_in_one_part(&l->all[i], &l->all[k], &from, &to))
				continue;
			if (generalise(&l->all[i], &l->all[k], from, to))
				return -ENOMEM;
		}
	}
	return 0;
}

static int put(const struct learner *l, const char *comments, FILE *out, size_t *ret_count)
{
	fputs(head, out);
	for (size_t i = 0; i < l->count; i++) {
		if (l->all[i].dropped)
			continue;
		fprintf(out, "\n%s", l->all[i].rule);
		++*ret_count;
	}
	fprintf(out, "%s%s", *comments ? "\n" : "", comments);
	return ferror(out) ? -EIO : 0;
}

/* Beside the old one first: a proposal that was cut off must not take its place. */
static int save(const struct learner *l, const char *comments, const char *directory,
                size_t *ret_count)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int error = path_in(directory, "policy.yaml", path), fd;
	FILE *out;

	if (!error)
		error = path_in(directory, "policy.yaml.new", fresh);
	if (error)
		return error;
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return -errno;
	error = put(l, comments, out, ret_count);
	if (fclose(out) && !error)
		error = -EIO;
	if (!error && rename(fresh, path) < 0)
		error = -errno;
	return error;
}

int mw_learn_write(const char *directory, size_t *ret_count, size_t *ret_left)
{
	struct learner l = {.all = NULL};
	char path[PATH_MAX], *comments = NULL;
	json_t *found = NULL, *alert;
	const char *id;
	size_t len;
	int error = path_in(directory, "alerts.jsonl", path);

	*ret_count = 0;
	if (!error)
		error = mw_find_alerts(path, NULL, &found);
	l.comments = open_memstream(&comments, &len);
	if (!error && !l.comments)
		error = -ENOMEM;
	json_object_foreach(found, id, alert) error = error ? error : take(&l, alert);
	if (l.comments && fclose(l.comments) && !error)
		error = -ENOMEM;
	if (!error)
		error = merge(&l);
	if (!error)
		error = save(&l, comments, directory, ret_count);
	*ret_left = l.left;
	for (size_t i = 0; i < l.count; i++)
		free(l.all[i].rule);
	free(l.all);
	free(comments);
	json_decref(found);
	return error;
}
