#include "sink_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 4096

static int check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return st.st_mode & S_IROTH ? -EACCES : 0;
}

static int read_all(int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, SECRET_MAX + 1 - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	} while (n && len <= SECRET_MAX);
	if (len > SECRET_MAX)
		return -EFBIG;
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	text[len] = '\0';
	return len && len == strlen(text) ? 0 : -EINVAL;
}

int mw_secret_read(const char *path, char **ret, char *why, size_t why_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = fd < 0 ? -errno : check(fd);
	char *text = error ? NULL : calloc(1, SECRET_MAX + 2);

	if (!error)
		error = text ? read_all(fd, text) : -ENOMEM;
	if (fd >= 0)
		close(fd);
	if (!error) {
		*ret = text;
		return 0;
	}
	mw_secret_free(text);
	snprintf(why, why_size, "%s: %s", path,
	         error == -EACCES && fd >= 0 ? "everybody can read it" : strerror(-error));
	return error;
}

void mw_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
