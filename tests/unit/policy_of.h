/* A policy from its text, for tests. */
#ifndef TESTS_UNIT_POLICY_OF_H
#define TESTS_UNIT_POLICY_OF_H

#include <stdlib.h>
#include <string.h>

#include "../../core/decide.h"
#include "../../tools/policy_file.h"
#include "../../tools/policy_image.h"
#include "../../tools/policy_secrets.h"
#include "../../tools/policy_source.h"

/* The image of the policy `text` alone, as it would be for a subject of no properties; NULL and the
 * complaint in `error` when it is wrong. To be freed. */
static inline struct mw_policy *policy_of(const char *text, size_t len, enum mw_layer layer,
                                          enum mw_verdict mode, size_t *ret_size,
                                          char error[static 300])
{
	static const uint8_t digest[32];
	struct mw_policy_build build;
	struct mw_policy *image = NULL;
	json_t *subject = json_object();

	error[0] = '\0';
	if (!mw_policy_build_start(&build) &&
	    !mw_policy_source(&build, "policy", layer, text, len, error, 300) &&
	    !mw_policy_secrets_end(&build) &&
	    mw_policy_image(&build, subject, mode, digest, &image, ret_size))
		strcpy(error, "too large");
	mw_policy_build_free(&build);
	json_decref(subject);
	return image;
}

/* The policy of a run with --policy=`file` for `subject`, which is taken: its image, or a negative
 * errno and its line in `error`. */
static inline int policy_of_run(const char *file, json_t *subject, struct mw_policy **ret,
                                size_t *ret_size, char error[static 300])
{
	struct mw_policy_build build;
	int result;

	*ret = NULL;
	error[0] = '\0';
	if (mw_policy_build_start(&build))
		return -1;
	result = mw_policy_read(&build, file, error, 300);
	if (!result)
		result = mw_policy_compile(&build, subject, 0, ret, ret_size, error, 300);
	mw_policy_build_free(&build);
	json_decref(subject);
	return result;
}

#endif
