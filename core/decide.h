/* decide(policy, load, effect) -> verdict: the one pure function that every sensor and the monitor
 * ask. The first rule that matches decides. */
#ifndef MW_CORE_DECIDE_H
#define MW_CORE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "effect.h"
#include "policy.h"

/* What is known of the load. Texts are NULL when there is no such thing; what there may be and only
 * somebody else knows has its bit in `unknown`. */
struct mw_load_view {
	enum mw_origin origin;
	uint32_t unknown;     /* bit per enum mw_field */
	int64_t now;          /* seconds since the epoch */
	const char *entry;    /* "torch.load" */
	const char *artifact; /* absolute path */
	const char *global;   /* the last global fetched, "module.name" */
	const char *call;     /* "posix.system" */
	const char *stream_sha256, *sha256;
};

/* The fields that only the monitor knows. */
#define MW_FIELDS_OF_MONITOR                                                                       \
	(1u << MW_FIELD_CALL | 1u << MW_FIELD_MODULE | 1u << MW_FIELD_STREAM_SHA256 |              \
	 1u << MW_FIELD_SHA256)

struct mw_decision {
	enum mw_verdict verdict;   /* what is to happen: the lower of the rule's and the mode's */
	enum mw_verdict requested; /* what the rule asked for */
	enum mw_severity own_severity; /* the rule's, or MW_BY_TABLE: core/severity.h decides */
	bool record;                   /* the monitor is to be told */
	bool ask;            /* a rule before this one may match: who knows more has to decide */
	uint32_t index;      /* of the rule; the number of rules when none matched */
	const char *rule;    /* its name, inside the image; "none" when none matched */
	const char *expired; /* name of the first rule that would have decided, had it not expired
	                      */
};

/* Decides one effect of one load. Pure; no allocation; safe in a signal handler and a vfork child.
 * An effect that no rule names is denied: the default policy ends with a rule for each class. */
void mw_decide(const struct mw_policy *policy, const struct mw_load_view *load,
               const struct mw_effect *effect, struct mw_decision *ret);

/* The same with the first `skip` rules left out: what would decide if it were not for them. */
void mw_decide_after(const struct mw_policy *policy, uint32_t skip, const struct mw_load_view *load,
                     const struct mw_effect *effect, struct mw_decision *ret);

#endif
