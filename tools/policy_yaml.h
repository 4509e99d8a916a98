/* The YAML of a policy as a row of events, and what is said about it when it is wrong. */
#ifndef MW_TOOLS_POLICY_YAML_H
#define MW_TOOLS_POLICY_YAML_H

#include <errno.h>
#include <stddef.h>

#include <yaml.h>

#include "policy_build.h"

/* What is being read, and the one event that is looked at. */
struct mw_source {
	struct mw_policy_build *build;
	yaml_parser_t parser;
	yaml_event_t event;
	const char *name, *text;
	size_t len;
	size_t characters, bytes; /* a place in the text, by both measures */
	char *error;
	size_t error_size;
};

/* Where in `text` the parser found that it is no YAML. The parser's own mark lags behind bytes that
 * are no characters, which it meets when it reads ahead. */
yaml_mark_t mw_yaml_stopped(const yaml_parser_t *parser, const char *text, size_t len);

/* Says what is wrong at `mark`, in s->error. Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int mw_source_wrong(struct mw_source *s, yaml_mark_t mark,
                                                          const char *format, ...);

/* The same at the current event. That it is an error can be seen where it is returned. */
#define mw_source_complain(s, ...) (mw_source_wrong(s, (s)->event.start_mark, __VA_ARGS__), -EINVAL)

/* Says that there is no room for the text: `error` is what mw_policy_text() returned. Returns it.
 */
int mw_source_no_room(struct mw_source *s, int64_t error);

/* Moves on to the next event; aliases are refused. Returns 0 or a negative errno, said. */
int mw_source_next(struct mw_source *s);

/* The single value in the current event, a string of `*ret_len` > 0 bytes without control
 * characters other than blanks, valid until the next event. `what` is its name in complaints. */
int mw_source_scalar(struct mw_source *s, const char *what, const char **ret, size_t *ret_len);

typedef int mw_source_take(struct mw_source *s, const char *what, void *out);

/* A value, or a list of values: each goes to `take`. Ends on the last event of it. */
int mw_source_items(struct mw_source *s, const char *what, mw_source_take *take, void *out);

typedef int mw_source_take_pair(struct mw_source *s, const char *key, const char *value, void *out);

/* A mapping of words to single values: each pair goes to `take`, with the value as the current
 * event. Ends on the last event of it. */
int mw_source_pairs(struct mw_source *s, const char *what, mw_source_take_pair *take, void *out);

/* Where in the text, in bytes, `mark` is. Marks are to be asked for in their order. */
size_t mw_source_place(struct mw_source *s, yaml_mark_t mark);

#endif
