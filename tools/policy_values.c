#include "policy_values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/address.h"
#include "../core/glob.h"

#define DIGEST_DIGITS 64

struct list {
	enum mw_field field;
	uint32_t at; /* of the first pattern, 0: none yet */
	size_t count;
};

static int add(struct mw_source *s, struct list *list, int64_t at)
{
	if (at < 0)
		return mw_source_no_room(s, at);
	if (!list->at)
		list->at = (uint32_t)at;
	list->count++;
	return 0;
}

/* The pattern in the current event. */
static int read_pattern(struct mw_source *s, const char *what, const char **ret, size_t *ret_len)
{
	int error = mw_source_scalar(s, what, ret, ret_len);
	const char *complaint = error ? NULL : mw_glob_complaint(*ret);

	for (size_t i = 0; !error && i < *ret_len; i++)
		if ((unsigned char)(*ret)[i] < ' ')
			return mw_source_complain(s, "%s: a pattern has no control characters",
			                          what);
	return complaint ? mw_source_complain(s, "%s: bad pattern: %s", what, complaint) : error;
}

static int take_text(struct mw_source *s, const char *what, void *out)
{
	const char *text;
	size_t len;
	int error = read_pattern(s, what, &text, &len);

	return error ? error : add(s, out, mw_policy_text(s->build, text, len));
}

static int take_path(struct mw_source *s, const char *what, void *out)
{
	const char *text;
	size_t len;
	int64_t at;
	int error = read_pattern(s, what, &text, &len);

	if (error)
		return error;
	at = mw_policy_path(s->build, text, len);
	if (at == -EINVAL)
		return mw_source_complain(s,
		                          "%s: only {artifact_dir}, {tmp}, {home}, {pycache} and "
		                          "{cwd} can stand in braces (write '\\{' for the "
		                          "character); {pycache} at the start",
		                          what);
	return add(s, out, at);
}

static int take_digest(struct mw_source *s, const char *what, void *out)
{
	static const char prefix[] = "sha256:";
	char lower[DIGEST_DIGITS + 1];
	const char *text;
	size_t len;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	if (!strncmp(text, prefix, strlen(prefix))) {
		text += strlen(prefix);
		len -= strlen(prefix);
	}
	if (len != DIGEST_DIGITS || strspn(text, "0123456789abcdefABCDEF") != len)
		return mw_source_complain(s, "%s: a digest is %d hexadecimal digits", what,
		                          DIGEST_DIGITS);
	for (size_t i = 0; i <= len; i++)
		lower[i] = (char)tolower((unsigned char)text[i]);
	return add(s, out, mw_policy_text(s->build, lower, len));
}

/* The patterns on the digits of an address that the first `bits` of `digits` make: the digit that
 * is cut in two becomes all that it can be. */
static int add_prefix(struct mw_source *s, struct list *list, const char *digits, unsigned int bits)
{
	size_t whole = 3 + bits / 4; /* behind "=4:" */
	unsigned int rest = bits % 4;
	char pattern[64];
	int nibble;

	if (!rest) {
		snprintf(pattern, sizeof(pattern), "%.*s*", (int)whole, digits);
		return add(s, list, mw_policy_text(s->build, pattern, strlen(pattern)));
	}
	nibble = (int)strtol((char[]){digits[whole], '\0'}, NULL, 16) & (0xf0 >> rest) & 0xf;
	for (int i = 0; i < 1 << (4 - rest); i++) {
		int error;

		snprintf(pattern, sizeof(pattern), "%.*s%x*", (int)whole, digits, nibble + i);
		error = add(s, list, mw_policy_text(s->build, pattern, strlen(pattern)));
		if (error)
			return error;
	}
	return 0;
}

/* A number, a network as NUMBER/BITS, or a pattern on names. */
static int take_address(struct mw_source *s, const char *what, void *out)
{
	char host[MW_ADDRESS_TEXT], digits[MW_ADDRESS_DIGITS];
	const char *text, *slash;
	size_t len;
	unsigned int most, bits;
	char *end = NULL;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	slash = strchr(text, '/');
	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : (int)len, text);
	if (!mw_address_digits(host, digits))
		return slash ? mw_source_complain(s, "%s: '%.48s' is no network", what, text)
		             : take_text(s, what, out);
	most = digits[1] == '4' ? 32 : 128;
	bits = slash ? (unsigned int)strtoul(slash + 1, &end, 10) : most;
	if (slash && (!isdigit((unsigned char)slash[1]) || *end || bits > most))
		return mw_source_complain(s, "%s: '/%.8s' of a network is 0 to %u", what, slash + 1,
		                          most);
	return add_prefix(s, out, digits, bits);
}

struct range {
	uint32_t low, high;
};

static bool number(const char *text, char until, uint32_t *ret, const char **ret_end)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || value > UINT32_MAX - 1 || (*end && *end != until))
		return false;
	*ret = (uint32_t)value;
	*ret_end = end;
	return true;
}

static int add_range(struct mw_source *s, struct list *list, struct range range)
{
	int64_t at = mw_buffer_add(&s->build->numbers, &range, sizeof(range), MW_POLICY_MAX_SIZE);

	list->count++;
	return at < 0 ? mw_source_no_room(s, at) : 0;
}

/* "443" or "8000-8999" */
static int take_port(struct mw_source *s, const char *what, void *out)
{
	struct range range;
	const char *text, *end;
	size_t len;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	if (!number(text, '-', &range.low, &end))
		return mw_source_complain(s, "%s: a port is a number, or two with '-' between",
		                          what);
	range.high = range.low;
	if ((*end && !number(end + 1, '\0', &range.high, &end)) || range.high > 65535 ||
	    range.low > range.high)
		return mw_source_complain(s, "%s: '%.24s' is no range of ports", what, text);
	return add_range(s, out, range);
}

/* A number, or a user's name. */
static int take_owner(struct mw_source *s, const char *what, void *out)
{
	char buffer[4096];
	struct passwd entry, *found = NULL;
	struct range range;
	const char *text, *end;
	size_t len;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	if (!number(text, '\0', &range.low, &end)) {
		getpwnam_r(text, &entry, buffer, sizeof(buffer), &found);
		if (!found)
			return mw_source_complain(s, "%s: no user '%.32s'", what, text);
		range.low = found->pw_uid;
	}
	range.high = range.low;
	return add_range(s, out, range);
}

static mw_source_take *taker(enum mw_field field)
{
	switch (field) {
	case MW_FIELD_TARGET:
	case MW_FIELD_PATH:
	case MW_FIELD_EXECUTABLE:
	case MW_FIELD_UNIX:
	case MW_FIELD_ARTIFACT:
		return take_path;
	case MW_FIELD_STREAM_SHA256:
	case MW_FIELD_SHA256:
		return take_digest;
	case MW_FIELD_ADDRESS:
		return take_address;
	case MW_FIELD_PORT:
		return take_port;
	case MW_FIELD_EXECUTABLE_OWNER:
		return take_owner;
	default:
		return take_text;
	}
}

/* The hash of the only text that the list matches, or 0: an address is matched by its digits too.
 */
static uint32_t hash_of(const struct mw_policy_build *build, const struct list *list)
{
	const char *pattern = build->text.data + list->at;
	char *literal;
	uint32_t hash;
	size_t n = 0;

	if (list->at + strlen(pattern) + 1 != build->text.len || list->field == MW_FIELD_ADDRESS ||
	    strchr(pattern, MW_ARTIFACT_DIR) || !mw_glob_is_literal(pattern))
		return 0;
	literal = malloc(strlen(pattern) + 1);
	if (!literal)
		return 0;
	for (const char *p = pattern; *p; p++) {
		p += *p == '\\' && p[1];
		literal[n++] = *p;
	}
	literal[n] = '\0';
	hash = mw_policy_hash(literal);
	free(literal);
	return hash;
}

static int numbers(struct mw_source *s, const char *what, struct list *list,
                   struct mw_condition *ret)
{
	uint32_t count = 0;
	int64_t at = mw_buffer_add(&s->build->numbers, &count, sizeof(count), MW_POLICY_MAX_SIZE);
	int error;

	if (at < 0)
		return mw_source_no_room(s, at);
	error = mw_source_items(s, what, taker(list->field), list);
	if (error)
		return error;
	count = (uint32_t)list->count;
	memcpy(s->build->numbers.data + at, &count, sizeof(count));
	ret->values = (uint32_t)at;
	return 0;
}

static int end_list(struct mw_source *s)
{
	int64_t end = mw_policy_text(s->build, "", 0);

	return end < 0 ? mw_source_no_room(s, end) : 0;
}

int mw_policy_condition(struct mw_source *s, const char *what, enum mw_field field,
                        struct mw_condition *ret)
{
	struct list list = {.field = field};
	int error;

	*ret = (struct mw_condition){.field = field};
	if (mw_field_is_number(field))
		return numbers(s, what, &list, ret);
	error = mw_source_items(s, what, taker(field), &list);
	if (error)
		return error;
	ret->values = list.at;
	ret->hash = hash_of(s->build, &list);
	ret->dynamic = memchr(s->build->text.data + list.at, MW_ARTIFACT_DIR,
	                      s->build->text.len - list.at) != NULL;
	return end_list(s);
}

int mw_policy_patterns(struct mw_source *s, const char *what, uint32_t *ret)
{
	struct list list = {.field = MW_FIELD_OP};
	int error = mw_source_items(s, what, take_text, &list);

	*ret = list.at;
	return error ? error : end_list(s);
}
