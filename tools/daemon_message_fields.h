/* The fields of an alert, as a table: what is taken over from one that somebody else wrote. */
#ifndef MW_TOOLS_DAEMON_MESSAGE_FIELDS_H
#define MW_TOOLS_DAEMON_MESSAGE_FIELDS_H

#include <stddef.h>

#include <jansson.h>

#include "../core/words.h"

enum mw_take_as {
	MW_TAKE_TEXT,    /* or null */
	MW_TAKE_SHOWN,   /* one line that may be shown on a terminal; required */
	MW_TAKE_NUMBER,  /* from `low` up, or null */
	MW_TAKE_WHOLE,   /* any integer; required */
	MW_TAKE_PORT,    /* or null */
	MW_TAKE_BOOLEAN, /* false when it is none */
	MW_TAKE_MAYBE,   /* boolean or null */
	MW_TAKE_WORD,    /* that `parse` knows; required */
	MW_TAKE_CHOICE,  /* such a word or null */
	MW_TAKE_HEX,     /* `max` digits, or null */
	MW_TAKE_TEXTS,   /* at most `max`, or null */
	MW_TAKE_SET,     /* of words that `parse` knows; what it does not know is dropped */
	MW_TAKE_RANGE,   /* two numbers, or null */
	MW_TAKE_OBJECT,  /* required */
	MW_TAKE_OPTION,  /* an object or null */
	MW_TAKE_OBJECTS, /* at most `max` */
	MW_TAKE_NAMES,   /* an object of strings */
};

struct mw_message_field {
	const char *name;
	enum mw_take_as kind;
	size_t max;
	const struct mw_message_field *fields;
	int (*parse)(const char *word);
	json_int_t low;
};

/* Of the alert; ends with a field without a name. */
extern const struct mw_message_field mw_message_alert[];

/* Of `effect.detail`, by class. */
extern const struct mw_message_field *const mw_message_details[MW_CLASS_COUNT];

#endif
