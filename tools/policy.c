/* modelwatch policy: one table of subcommands. */
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

static const struct mw_command *const commands[] = {
        &mw_cmd_policy_show,    &mw_cmd_policy_check, &mw_cmd_policy_test,
        &mw_cmd_policy_explain, &mw_cmd_policy_allow, NULL,
};

const struct mw_command mw_cmd_policy = {
        .name = "modelwatch policy",
        .help = "show, check and test the rules, and explain what they decided",
        .commands = commands,
        .after = "`modelwatch policy COMMAND --help` says more about each; modelwatch-policy(5) "
                 "says what a policy is.",
};

int mw_effective_read(struct mw_effective *effective, const char *file)
{
	char error[1024] = "not enough memory";

	*effective = (struct mw_effective){0};
	if (mw_policy_build_start(&effective->rules) ||
	    mw_policy_read(&effective->rules, file, error, sizeof(error)))
		return mw_say("%s", error);
	effective->order = mw_policy_order(&effective->rules);
	return effective->order ? 0 : mw_say("not enough memory");
}

void mw_effective_free(struct mw_effective *effective)
{
	mw_policy_build_free(&effective->rules);
	free(effective->image);
	free(effective->order);
}

int mw_effective_for(struct mw_effective *effective, const json_t *subject, int mode)
{
	char error[1024];

	free(effective->image);
	effective->image = NULL;
	if (mw_policy_compile(&effective->rules, subject, mode, &effective->image, &effective->size,
	                      error, sizeof(error)))
		return mw_say("%s", error);
	return 0;
}

void mw_effective_place(const struct mw_effective *effective, const char *rule, char *out,
                        size_t size)
{
	const struct mw_policy_build *rules = &effective->rules;

	*out = '\0';
	for (size_t i = 0; i < mw_policy_count(rules); i++) {
		const struct mw_policy_item *item = &mw_policy_items(rules)[i];

		if (!strcmp(mw_policy_item_name(rules, item), rule))
			snprintf(out, size, "%s:%u", rules->sources[item->source].name, item->line);
	}
}
