/* Walks the text once and writes it with the secrets replaced. */
#include "redact.h"

#include <stdio.h>
#include <string.h>

#include "redact_scan.h"

#define MARKER "<redacted:"
#define MARKER_MAX 40

const uint8_t mw_char[256] = {
        [0 ... ' '] = MW_SPACE,
        [0x7f] = MW_SPACE,
        ['0' ... '9'] = MW_DIGIT | MW_HEX | MW_NAME,
        ['A' ... 'F'] = MW_UPPER | MW_HEX | MW_NAME,
        ['G' ... 'Z'] = MW_UPPER | MW_NAME,
        ['a' ... 'f'] = MW_LOWER | MW_HEX | MW_NAME,
        ['g' ... 'z'] = MW_LOWER | MW_NAME,
        ['_'] = MW_NAME,
        ['.'] = MW_NAME,
        ['-'] = MW_NAME | MW_START,
        ['"'] = MW_QUOTE,
        ['\''] = MW_QUOTE,
        ['`'] = MW_QUOTE,
        ['<'] = MW_START,
        ['='] = MW_START,
        [':'] = MW_START,
        [','] = MW_START,
        [';'] = MW_START,
        ['|'] = MW_START,
        ['&'] = MW_START,
};

struct output {
	char *out;
	size_t size, len;
	bool cut;
};

size_t mw_marker_at(const struct mw_scan *s, size_t i)
{
	size_t at = i + sizeof(MARKER) - 1;

	if (!mw_text_has(s, i, MARKER))
		return 0;
	while (at - i < MARKER_MAX - 1 &&
	       (mw_is(s, at, MW_LOWER | MW_DIGIT) || mw_text_has(s, at, "-")))
		at++;
	return mw_text_has(s, at, ">") ? at + 1 - i : 0;
}

size_t mw_next_marker(struct mw_scan *s, size_t i)
{
	if (i < s->marker_from || i > s->marker || !s->marker) {
		s->marker_from = i;
		for (s->marker = i; s->marker < s->len && !mw_marker_at(s, s->marker);)
			s->marker++;
	}
	return s->marker;
}

/* Before `i` is an escape for a character that is no letter: \n, %20. */
static bool is_escaped(const struct mw_scan *s, size_t i)
{
	if (i >= s->floor + 2 && s->text[i - 2] == '\\' && mw_among(s->text[i - 1], "nrt"))
		return true;
	return i >= s->floor + 3 && s->text[i - 3] == '%' && mw_is(s, i - 2, MW_HEX) &&
	       mw_is(s, i - 1, MW_HEX);
}

bool mw_word_starts(const struct mw_scan *s, size_t i)
{
	return i <= s->floor || !mw_is(s, i - 1, MW_ALNUM) || is_escaped(s, i);
}

/* `n` bytes less a character that they would cut in two. */
static size_t whole_characters(const char *text, size_t n, size_t len)
{
	size_t back = 0;

	while (n < len && back < 3 && back < n && ((uint8_t)text[n - back] & 0xc0) == 0x80)
		back++;
	return n < len && ((uint8_t)text[n - back] & 0xc0) == 0xc0 ? n - back : n;
}

static void put_text(struct output *o, const char *text, size_t len)
{
	size_t room = o->size - 1 - o->len, n = len;

	if (o->cut)
		return;
	if (len > room) {
		n = whole_characters(text, room, len);
		o->cut = true;
	}
	memcpy(o->out + o->len, text, n);
	o->len += n;
}

/* All of it or nothing. */
static void put_whole(struct output *o, const char *text, size_t len)
{
	if (len > o->size - 1 - o->len)
		o->cut = true;
	put_text(o, text, o->cut ? 0 : len);
}

static void put_marker(struct output *o, const char *kind)
{
	char marker[MARKER_MAX + 1];
	int n = snprintf(marker, sizeof(marker), MARKER "%s>", kind);

	put_whole(o, marker, (size_t)n);
}

/* The end of a command: what comes next is another program. */
static bool is_command_end(const struct mw_scan *s, size_t i)
{
	return s->text[i] == ';' || s->text[i] == '|' || mw_text_has(s, i, "&&");
}

static bool find_at_sign(struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	switch (s->text[i]) {
	case ':':
		if (mw_text_has(s, i, "://"))
			mw_find_in_url(s, i);
		return mw_find_named(s, i, ret);
	case '=':
	case ',':
		return mw_find_named(s, i, ret);
	case '-':
		mw_find_option(s, i);
		return mw_find_pem(s, i, ret);
	default:
		if (is_command_end(s, i))
			s->argv->program = 0;
		return false;
	}
}

/* A secret that is known at `i`; it begins there or after its name. */
static bool find(struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	if (!mw_is(s, i, MW_ALNUM))
		return mw_is(s, i, MW_START) && find_at_sign(s, i, ret);
	if (!mw_word_starts(s, i))
		return false;
	mw_find_option(s, i);
	return mw_find_prefixed(s, i, ret) || mw_find_shaped(s, i, ret);
}

void mw_lies_ahead(struct mw_scan *s, size_t from, size_t to, const char *kind)
{
	struct mw_secret *ahead = &s->ahead;

	if (!ahead->kind) {
		*ahead = (struct mw_secret){from, to, kind};
		return;
	}
	/* Two at once, one in the other's way: both and what is between. */
	ahead->from = from < ahead->from ? from : ahead->from;
	ahead->to = to > ahead->to ? to : ahead->to;
}

/* The one that was found ahead has its turn, or is part of the one found now. */
static void take_ahead(struct mw_scan *s, size_t i, struct mw_secret *found)
{
	struct mw_secret *ahead = &s->ahead;

	if (!ahead->kind)
		return;
	if (i == ahead->from) {
		*found = *ahead;
	} else {
		if (!found->kind || found->to < ahead->from)
			return;
		found->from = found->from < ahead->from ? found->from : ahead->from;
		found->to = found->to > ahead->to ? found->to : ahead->to;
	}
	ahead->kind = NULL;
}

static void redact(struct mw_scan *s, struct output *o)
{
	size_t i = 0;

	while (i < s->len) {
		struct mw_secret found = {i, i, NULL};
		bool its_turn = s->ahead.kind && i == s->ahead.from;

		if (!its_turn && s->text[i] == '<')
			found.to += mw_marker_at(s, i);
		else if (!its_turn)
			find(s, i, &found);
		take_ahead(s, i, &found);
		if (found.to == i) {
			i++;
			continue;
		}
		put_text(o, s->text + s->floor, found.from - s->floor);
		if (found.kind)
			put_marker(o, found.kind);
		else
			put_whole(o, s->text + i, found.to - i);
		s->floor = i = found.to;
	}
	put_text(o, s->text + s->floor, s->len - s->floor);
}

static size_t run(struct mw_scan *s, char *out, size_t size, bool *ret_cut)
{
	struct output o = {out, size, 0, false};

	redact(s, &o);
	o.out[o.len] = '\0';
	if (ret_cut)
		*ret_cut = o.cut;
	return o.len;
}

size_t mw_redact(const char *text, size_t len, char *out, size_t size, bool *ret_cut)
{
	struct mw_redact_argv argv = {0, 0};
	struct mw_scan s = {.text = text, .len = len, .argv = &argv};

	return run(&s, out, size, ret_cut);
}

size_t mw_redact_arg(struct mw_redact_argv *argv, const char *arg, size_t len, char *out,
                     size_t size, bool *ret_cut)
{
	struct mw_scan s = {.text = arg, .len = len, .argv = argv, .is_arg = true};

	mw_find_owed(&s);
	return run(&s, out, size, ret_cut);
}
