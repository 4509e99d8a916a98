/* JSON as it is written from front to back, into one buffer: what formats are made of. Text in it
 * may be hostile: it comes out as valid UTF-8 of bounded length in which nothing is a control
 * character, reverses the direction of writing or is invisible, but for its escape.
 *
 * Errors are kept until the end: `error` is -ENOMEM or, beyond `max` bytes, -EFBIG. */
#ifndef MW_COURIER_WRITER_H
#define MW_COURIER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "../core/wire.h"

struct mw_writer {
	char *data; /* the caller's to free */
	size_t len, cap;
	size_t max;
	bool counts;      /* goes on beyond `max`, to know ... */
	uint64_t total;   /* ... the bytes that there would be without it */
	size_t text_max;  /* bytes of a text that are looked at ... */
	size_t shown_max; /* ... and that it may become */
	size_t list_max;  /* elements of a list, and members of an object, of somebody else's */
	int depth_max;    /* levels of such a value; what is deeper is null */
	bool has_cut;     /* something was longer than that */
	bool needs_comma;
	size_t text_left, shown_left; /* of the text that is being written */
	int error;
};

void mw_writer_start(struct mw_writer *w, size_t max);

/* Our own bytes, as they are. */
void mw_write_raw(struct mw_writer *w, const char *s, size_t len);

/* Each writes one member, or with a NULL `key` one element. Keys are words of our own. */
void mw_write_open(struct mw_writer *w, const char *key, char bracket);
void mw_write_close(struct mw_writer *w, char bracket);
void mw_write_number(struct mw_writer *w, const char *key, int64_t value);
void mw_write_number_text(struct mw_writer *w, const char *key, int64_t value); /* "17" */
void mw_write_bool(struct mw_writer *w, const char *key, bool value);
void mw_write_word(struct mw_writer *w, const char *key, const char *ours);

/* Nothing when `s` is NULL. */
void mw_write_text(struct mw_writer *w, const char *key, struct mw_str s);

/* The same for people: where the text has what is not shown, its escape is text, too, and so
 * survives whoever decodes the JSON. */
void mw_write_shown(struct mw_writer *w, const char *key, struct mw_str s);

/* A text of several pieces. */
void mw_write_text_open(struct mw_writer *w, const char *key);
void mw_write_text_piece(struct mw_writer *w, const char *s, size_t len);
void mw_write_text_close(struct mw_writer *w);

/* A value that somebody else made, with its bounds. Nothing when it is
 * NULL. */
void mw_write_json(struct mw_writer *w, const char *key, const json_t *value);

/* A member whose key is somebody else's, and one whose value is our own bytes. */
void mw_write_member(struct mw_writer *w, const char *key, const json_t *value);
void mw_write_raw_member(struct mw_writer *w, const char *key, const char *value);

/* Text of CEF: of its header, which is one line, or of an extension, in which newlines are told.
 * What is not shown comes as its escape, as text. */
void mw_write_cef(struct mw_writer *w, struct mw_str s, bool is_header);

#endif
