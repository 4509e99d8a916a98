/* Records as a SIEM takes them: native JSON, OCSF Detection Finding, ECS and CEF. Pure: no I/O. */
#ifndef MW_COURIER_FORMAT_H
#define MW_COURIER_FORMAT_H

#include <stddef.h>

#include "emission.h"

enum mw_format { MW_FORMAT_NATIVE, MW_FORMAT_OCSF, MW_FORMAT_ECS, MW_FORMAT_CEF, MW_FORMAT_COUNT };

/* "native", "ocsf", "ecs", "cef". The number of a name, or -EINVAL. */
const char *mw_format_name(enum mw_format format);
int mw_format_of(const char *name);

enum mw_ocsf { MW_OCSF_1_1, MW_OCSF_1_3, MW_OCSF_1_5, MW_OCSF_1_8, MW_OCSF_COUNT };

/* "1.1" and so on; "1.5.0" is understood, too. */
const char *mw_ocsf_name(enum mw_ocsf version);
int mw_ocsf_of(const char *name);

#define MW_FORMAT_COMPACT 8192 /* bytes that a receiver of syslog takes as it comes */
#define MW_FORMAT_LEAST 4096   /* ... and that any record can be made to fit */

struct mw_format_options {
	enum mw_format format;
	enum mw_ocsf ocsf;
	size_t max; /* bytes that the text is made to fit by leaving out the least, which it then
	               says; 0: all. At least MW_FORMAT_LEAST */
};

/* Renders one emission as one line without its newline and without control characters; valid
 * UTF-8, ended by a NUL that `*ret_len` does not count. The caller frees it. Returns 0, -ENOMEM, or
 * -EINVAL when the record is of no schema that is known here. */
int mw_format_render(const struct mw_emission *emission, const struct mw_format_options *options,
                     char **ret, size_t *ret_len);

/* The same as JSON, for a sink that wraps it in JSON or MessagePack of its own: a new reference.
 * -EINVAL also for CEF, which is none. */
int mw_format_json(const struct mw_emission *emission, const struct mw_format_options *options,
                   json_t **ret);

#endif
