#include "policy_for_daemon.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon_refusals.h"
#include "main.h"
#include "policy_file.h"
#include "policy_image.h"
#include "policy_secrets.h"

/* What a program in the kernel is asked about. */
static const enum mw_class classes[] = {MW_EXEC,  MW_CONNECT, MW_SEND,  MW_LISTEN,
                                        MW_WRITE, MW_MAP,     MW_TAMPER};

static void print(const struct mw_policy *policy, enum mw_class class, enum mw_k_blame blame,
                  const char *by)
{
	bool says;
	const char *rule = mw_daemon_unrefused(policy, class, blame, &says);

	printf("%s %s: ", mw_class_name(class), by);
	if (!rule)
		puts("refused in the kernel");
	else if (says)
		printf("not refused, by rule '%s'\n", rule);
	else
		printf("not refused: the kernel cannot tell what rule '%s' lets happen\n", rule);
}

static int compile(struct mw_policy_build *rules, const char *file, enum mw_layer layer,
                   struct mw_policy **ret, char *error, size_t error_size)
{
	json_t *who = json_object();
	size_t size;
	int result = mw_policy_read_built_in(rules, error, error_size);

	if (!result)
		result = mw_policy_read_file(rules, file, layer, error, error_size);
	if (!result)
		result = mw_policy_secrets_end(rules);
	if (!result)
		result = mw_policy_compile(rules, who, MW_DENY, ret, &size, error, error_size);
	json_decref(who);
	return result;
}

int mw_policy_for_daemon(const char *file, enum mw_layer layer)
{
	struct mw_policy_build rules;
	struct mw_policy *policy = NULL;
	char error[1024] = "not enough memory";
	int status = 0;

	if (mw_policy_build_start_for_host(&rules) ||
	    compile(&rules, file, layer, &policy, error, sizeof(error)))
		status = mw_say("%s", error);
	for (size_t i = 0; !status && i < sizeof(classes) / sizeof(*classes); i++) {
		print(policy, classes[i], MW_K_CALLED, "by a call of the stream");
		print(policy, classes[i], MW_K_BY_PYTHON, "by Python code of a call");
	}
	free(policy);
	mw_policy_build_free(&rules);
	return status;
}
