/* The keys of a mapping of the configuration, as a table, and the structure that they fill. */
#ifndef MW_COURIER_SINK_KEYS_H
#define MW_COURIER_SINK_KEYS_H

#include <stddef.h>

#include <jansson.h>

enum mw_key_kind {
	MW_KEY_TEXT,
	MW_KEY_FILE,  /* an absolute path */
	MW_KEY_BOOL,  /* true or false */
	MW_KEY_COUNT, /* a whole number up to a million, an int */
	MW_KEY_WAIT,  /* ms, an int, at most an hour */
	MW_KEY_TIME,  /* ms, a uint64_t; "off" is 0 */
	MW_KEY_BYTES, /* a uint64_t; "off" is 0 */
	MW_KEY_WORD,  /* of a set, an int */
	MW_KEY_LIST,  /* of patterns of names, a json_t */
	MW_KEY_MAP,   /* an object of texts, a json_t */
	MW_KEY_TABLE, /* keys below it */
};

struct mw_key {
	const char *name; /* NULL ends a table */
	enum mw_key_kind kind;
	size_t at;                     /* of the field, in the structure */
	unsigned int of;               /* bits of the types that have it; 0: all */
	int (*word)(const char *name); /* MW_KEY_WORD: its number, or -EINVAL */
	const char *words;             /* ... and what there is, for people */
	const struct mw_key *below;    /* MW_KEY_TABLE: the same structure */
};

/* Fills `out` from the object `from`. `type` is the bit whose keys
 * are allowed. What the fields own is the caller's also after an error. Returns 0, or a negative
 * errno with a line in `why` that begins with `where`. */
int mw_keys_read(const struct mw_key *keys, const json_t *from, unsigned int type, void *out,
                 const char *where, char *why, size_t why_size);

/* Frees what a structure's fields own. */
void mw_keys_free(const struct mw_key *keys, void *out);

#endif
