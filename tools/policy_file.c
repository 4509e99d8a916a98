#include "policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "default_policy.h"
#include "policy_build.h"
#include "policy_secrets.h"
#include "policy_source.h"

#define FILE_MAX (16u << 20)

/* Makes room behind the `len` bytes of `*text`. */
static int more_room(char **text, size_t len, size_t *cap)
{
	size_t want = *cap ? *cap * 2 : 16384;
	char *bigger;

	if (len < *cap)
		return 0;
	bigger = realloc(*text, want);
	if (!bigger)
		return -ENOMEM;
	*text = bigger;
	*cap = want;
	return 0;
}

/* Reads up to the end: a policy may come through a pipe. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	size_t len = 0, cap = 0;
	char *text = NULL;
	int error;

	for (;;) {
		ssize_t n = 0;

		error = len > FILE_MAX ? -EFBIG : more_room(&text, len, &cap);
		if (!error) {
			n = read(fd, text + len, cap - len);
			error = n < 0 && errno != EINTR ? -errno : 0;
		}
		if (error || n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	if (error) {
		free(text);
		return error;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

static int read_file(const char *path, char **ret, size_t *ret_len, char *error, size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result = fd < 0 ? -errno : read_all(fd, ret, ret_len);

	if (fd >= 0)
		close(fd);
	if (result == -EFBIG)
		snprintf(error, error_size, "%s: larger than 16 MiB", path);
	else if (result)
		snprintf(error, error_size, "%s: %s", path, strerror(-result));
	return result;
}

static int digest(const char *text, size_t len, uint8_t ret[static 32])
{
	const size_t own = (size_t)(mw_default_policy_end - mw_default_policy);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) &&
	            EVP_DigestUpdate(context, text, len) &&
	            EVP_DigestUpdate(context, mw_default_policy, own) &&
	            EVP_DigestFinal_ex(context, ret, NULL);

	EVP_MD_CTX_free(context);
	return good ? 0 : -ENOMEM;
}

static int compile(struct mw_policy_build *build, const char *file, const char *text, size_t len,
                   char *error, size_t error_size)
{
	const size_t own = (size_t)(mw_default_policy_end - mw_default_policy);
	int result = mw_policy_build_start(build);

	if (result)
		snprintf(error, error_size, "not enough memory");
	if (!result && file)
		result = mw_policy_source(build, file, text, len, error, error_size);
	if (!result)
		result = mw_policy_source(build, "built-in policy", mw_default_policy, own, error,
		                          error_size);
	if (!result) {
		result = mw_policy_secrets_end(build);
		if (result)
			snprintf(error, error_size, "not enough memory");
	}
	return result;
}

int mw_policy_load(const char *file, enum mw_verdict mode, struct mw_policy **ret_image,
                   size_t *ret_size, char *error, size_t error_size)
{
	struct mw_policy_build build = {0};
	uint8_t sha256[32];
	char *text = NULL;
	size_t len = 0;
	int result = 0;

	if (file)
		result = read_file(file, &text, &len, error, error_size);
	if (result)
		return result;
	result = compile(&build, file, text, len, error, error_size);
	if (!result) {
		result = digest(text ? text : "", len, sha256);
		if (!result)
			result = mw_policy_image(&build, mode, sha256, ret_image, ret_size);
		if (result)
			snprintf(error, error_size, "%s: %s", file ? file : "built-in policy",
			         result == -EFBIG ? "the compiled policy would be too large"
			                          : "not enough memory");
	}
	mw_policy_build_free(&build);
	free(text);
	return result;
}
