/* How long mw_decide() takes in a watched process: each case of a table, asked many times under the
 * policy of a run with --policy=FILE. Prints the nanoseconds of each case, a line each. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../tools/policy_file.h"
#include "../../tools/question.h"
#include "../../tools/yaml_json.h"

#define ROUNDS 20000

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void ask(const struct mw_policy *policy, const json_t *one)
{
	struct mw_question question;
	struct mw_decision decision;
	const char *wrong;
	double start;

	if (mw_question_read(one, &question, &wrong))
		return;
	question.load.unknown = MW_FIELDS_OF_MONITOR;
	start = seconds();
	for (int i = 0; i < ROUNDS; i++)
		mw_decide(policy, &question.load, &question.effect, &decision);
	printf("%.1f %s\n", (seconds() - start) * 1e9 / ROUNDS, decision.rule);
}

static int run(const char *table, const char *file)
{
	struct mw_policy_build build = {0};
	struct mw_policy *policy = NULL;
	char error[1024] = "not enough memory", *text = NULL;
	json_t *subject = json_object(), *cases = NULL;
	size_t size, len;
	int status;

	if (!mw_policy_build_start(&build) && !mw_policy_read(&build, file, error, sizeof(error)) &&
	    !mw_policy_compile(&build, subject, 0, &policy, &size, error, sizeof(error)) &&
	    !mw_policy_text_of(table, &text, &len, error, sizeof(error)))
		cases = mw_yaml_json(table, text, len, error, sizeof(error));
	if (!cases)
		fprintf(stderr, "%s\n", error);
	for (size_t i = 0; i < json_array_size(json_object_get(cases, "cases")); i++)
		ask(policy, json_array_get(json_object_get(cases, "cases"), i));
	mw_policy_build_free(&build);
	json_decref(subject);
	free(policy);
	free(text);
	status = cases ? 0 : 1;
	json_decref(cases);
	return status;
}

int main(int argc, char **argv)
{
	return argc < 2 ? 2 : run(argv[1], argc > 2 ? argv[2] : NULL);
}
