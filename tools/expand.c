#include "expand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The value of the variable in "{VAR}..." and, in `ret_end`, what follows. */
static int variable(const char *text, const char **ret_value, const char **ret_end)
{
	const char *end = strchr(text, '}');
	char name[256];
	size_t len;

	if (*text != '{' || !end || end == text + 1)
		return -EINVAL;
	len = (size_t)(end - text - 1);
	if (len >= sizeof(name))
		return -EINVAL;
	memcpy(name, text + 1, len);
	name[len] = '\0';
	*ret_value = getenv(name);
	*ret_end = end + 1;
	return *ret_value ? 0 : -ENOENT;
}

static int append(char *out, size_t *len, const char *text, size_t text_len)
{
	if (text_len >= PATH_MAX - *len)
		return -ENAMETOOLONG;
	memcpy(out + *len, text, text_len);
	*len += text_len;
	out[*len] = '\0';
	return 0;
}

int mw_expand(const char *text, char ret[static PATH_MAX])
{
	struct utsname host;
	char pid[16];
	size_t len = 0;
	int error = 0;

	uname(&host);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	ret[0] = '\0';
	while (*text && !error) {
		const char *value;
		size_t plain = strcspn(text, "%");

		error = append(ret, &len, text, plain);
		text += plain;
		if (error || !*text)
			break;
		text += 2;
		if (text[-1] == 'h')
			value = host.nodename;
		else if (text[-1] == 'p')
			value = pid;
		else if (text[-1] == '%')
			value = "%";
		else if (text[-1] != 'q' || (error = variable(text, &value, &text)))
			return error ? error : -EINVAL;
		error = append(ret, &len, value, strlen(value));
	}
	return error;
}
