#include "policy_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "default_policy.h"
#include "policy_image.h"
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

/* What the site and the user have set down for every run is theirs alone to write. */
static const char *distrust(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return strerror(errno);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return "it belongs to another user";
	return status.st_mode & S_IWOTH ? "everybody can write it" : NULL;
}

/* Returns -ENOENT in silence: whether that is an error is the caller's to say. */
static int read_file(const char *path, bool trusted, char **ret, size_t *ret_len, char *error,
                     size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *complaint = NULL;
	int result;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	result = fd < 0 ? -errno : 0;
	if (!result && !trusted)
		complaint = distrust(fd);
	if (!result)
		result = complaint ? -EPERM : read_all(fd, ret, ret_len);
	if (fd >= 0)
		close(fd);
	if (result == -EFBIG)
		complaint = "larger than 16 MiB";
	if (result)
		snprintf(error, error_size, "%s: %s", path,
		         complaint ? complaint : strerror(-result));
	return result;
}

/* The digest of a policy is that of its sources, each with the digest of those before it. */
static int add_digest(struct mw_policy_build *build, const char *text, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) &&
	            EVP_DigestUpdate(context, build->digest, sizeof(build->digest)) &&
	            EVP_DigestUpdate(context, text, len) &&
	            EVP_DigestFinal_ex(context, build->digest, NULL);

	EVP_MD_CTX_free(context);
	return good ? 0 : -ENOMEM;
}

static int add(struct mw_policy_build *build, const char *name, enum mw_layer layer,
               const char *text, size_t len, char *error, size_t error_size)
{
	int result = add_digest(build, text, len);

	if (result) {
		snprintf(error, error_size, "%s: not enough memory", name);
		return result;
	}
	return mw_policy_source(build, name, layer, text, len, error, error_size);
}

static int text_of(const char *file, bool trusted, char **ret, size_t *ret_len, char *error,
                   size_t error_size)
{
	int result = read_file(file, trusted, ret, ret_len, error, error_size);

	if (result == -ENOENT)
		snprintf(error, error_size, "%s: %s", file, strerror(ENOENT));
	return result;
}

int mw_policy_text_of(const char *file, char **ret, size_t *ret_len, char *error, size_t error_size)
{
	return text_of(file, true, ret, ret_len, error, error_size);
}

int mw_policy_own_text(const char *file, char **ret, size_t *ret_len, char *error,
                       size_t error_size)
{
	return text_of(file, false, ret, ret_len, error, error_size);
}

int mw_policy_read_file(struct mw_policy_build *build, const char *file, enum mw_layer layer,
                        char *error, size_t error_size)
{
	char *text = NULL;
	size_t len = 0;
	int result = text_of(file, layer == MW_COMMAND_LINE, &text, &len, error, error_size);

	if (!result)
		result = add(build, file, layer, text, len, error, error_size);
	free(text);
	return result;
}

/* One that need not be there. */
static int read_if_there(struct mw_policy_build *build, const char *file, enum mw_layer layer,
                         char *error, size_t error_size)
{
	int result = mw_policy_read_file(build, file, layer, error, error_size);

	if (result != -ENOENT)
		return result;
	error[0] = '\0';
	return 0;
}

static int is_policy(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static int by_name(const struct dirent **first, const struct dirent **second)
{
	return strcmp((*first)->d_name, (*second)->d_name);
}

static int read_directory(struct mw_policy_build *build, const char *directory, char *error,
                          size_t error_size)
{
	struct dirent **entries = NULL;
	int result = 0, count = scandir(directory, &entries, is_policy, by_name);

	if (count < 0 && errno != ENOENT) {
		result = -errno;
		snprintf(error, error_size, "%s: %s", directory, strerror(errno));
	}
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (!result)
			result = mw_policy_read_file(build, path, MW_SITE, error, error_size);
		free(entries[i]);
	}
	free(entries);
	return result;
}

static int read_user(struct mw_policy_build *build, char *error, size_t error_size)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	char path[PATH_MAX];

	if (config && *config == '/')
		snprintf(path, sizeof(path), "%s/modelwatch/policy.yaml", config);
	else
		snprintf(path, sizeof(path), "%s/.config/modelwatch/policy.yaml", build->home);
	return path[0] == '/' ? read_if_there(build, path, MW_USER, error, error_size) : 0;
}

int mw_policy_read_built_in(struct mw_policy_build *build, char *error, size_t error_size)
{
	const size_t own = (size_t)(mw_default_policy_end - mw_default_policy);

	return add(build, "built-in policy", MW_BUILT_IN, mw_default_policy, own, error,
	           error_size);
}

static int no_room(int result, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s",
	         result == -EFBIG ? "the compiled policy would be too large" : "not enough memory");
	return result;
}

static int end(struct mw_policy_build *build, char *error, size_t error_size)
{
	int result = mw_policy_secrets_end(build);

	return result ? no_room(result, error, error_size) : 0;
}

/* What everybody is subject to. */
static int read_site(struct mw_policy_build *build, char *error, size_t error_size)
{
	int result = mw_policy_read_built_in(build, error, error_size);

	if (!result)
		result = read_if_there(build, MW_SITE_POLICY, MW_SITE, error, error_size);
	if (!result)
		result = read_directory(build, MW_SITE_POLICIES, error, error_size);
	return result;
}

static int read_last(struct mw_policy_build *build, const char *file, char *error,
                     size_t error_size)
{
	int result = 0;

	if (file)
		result = mw_policy_read_file(build, file, MW_COMMAND_LINE, error, error_size);
	return result ? result : end(build, error, error_size);
}

int mw_policy_read(struct mw_policy_build *build, const char *file, char *error, size_t error_size)
{
	int result = read_site(build, error, error_size);

	if (!result)
		result = read_user(build, error, error_size);
	return result ? result : read_last(build, file, error, error_size);
}

int mw_policy_read_for_host(struct mw_policy_build *build, const json_t *files, const char *file,
                            char *error, size_t error_size)
{
	int result = read_site(build, error, error_size);

	for (size_t i = 0; i < json_array_size(files) && !result; i++)
		result = mw_policy_read_file(build, json_string_value(json_array_get(files, i)),
		                             MW_USER, error, error_size);
	return result ? result : read_last(build, file, error, error_size);
}

int mw_policy_compile(const struct mw_policy_build *build, const json_t *subject, int mode,
                      struct mw_policy **ret_image, size_t *ret_size, char *error,
                      size_t error_size)
{
	int result;

	if (!mode)
		mode = build->mode ? build->mode : MW_DENY;
	result = mw_policy_image(build, subject, (enum mw_verdict)mode, build->digest, ret_image,
	                         ret_size);
	return result ? no_room(result, error, error_size) : 0;
}
