#include "relp_frame.h"

#include <errno.h>
#include <string.h>

#define COMMAND_MAX 32
#define DIGITS_MAX 9

/* What is left to read. */
struct rest {
	const char *at;
	size_t len;
};

/* Each returns 1 when it has read its part, 0 when that goes on beyond the bytes, or -EPROTO. */
static int number(struct rest *rest, uint32_t *ret)
{
	size_t digits = 0;

	*ret = 0;
	while (digits < rest->len && rest->at[digits] >= '0' && rest->at[digits] <= '9') {
		if (digits == DIGITS_MAX)
			return -EPROTO;
		*ret = *ret * 10 + (uint32_t)(rest->at[digits++] - '0');
	}
	if (digits == rest->len)
		return 0;
	rest->at += digits;
	rest->len -= digits;
	return digits ? 1 : -EPROTO;
}

static int space(struct rest *rest)
{
	if (!rest->len)
		return 0;
	if (*rest->at != ' ')
		return -EPROTO;
	rest->at++;
	rest->len--;
	return 1;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int word(struct rest *rest, struct mw_relp_frame *ret)
{
	size_t len = 0;

	while (len < rest->len && is_letter(rest->at[len]))
		if (++len > COMMAND_MAX)
			return -EPROTO;
	if (len == rest->len)
		return 0;
	ret->command = rest->at;
	ret->command_len = len;
	rest->at += len;
	rest->len -= len;
	return len ? 1 : -EPROTO;
}

/* The data and the newline that ends the frame. */
static int data(struct rest *rest, uint32_t len, struct mw_relp_frame *ret)
{
	int result = len ? space(rest) : 1;

	if (result <= 0)
		return result;
	if (len > MW_RELP_ANSWER_MAX)
		return -EPROTO;
	if (rest->len <= len)
		return 0;
	ret->data = rest->at;
	ret->len = len;
	rest->at += len + 1;
	rest->len -= len + 1;
	return rest->at[-1] == '\n' ? 1 : -EPROTO;
}

int mw_relp_parse(const char *bytes, size_t len, struct mw_relp_frame *ret)
{
	struct rest rest = {bytes, len};
	uint32_t data_len = 0;
	int result = number(&rest, &ret->number);

	if (result > 0)
		result = space(&rest);
	if (result > 0)
		result = word(&rest, ret);
	if (result > 0)
		result = space(&rest);
	if (result > 0)
		result = number(&rest, &data_len);
	if (result > 0)
		result = data(&rest, data_len, ret);
	return result > 0 ? (int)(len - rest.len) : result;
}

bool mw_relp_is(const struct mw_relp_frame *frame, const char *command)
{
	return frame->command_len == strlen(command) &&
	       !memcmp(frame->command, command, frame->command_len);
}

int mw_relp_code(const struct mw_relp_frame *frame)
{
	int code = 0;

	if (frame->len < 3 || (frame->len > 3 && frame->data[3] != ' ' && frame->data[3] != '\n'))
		return -EPROTO;
	for (int i = 0; i < 3; i++) {
		if (frame->data[i] < '0' || frame->data[i] > '9')
			return -EPROTO;
		code = code * 10 + (frame->data[i] - '0');
	}
	return code;
}

/* `list` up to its end or a newline: names with commas between them. */
static bool lists(const char *list, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	while (len && *list != '\n') {
		size_t part = 0;

		while (part < len && list[part] != ',' && list[part] != '\n')
			part++;
		if (part == name_len && !memcmp(list, name, part))
			return true;
		if (part < len && list[part] == ',')
			part++;
		list += part;
		len -= part;
	}
	return false;
}

bool mw_relp_offers(const struct mw_relp_frame *frame, const char *command)
{
	static const char key[] = "commands=";
	const char *line = frame->data, *end = frame->data + frame->len;

	while (line) {
		size_t left = (size_t)(end - line);

		if (left >= sizeof(key) - 1 && !memcmp(line, key, sizeof(key) - 1))
			return lists(line + sizeof(key) - 1, left - (sizeof(key) - 1), command);
		line = memchr(line, '\n', left);
		if (line)
			line++;
	}
	return false;
}
