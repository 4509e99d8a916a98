/* modelwatch policy: its subcommands, one file each, one line each in the table of policy.c. */
#ifndef MW_TOOLS_POLICY_H
#define MW_TOOLS_POLICY_H

#include "../core/decide.h"
#include "options.h"
#include "policy_file.h"

extern const struct mw_command mw_cmd_policy_show, mw_cmd_policy_check, mw_cmd_policy_test,
        mw_cmd_policy_explain, mw_cmd_policy_allow;

/* Options that more than one of them has. */
#define MW_POLICY_OPTION(option_id)                                                                \
	{                                                                                          \
		.name = "policy", .argument = "FILE", .id = (option_id), .values = MW_FILES,       \
		.help = "rules that come before those of the user and the site, as of modelwatch " \
		        "run"                                                                      \
	}

#define MW_ALERTS_OPTION(option_id)                                                                \
	{                                                                                          \
		.name = "alerts", .argument = "FILE", .id = (option_id), .values = MW_FILES,       \
		.help = "where the alert was written; by default the journal, "                    \
		        "${XDG_STATE_HOME:-$HOME/.local/state}/modelwatch/alerts.jsonl"            \
	}

/* What the subcommands have in common: a policy, and the image of it for a subject. */
struct mw_effective {
	struct mw_policy_build rules;
	struct mw_policy *image;
	size_t size;
	uint32_t *order; /* of the rules, as they are tried */
};

/* Reads the policy that a run with --policy=`file` (or NULL) would have. Returns 0; or MW_EXIT_OWN
 * after it has said what is wrong. Free it in any case. */
int mw_effective_read(struct mw_effective *effective, const char *file);
void mw_effective_free(struct mw_effective *effective);

/* Compiles it for `subject` in `mode` (0: the policy's own) in the place of the image before. The
 * same. */
int mw_effective_for(struct mw_effective *effective, const json_t *subject, int mode);

/* Where a rule that decided comes from, "FILE:LINE"; empty for none. */
void mw_effective_place(const struct mw_effective *effective, const char *rule, char *out,
                        size_t size);

#endif
