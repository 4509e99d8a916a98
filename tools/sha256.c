#include "sha256.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define PIECE (128u << 10)
#define BYTES 32

static EVP_MD_CTX *start(void)
{
	EVP_MD_CTX *context;

	/* The system's configuration of OpenSSL may load engines and providers: not for a hash. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	context = EVP_MD_CTX_new();
	if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL))
		return context;
	EVP_MD_CTX_free(context);
	return NULL;
}

static int finish(EVP_MD_CTX *context, char ret[static MW_SHA256_HEX])
{
	uint8_t raw[BYTES];
	bool good = EVP_DigestFinal_ex(context, raw, NULL);

	EVP_MD_CTX_free(context);
	for (size_t i = 0; good && i < BYTES; i++)
		snprintf(ret + 2 * i, 3, "%02x", raw[i]);
	return good ? 0 : -ENOMEM;
}

int mw_sha256(const void *data, size_t len, char ret[static MW_SHA256_HEX])
{
	EVP_MD_CTX *context = start();

	if (!context)
		return -ENOMEM;
	if (!EVP_DigestUpdate(context, data, len)) {
		EVP_MD_CTX_free(context);
		return -ENOMEM;
	}
	return finish(context, ret);
}

/* Returns 1 to go on, 0 at the end, or a negative errno. */
static int feed(EVP_MD_CTX *context, int fd, off_t *at, uint8_t *piece)
{
	ssize_t n = pread(fd, piece, PIECE, *at);

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (!n)
		return 0;
	*at += n;
	return EVP_DigestUpdate(context, piece, (size_t)n) ? 1 : -ENOMEM;
}

static bool is_same(int fd, const struct stat *status)
{
	struct stat now;

	return !fstat(fd, &now) && now.st_size == status->st_size &&
	       now.st_mtim.tv_sec == status->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == status->st_mtim.tv_nsec &&
	       now.st_ctim.tv_sec == status->st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == status->st_ctim.tv_nsec;
}

int mw_sha256_file(int fd, const struct stat *status, struct mw_sha256_watch *watch,
                   char ret[static MW_SHA256_HEX])
{
	EVP_MD_CTX *context = start();
	uint8_t *piece = malloc(PIECE);
	int result = context && piece ? 1 : -ENOMEM;
	off_t at = 0;

	while (result > 0) {
		if (watch && atomic_load(&watch->cancel)) {
			result = -ECANCELED;
		} else {
			result = feed(context, fd, &at, piece);
			if (watch)
				atomic_fetch_add(&watch->reads, 1);
		}
	}
	free(piece);
	if (!result && (at != status->st_size || !is_same(fd, status)))
		result = -EAGAIN;
	if (result) {
		EVP_MD_CTX_free(context);
		return result;
	}
	return finish(context, ret);
}
