/* Fluent's Forward protocol, byte by byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../courier/forward_pack.h"

#define SAID(bytes) bytes, sizeof(bytes) - 1

static void is(const struct mw_buffer *out, const char *bytes, size_t len)
{
	assert_int_equal(out->len, len);
	assert_memory_equal(out->data, bytes, len);
}

static void an_entry_has_its_time_and_record(void **state)
{
	struct mw_buffer out = {0};
	json_t *record = json_pack("{s:[i, b, n, f], s:s%}", "a", -1, 1, 0.5, "b", "x\0y", 3);

	(void)state;
	assert_non_null(record);
	assert_int_equal(mw_forward_entry(&out, INT64_C(1795452946015960535), record), 0);
	is(&out, SAID("\x92\xd7\x00\x6b\x04\x70\x12\x00\xf3\x89\xd7"
	              "\x82\xa1"
	              "a\x94\xff\xc3\xc0\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00\xa1"
	              "b\xa3x\0y"));
	free(out.data);
	json_decref(record);
}

static void a_message_has_three_parts(void **state)
{
	char bytes[] = "EE";
	const struct mw_buffer entries = {bytes, 2, 2};
	struct mw_buffer out = {0};

	(void)state;
	assert_int_equal(mw_forward_message(&out, "t", &entries, 7, false, NULL), 0);
	is(&out, SAID("\x93\xa1t\xc4\x02"
	              "EE\x81\xa4size\x07"));
	out.len = 0;
	assert_int_equal(mw_forward_message(&out, "t", &entries, 7, true, "id"), 0);
	is(&out, SAID("\x93\xa1t\xc4\x02"
	              "EE\x83\xa4size\x07\xa5"
	              "chunk\xa2id\xaa"
	              "compressed\xa4gzip"));
	free(out.data);
}

static const struct mw_forward_self self = {
        .hostname = "me", .key = "key", .user = "user", .password = "pass", .salt = "salt"};

/* SHA-512 of "saltmenoncekey", "authuserpass" and "saltthemnoncekey". */
#define OF_KEY                                                                                     \
	"6555a09f778262ffe306f0064acdbdd7f678ef2d89e7f6a7f9dec80750c5b56f"                         \
	"952a6a067aa881a3f95387e634caaee9140fefd5800b71444882d558acce28ea"
#define OF_USER                                                                                    \
	"2afe4837de10158d3f7348594e36052dda8b604fe7d58927a4ad32d3aef82a39"                         \
	"d170b8b7fc5f7ac42b64e8e37edc18d5a4d871c4fb13080a6ac69a36b5c7f798"
#define OF_THEM                                                                                    \
	"62b6d35589da6584870732f9bb5bd700020279147d9d39b06f6dfa777a2c0605"                         \
	"dd5cb131e7fe395956c37d0c2e18c4af459561cbf6ba996f766d061d2992df1b"

static void a_ping_proves_who_we_are(void **state)
{
	const struct mw_forward_answer helo = {.nonce = {"nonce", 5}, .auth = {"auth", 4}},
	                               bare = {.nonce = {"nonce", 5}};
	struct mw_buffer out = {0};

	(void)state;
	assert_int_equal(mw_forward_ping(&out, &self, &helo), 0);
	is(&out, SAID("\x96\xa4PING\xa2me\xa4salt\xd9\x80" OF_KEY "\xa4user\xd9\x80" OF_USER));
	out.len = 0;
	assert_int_equal(mw_forward_ping(&out, &self, &bare), 0);
	is(&out, SAID("\x96\xa4PING\xa2me\xa4salt\xd9\x80" OF_KEY "\xa0\xa0"));
	free(out.data);
}

static void a_pong_has_to_prove_it_too(void **state)
{
	struct mw_forward_answer pong = {.hostname = {"them", 4}, .digest = {OF_THEM, 128}};

	(void)state;
	assert_true(mw_forward_proves(&self, "nonce", 5, &pong));
	assert_false(mw_forward_proves(&self, "nonce", 4, &pong));
	pong.digest.len = 127;
	assert_false(mw_forward_proves(&self, "nonce", 5, &pong));
	pong.digest = (struct mw_forward_text){OF_KEY, 128};
	assert_false(mw_forward_proves(&self, "nonce", 5, &pong));
}

static bool text_is(struct mw_forward_text text, const char *expected)
{
	return text.len == strlen(expected) && !memcmp(text.s, expected, text.len);
}

/* Byte by byte it is all there only with the last. */
static void read_slowly(const char *data, size_t len, struct mw_forward_answer *ret)
{
	for (size_t i = 0; i < len; i++) {
		char *part = malloc(i + 1);

		assert_non_null(part);
		memcpy(part, data, i);
		assert_int_equal(mw_forward_answer(part, i, ret), 0);
		free(part);
	}
	assert_int_equal(mw_forward_answer(data, len, ret), (ssize_t)len);
}

static void answers_are_read(void **state)
{
	struct mw_forward_answer a;

	(void)state;
	read_slowly(SAID("\x92\xa4HELO\x83\xa5nonce\xc4\x03n\0n\xa4"
	                 "auth\xa1s\xa9keepalive\xc2"),
	            &a);
	assert_int_equal(a.kind, MW_FORWARD_HELO);
	assert_int_equal(a.nonce.len, 3);
	assert_true(text_is(a.auth, "s") && !a.keepalive);
	read_slowly(SAID("\x92\xa4HELO\x82\xa5nonce\xa1n\xa4"
	                 "auth\xc0"),
	            &a);
	assert_true(text_is(a.nonce, "n") && !a.auth.len && a.keepalive);
	read_slowly(SAID("\x95\xa4PONG\xc3\xa0\xa4them\xa2"
	                 "dg"),
	            &a);
	assert_true(a.kind == MW_FORWARD_PONG && a.ok && text_is(a.hostname, "them") &&
	            text_is(a.digest, "dg"));
	read_slowly(SAID("\x95\xa4PONG\xc2\xa2no\xc0\xc0"), &a);
	assert_true(!a.ok && text_is(a.reason, "no"));
	read_slowly(SAID("\x81\xa3"
	                 "ack\xa2id"),
	            &a);
	assert_true(a.kind == MW_FORWARD_ACK && text_is(a.chunk, "id"));
}

static void nonsense_is_none(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} all[] = {{SAID("\xc1")},
	           {SAID("\x80")},
	           {SAID("\x90")},
	           {SAID("\x07")},
	           {SAID("\xc0")},
	           {SAID("\x91\xa4HELO")},
	           {SAID("\x92\xa4HELO\x80")},
	           {SAID("\x92\xa4HELO\x81\xa5nonce\x01")},
	           {SAID("\x94\xa4PONG\xc3\xa0\xa0")},
	           {SAID("\x95\xa4PONG\x01\xa0\xa0\xa0")},
	           {SAID("\x95\xa4PONG\xc3\xa0\xc0\xc0")},
	           {SAID("\x81\xa3"
	                 "ack\x01")},
	           {SAID("\x91\x91\x91\x91\x01")}};
	char large[MW_FORWARD_ANSWER] = "\xdb\x7f\xff\xff\xff";
	struct mw_forward_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_int_equal(mw_forward_answer(all[i].bytes, all[i].len, &a), -EBADMSG);
	assert_int_equal(mw_forward_answer(large, sizeof(large) - 1, &a), 0);
	assert_int_equal(mw_forward_answer(large, sizeof(large), &a), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_entry_has_its_time_and_record),
	        cmocka_unit_test(a_message_has_three_parts),
	        cmocka_unit_test(a_ping_proves_who_we_are),
	        cmocka_unit_test(a_pong_has_to_prove_it_too),
	        cmocka_unit_test(answers_are_read),
	        cmocka_unit_test(nonsense_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
