#include "forward_pack.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <msgpack/pack.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define EVENT_TIME 0 /* a type of MessagePack that Fluent has added */
#define DIGEST_TEXT (2 * 64 + 1)

static int put(void *out, const char *data, size_t len)
{
	return mw_buffer_add(out, data, len, SIZE_MAX) < 0 ? -1 : 0;
}

static int put_text(msgpack_packer *p, const char *text, size_t len)
{
	return msgpack_pack_str(p, len) || msgpack_pack_str_body(p, text, len) ? -1 : 0;
}

static int put_word(msgpack_packer *p, const char *word)
{
	return put_text(p, word, strlen(word));
}

static int put_json(msgpack_packer *p, const json_t *value);

static int put_object(msgpack_packer *p, const json_t *object)
{
	const char *name;
	json_t *value;
	int error = msgpack_pack_map(p, json_object_size(object));

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (error || (error = put_word(p, name)) || (error = put_json(p, value)))
			break;
	}
	return error;
}

static int put_array(msgpack_packer *p, const json_t *array)
{
	size_t size = json_array_size(array);
	int error = msgpack_pack_array(p, size);

	for (size_t i = 0; i < size && !error; i++)
		error = put_json(p, json_array_get(array, i));
	return error;
}

static int put_json(msgpack_packer *p, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_object(p, value);
	case JSON_ARRAY:
		return put_array(p, value);
	case JSON_STRING:
		return put_text(p, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		return msgpack_pack_int64(p, json_integer_value(value));
	case JSON_REAL:
		return msgpack_pack_double(p, json_real_value(value));
	case JSON_TRUE:
		return msgpack_pack_true(p);
	case JSON_FALSE:
		return msgpack_pack_false(p);
	default:
		return msgpack_pack_nil(p);
	}
}

static int put_time(msgpack_packer *p, int64_t time)
{
	uint32_t sec = (uint32_t)(time / 1000000000), nsec = (uint32_t)(time % 1000000000);
	char bytes[8];

	for (int i = 0; i < 4; i++) {
		bytes[i] = (char)(sec >> (24 - 8 * i));
		bytes[4 + i] = (char)(nsec >> (24 - 8 * i));
	}
	return msgpack_pack_ext(p, sizeof(bytes), EVENT_TIME) ||
	       msgpack_pack_ext_body(p, bytes, sizeof(bytes));
}

int mw_forward_entry(struct mw_buffer *out, int64_t time, const json_t *record)
{
	msgpack_packer p;

	msgpack_packer_init(&p, out, put);
	return msgpack_pack_array(&p, 2) || put_time(&p, time) || put_json(&p, record) ? -ENOMEM
	                                                                               : 0;
}

static int put_options(msgpack_packer *p, size_t count, bool is_gzip, const char *chunk)
{
	if (msgpack_pack_map(p, 1u + is_gzip + !!chunk) || put_word(p, "size") ||
	    msgpack_pack_uint64(p, count))
		return -1;
	if (chunk && (put_word(p, "chunk") || put_word(p, chunk)))
		return -1;
	return is_gzip && (put_word(p, "compressed") || put_word(p, "gzip")) ? -1 : 0;
}

int mw_forward_message(struct mw_buffer *out, const char *tag, const struct mw_buffer *entries,
                       size_t count, bool is_gzip, const char *chunk)
{
	msgpack_packer p;

	msgpack_packer_init(&p, out, put);
	return msgpack_pack_array(&p, 3) || put_word(&p, tag) ||
	                       msgpack_pack_bin(&p, entries->len) ||
	                       msgpack_pack_bin_body(&p, entries->data, entries->len) ||
	                       put_options(&p, count, is_gzip, chunk)
	               ? -ENOMEM
	               : 0;
}

static struct mw_forward_text text_of(const char *text)
{
	return (struct mw_forward_text){text ? text : "", text ? strlen(text) : 0};
}

/* SHA-512 of `count` texts, one after the other, as hex. */
static bool digest(const struct mw_forward_text *parts, size_t count, char ret[static DIGEST_TEXT])
{
	unsigned char raw[64];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	bool ok = sha && EVP_DigestInit_ex(sha, EVP_sha512(), NULL);

	for (size_t i = 0; i < count && ok; i++)
		ok = EVP_DigestUpdate(sha, parts[i].s, parts[i].len);
	ok = ok && EVP_DigestFinal_ex(sha, raw, NULL);
	EVP_MD_CTX_free(sha);
	for (size_t i = 0; i < sizeof(raw) && ok; i++)
		snprintf(ret + 2 * i, 3, "%02x", raw[i]);
	return ok;
}

static bool digest_key(const struct mw_forward_self *self, struct mw_forward_text hostname,
                       const char *nonce, size_t nonce_len, char ret[static DIGEST_TEXT])
{
	const struct mw_forward_text parts[] = {
	        text_of(self->salt), hostname, {nonce, nonce_len}, text_of(self->key)};

	return digest(parts, 4, ret);
}

int mw_forward_ping(struct mw_buffer *out, const struct mw_forward_self *self,
                    const struct mw_forward_answer *helo)
{
	const struct mw_forward_text of_user[] = {helo->auth, text_of(self->user),
	                                          text_of(self->password)};
	char key[DIGEST_TEXT], user[DIGEST_TEXT] = "";
	msgpack_packer p;

	/* fluentd sends a salt for users also where it has none: an empty one is named then. */
	if (!digest_key(self, text_of(self->hostname), helo->nonce.s, helo->nonce.len, key) ||
	    (helo->auth.len && !digest(of_user, 3, user)))
		return -ENOMEM;
	msgpack_packer_init(&p, out, put);
	return msgpack_pack_array(&p, 6) || put_word(&p, "PING") || put_word(&p, self->hostname) ||
	                       put_word(&p, self->salt) || put_word(&p, key) ||
	                       put_word(&p, self->user && *user ? self->user : "") ||
	                       put_word(&p, user)
	               ? -ENOMEM
	               : 0;
}

bool mw_forward_proves(const struct mw_forward_self *self, const char *nonce, size_t nonce_len,
                       const struct mw_forward_answer *pong)
{
	char expected[DIGEST_TEXT];

	return digest_key(self, pong->hostname, nonce, nonce_len, expected) &&
	       pong->digest.len == DIGEST_TEXT - 1 &&
	       !CRYPTO_memcmp(pong->digest.s, expected, DIGEST_TEXT - 1);
}
