/* What redaction looks for: three tables, kept apart from the code that walks the text.
 *
 * A secret is known by how it begins (mw_secret_prefixes), by the name before it
 * (mw_secret_names), or by the option of a program before it (mw_secret_options). The few whose
 * shape does not fit a row, among them credentials in a URL and PEM blocks, are code in
 * core/redact_shapes.c. */
#ifndef MW_CORE_REDACT_RULES_H
#define MW_CORE_REDACT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes that the body of a secret is made of. */
enum mw_secret_body {
	MW_BODY_HEX,    /* 0-9 a-f A-F */
	MW_BODY_UPPER,  /* A-Z 0-9 */
	MW_BODY_ALNUM,  /* A-Z a-z 0-9 */
	MW_BODY_WORD,   /* ALNUM _ - */
	MW_BODY_DOTTED, /* ALNUM _ - . */
	MW_BODY_BASE64, /* ALNUM + / = */
	MW_BODY_PATH,   /* ALNUM _ - / . */
};

/* What else the body must have. */
enum mw_secret_need {
	MW_NEED_NOTHING,
	MW_NEED_EXACT, /* exactly the least number of bytes */
	MW_NEED_DIGIT,
	MW_NEED_DOT,
	MW_NEED_MIXED, /* lower case, upper case and a digit or padding */
};

struct mw_secret_prefix {
	const char *prefix;
	uint8_t body, least, need;
	bool keep; /* the prefix says where, not what: it stays */
	const char *kind;
};

/* Sorted by the first byte of `prefix`; of two that both fit, the longer stands first. */
extern const struct mw_secret_prefix mw_secret_prefixes[];
extern const size_t mw_secret_prefix_count;

/* What a value must be, for its name to make it a secret. From strict names to weak ones. */
enum mw_secret_value {
	MW_VALUE_ANY,    /* anything that is not plainly a variable, a type or None */
	MW_VALUE_REST,   /* ... and goes on to the end of the line: a header */
	MW_VALUE_PLAIN,  /* ANY, but no path, no call and no small number */
	MW_VALUE_TOKEN,  /* PLAIN in an option, a query or after a NAME; otherwise MIXED */
	MW_VALUE_MIXED,  /* letters and digits, or long */
	MW_VALUE_RANDOM, /* long, and as random as a key: no digest, no identifier */
	MW_VALUE_USER,   /* user:password, of which the password is the secret */
	MW_VALUE_HEX40,
};

/* Where a name may stand in the name that the text has. */
enum mw_secret_place {
	MW_PLACE_END,   /* at its end: DB_PASSWORD, dbPassword, dbpassword */
	MW_PLACE_WORD,  /* its last word: db_pass, dbPass, not bypass */
	MW_PLACE_QUERY, /* its last word, in the query of a URL */
};

struct mw_secret_name {
	const char *name; /* in lower case, without - _ . */
	uint8_t len;
	uint8_t place, value;
	const char *kind;
};

extern const struct mw_secret_name mw_secret_names[];
extern const size_t mw_secret_name_count;

struct mw_secret_option {
	const char *program;
	const char *option; /* NULL: any argument that is such a value */
	uint8_t value;
	bool attached; /* the value follows without a space */
	const char *kind;
};

/* Sorted by program. */
extern const struct mw_secret_option mw_secret_options[];
extern const size_t mw_secret_option_count;

/* Words before "token" that make it a token of a language model. NULL ends them. */
extern const char *const mw_model_tokens[];

/* Values that are none: literals, types, ways to read the environment. Lower case. */
extern const char *const mw_no_values[];     /* as a whole */
extern const char *const mw_no_value_from[]; /* from the start */

#endif
