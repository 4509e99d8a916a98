#include "channel_bio.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

static int descriptor(BIO *bio)
{
	return (int)(intptr_t)BIO_get_data(bio);
}

static int result(BIO *bio, ssize_t n, int retry)
{
	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static int write_some(BIO *bio, const char *data, int len)
{
	return result(bio, send(descriptor(bio), data, (size_t)len, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static int read_some(BIO *bio, char *data, int len)
{
	return result(bio, recv(descriptor(bio), data, (size_t)len, 0), BIO_FLAGS_READ);
}

/* Nothing is held back, so flushing is done. */
static long control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
	if (!method)
		return;
	BIO_meth_set_write(method, write_some);
	BIO_meth_set_read(method, read_some);
	BIO_meth_set_ctrl(method, control);
}

BIO *mw_bio_new(int fd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_method);
	bio = method ? BIO_new(method) : NULL;
	if (!bio)
		return NULL;
	BIO_set_data(bio, (void *)(intptr_t)fd);
	BIO_set_init(bio, 1);
	return bio;
}
