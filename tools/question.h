/* One effect of one load as JSON, in the words of the policy, and what a policy decides about it.
 */
#ifndef MW_TOOLS_QUESTION_H
#define MW_TOOLS_QUESTION_H

#include <jansson.h>

#include "../core/decide.h"

#define MW_QUESTION_ARGS 64

/* `effect` and `load` point into the JSON and this. */
struct mw_question {
	struct mw_effect effect;
	struct mw_load_view load;
	const char *argv[MW_QUESTION_ARGS];
	char target[512]; /* an address with its port */
};

/* Reads a question: an object of `effect`, `cause`, `origin` (words; call and file when they are
 * missing), `facts` (a word or a list), and the fields of core/policy.h with their values as text
 * (`argv` a list). Other keys are the caller's. Returns 0, or -EINVAL with the key that is wrong in
 * `*ret_wrong`. `json` must outlive `ret`. */
int mw_question_read(const json_t *json, struct mw_question *ret, const char **ret_wrong);

/* The question that an alert (modelwatch.alert/1) answers: a new reference. */
json_t *mw_question_of_alert(const json_t *alert);

#endif
