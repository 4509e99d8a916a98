/* What the formats share: a record looked through once, and what is left out of it. */
#ifndef MW_COURIER_FORMAT_PARTS_H
#define MW_COURIER_FORMAT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/wire.h"
#include "../core/words.h"
#include "format.h"
#include "techniques.h"
#include "writer.h"

enum mw_record_kind {
	MW_RECORD_ALERT,
	MW_RECORD_LOSS,
	MW_RECORD_HEARTBEAT,
	MW_RECORD_INVENTORY,
	MW_RECORD_KINDS
};

/* What may be left out, the least first; a bit each. */
#define MW_PARTS(X)                                                                                \
	X(NATIVE_STACK, "native_stack")                                                            \
	X(PYTHON_REST, "python_stack[8:]")                                                         \
	X(PYTHON_STACK, "python_stack")                                                            \
	X(ARGV, "process.argv")                                                                    \
	X(ANCESTORS, "process.ancestors")                                                          \
	X(DETAILS, "labels, user.groups, facts, reports, hooks")                                   \
	X(UNKNOWN, "unknown members")                                                              \
	X(EFFECT_ARGV, "effect.argv")                                                              \
	X(OBSERVABLES, "observables")                                                              \
	X(WHO, "process, user, job, container")                                                    \
	X(ATTACKS, "techniques")                                                                   \
	X(EVIDENCE, "effect, load, policy, resources")

enum mw_part {
#define X(id, word) MW_PART_##id,
	MW_PARTS(X)
#undef X
	        MW_PART_COUNT
};

#define MW_PYTHON_KEPT 8  /* frames that stay when the rest is left out */
#define MW_TITLE_ROOM 600 /* bytes of a title that is made here */

/* Texts that are not known are {NULL, 0}, objects NULL, words -1. Borrowed from the emission. */
struct mw_view {
	const struct mw_emission *emission;
	enum mw_record_kind kind;
	enum mw_ocsf ocsf;
	unsigned int left_out; /* bits of enum mw_part */

	struct mw_str id, key, rule, title, version, mode, digest; /* the policy's */
	int severity, class, cause, outcome, verdict;
	int64_t time, first, last; /* ns since 1970 */
	uint64_t count, update;
	bool has_count;
	uint64_t techniques;

	const json_t *effect, *detail, *load, *artifact, *model, *process, *user, *job, *container,
	        *pod, *host, *policy, *group, *labels;
	struct mw_str path, member, sha256, stream_sha256; /* of the artifact */
	struct mw_str target;                              /* file of the effect */
	struct mw_str address, host_name;                  /* of the effect; of this host */
	int port;
	const json_t *program_argv; /* of exec */

	uint64_t whole; /* bytes of the rendering that leaves nothing out; 0: this is it */
	char title_room[MW_TITLE_ROOM];
};

/* Looks a record through. Returns 0, or -EINVAL when it is of no schema that is known. */
int mw_view_read(const struct mw_emission *emission, struct mw_view *ret);

/* A string of an object, {NULL, 0} when there is none; the number of one, -1 when it is none or
 * negative. `object` may be NULL. */
struct mw_str mw_text_of(const json_t *object, const char *key);
int64_t mw_number_of(const json_t *object, const char *key);
struct mw_str mw_text_value(const json_t *value);

/* Whether it is an IP address, as numbers. */
bool mw_is_address(struct mw_str text);

/* What is behind the last '/', and a text of our own. */
struct mw_str mw_base_of(struct mw_str path);
struct mw_str mw_our(const char *text);

static inline bool mw_has(const struct mw_view *view, enum mw_part part)
{
	return !(view->left_out >> part & 1);
}

/* A command line: the arguments with blanks between, as one text. Nothing when there are none. */
void mw_write_command(struct mw_writer *w, const char *key, const json_t *argv);

/* Milliseconds since 1970, of nanoseconds. */
static inline int64_t mw_ms(int64_t ns)
{
	return ns / 1000000;
}

/* A member of the record under another name or the same one, with its bounds, when it is there and
 * not null. */
void mw_write_from(struct mw_writer *w, const char *key, const json_t *object, const char *member);

/* The effect, less what is left out of it. Nothing when there is none. */
void mw_write_effect(struct mw_writer *w, const struct mw_view *view);

/* The innermost Python frames, as many as are not left out; and with the native ones. */
void mw_write_frames(struct mw_writer *w, const struct mw_view *view, const json_t *frames);
void mw_write_stacks(struct mw_writer *w, const struct mw_view *view);

/* Of a record that is no alert: its members that formats have no place for. */
void mw_write_rest(struct mw_writer *w, const struct mw_view *view);

/* What was left out: a list under `left_out`, and the bytes that texts were cut to. Nothing when
 * nothing was. */
void mw_write_left_out(struct mw_writer *w, const struct mw_view *view);

/* What a part is called there. */
const char *mw_part_word(enum mw_part part);

/* Whether something was. */
bool mw_is_truncated(const struct mw_writer *w, const struct mw_view *view);

/* Each writes the whole document of a view. */
void mw_format_native(struct mw_writer *w, const struct mw_view *view);
void mw_format_ocsf(struct mw_writer *w, const struct mw_view *view);
void mw_format_ecs(struct mw_writer *w, const struct mw_view *view);
void mw_format_cef(struct mw_writer *w, const struct mw_view *view);

/* Parts of the OCSF document. */
void mw_ocsf_actor(struct mw_writer *w, const struct mw_view *view);
void mw_ocsf_evidences(struct mw_writer *w, const struct mw_view *view);
void mw_ocsf_observables(struct mw_writer *w, const struct mw_view *view);

#endif
