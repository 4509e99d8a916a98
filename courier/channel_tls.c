#include "channel_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "channel_bio.h"

#define ACCEPT_MS 1000 /* for a word from a receiver that has asked who we are */

/* Whether the receiver has asked for a certificate of ours, and taken it. */
struct acceptance {
	bool is_asked, is_given;
};

/* OpenSSL would ask at the terminal. */
static int no_password(char *buffer, int size, int is_for_writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)is_for_writing;
	(void)context;
	return -1;
}

static int say(int error, const char *what, const char *detail, char *why, size_t why_size)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (!detail)
		detail = reason ? reason : "no reason given";
	snprintf(why, why_size, "%s: %s", what, detail);
	ERR_clear_error();
	return error;
}

static int trust(SSL_CTX *context, const char *ca, char *why, size_t why_size)
{
	int good = ca ? SSL_CTX_load_verify_locations(context, ca, NULL)
	              : SSL_CTX_set_default_verify_paths(context);

	return good ? 0 : say(-EINVAL, ca ? ca : "the system's authorities", NULL, why, why_size);
}

static int present(SSL_CTX *context, const struct mw_sink_tls *tls, char *why, size_t why_size)
{
	const char *key = tls->key ? tls->key : tls->cert;

	if (!tls->cert)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(context, tls->cert) != 1)
		return say(-EINVAL, tls->cert, NULL, why, why_size);
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return say(-EINVAL, key, NULL, why, why_size);
	return 0;
}

static int on_asked(SSL *ssl, void *acceptance)
{
	(void)ssl;
	((struct acceptance *)acceptance)->is_asked = true;
	return 1;
}

/* Who has not accepted us gives no ticket. */
static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct acceptance *acceptance = SSL_get_app_data(ssl);

	(void)session;
	if (acceptance)
		acceptance->is_given = true;
	return 0;
}

/* The context has one session: certificates that were renewed are read with the next connection. */
static int make_context(const struct mw_sink_tls *tls, SSL_CTX **ret, char *why, size_t why_size)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	int error;

	if (!context)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(context, no_password);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_ticket);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context,
	                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	error = trust(context, tls->ca, why, why_size);
	if (!error)
		error = present(context, tls, why, why_size);
	if (error)
		SSL_CTX_free(context);
	else
		*ret = context;
	return error;
}

static bool is_ip(const char *name)
{
	unsigned char binary[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, binary) == 1 || inet_pton(AF_INET6, name, binary) == 1;
}

static bool expect(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (is_ip(name))
		return X509_VERIFY_PARAM_set1_ip_asc(param, name);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, name, 0) && SSL_set_tlsext_host_name(ssl, name);
}

static int make_session(SSL_CTX *context, int fd, const char *name, SSL **ret)
{
	SSL *ssl = SSL_new(context);
	BIO *bio = ssl ? mw_bio_new(fd) : NULL;

	if (bio)
		SSL_set_bio(ssl, bio, bio);
	if (bio && expect(ssl, name)) {
		*ret = ssl;
		return 0;
	}
	SSL_free(ssl);
	return -ENOMEM;
}

int mw_tls_wants(SSL *ssl, int n)
{
	int error = errno;

	switch (SSL_get_error(ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return POLLIN;
	case SSL_ERROR_WANT_WRITE:
		return POLLOUT;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return n < 0 && error ? mw_socket_error(error) : 0;
	default:
		return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
		               ? 0
		               : -EPROTO;
	}
}

static int shake_hands(SSL *ssl, int fd, const struct mw_wait *wait)
{
	for (;;) {
		int n, events;

		ERR_clear_error();
		n = SSL_connect(ssl);
		if (n == 1)
			return 0;
		events = mw_tls_wants(ssl, n);
		if (events <= 0)
			return events ? events : -EPIPE;
		events = mw_wait_on(wait, fd, (short)events);
		if (events)
			return events;
	}
}

/* With TLS 1.3 the handshake is over before the receiver has looked at our certificate: what is
 * sent then vanishes, when it does not like it. So its first word is waited for. */
static int await_acceptance(SSL *ssl, int fd, const struct mw_wait *wait)
{
	const struct acceptance *acceptance = SSL_get_app_data(ssl);
	const struct mw_wait brief = mw_wait_for(
	        mw_wait_left(wait) < ACCEPT_MS ? mw_wait_left(wait) : ACCEPT_MS, wait->stop);
	char byte;
	int error = 0;

	if (SSL_version(ssl) != TLS1_3_VERSION || !acceptance->is_asked)
		return 0;
	while (!error) {
		int n, events;

		ERR_clear_error();
		n = SSL_peek(ssl, &byte, 1);
		if (n > 0 || acceptance->is_given)
			return 0;
		events = mw_tls_wants(ssl, n);
		if (events <= 0)
			return events ? events : -EPIPE;
		error = mw_wait_on(&brief, fd, (short)events);
	}
	return error == -ETIMEDOUT ? 0 : error;
}

static int greet(SSL *ssl, int fd, const struct mw_wait *wait, char *why, size_t why_size)
{
	int error = shake_hands(ssl, fd, wait);
	long verified = SSL_get_verify_result(ssl);

	if (error == -EPROTO && verified != X509_V_OK)
		return say(-EACCES, "the certificate", X509_verify_cert_error_string(verified), why,
		           why_size);
	if (!error)
		error = await_acceptance(ssl, fd, wait);
	if (error == -EPROTO)
		return say(error, "TLS", NULL, why, why_size);
	if (error == -EPIPE)
		return say(error, "TLS", "closed by the receiver", why, why_size);
	return error;
}

int mw_tls_start(int fd, const char *name, const struct mw_sink_tls *tls,
                 const struct mw_wait *wait, SSL **ret, char *why, size_t why_size)
{
	struct acceptance acceptance = {.is_asked = false};
	SSL_CTX *context = NULL;
	SSL *ssl = NULL;
	int error;

	ERR_clear_error();
	error = make_context(tls, &context, why, why_size);
	if (error)
		return error;
	SSL_CTX_set_cert_cb(context, on_asked, &acceptance);
	error = make_session(context, fd, name, &ssl);
	SSL_CTX_free(context);
	if (error)
		return error;
	SSL_set_app_data(ssl, &acceptance);
	error = greet(ssl, fd, wait, why, why_size);
	SSL_set_app_data(ssl, NULL);
	SSL_set_cert_cb(ssl, NULL, NULL);
	if (error)
		SSL_free(ssl);
	else
		*ret = ssl;
	return error;
}

void mw_tls_end(SSL *ssl, bool is_broken)
{
	if (ssl && !is_broken)
		SSL_shutdown(ssl);
	SSL_free(ssl);
	ERR_clear_error();
}
