/* From the files of a policy to the image that every sensor maps. */
#ifndef MW_TOOLS_POLICY_FILE_H
#define MW_TOOLS_POLICY_FILE_H

#include <stddef.h>

#include "policy_build.h"

/* Where the site's policy lies. */
#define MW_SITE_POLICY MW_SYSCONFDIR "/modelwatch/policy.yaml"
#define MW_SITE_POLICIES MW_SYSCONFDIR "/modelwatch/policy.d"

/* Reads the built-in policy, those of the site and of the user that are there, and `file` (NULL:
 * none) into `build`, which was started. Returns 0, or a negative errno with one line in `error`
 * that says what is wrong and where. */
int mw_policy_read(struct mw_policy_build *build, const char *file, char *error, size_t error_size);

/* The same without a user's: the built-in policy, those of the site, `files` (an array of strings)
 * in the place of a user's, each before the one that stands before it, and `file`. */
int mw_policy_read_for_host(struct mw_policy_build *build, const json_t *files, const char *file,
                            char *error, size_t error_size);

/* Reads the built-in policy alone. The same. */
int mw_policy_read_built_in(struct mw_policy_build *build, char *error, size_t error_size);

/* The bytes of a file, at most 16 MiB; the caller frees `*ret`. The same. */
int mw_policy_text_of(const char *file, char **ret, size_t *ret_len, char *error,
                      size_t error_size);

/* The same for what is set down for good: a file of another user, or that everybody can write, is
 * refused. */
int mw_policy_own_text(const char *file, char **ret, size_t *ret_len, char *error,
                       size_t error_size);

/* Reads one file alone, as if it were given on the command line when `layer` says so. */
int mw_policy_read_file(struct mw_policy_build *build, const char *file, enum mw_layer layer,
                        char *error, size_t error_size);

/* Makes the image for `subject` (mw_policy_is_for()) in `mode`, or when that is 0 in the mode that
 * the files ask for, else deny. Returns 0 and the image, which the caller frees; or a negative
 * errno and its line in `error`. */
int mw_policy_compile(const struct mw_policy_build *build, const json_t *subject, int mode,
                      struct mw_policy **ret_image, size_t *ret_size, char *error,
                      size_t error_size);

#endif
