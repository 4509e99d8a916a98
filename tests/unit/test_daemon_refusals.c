/* What of a policy is decided in the kernel: never more than the policy denies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../tools/daemon_refusals.h"
#include "../../tools/default_policy.h"
#include "policy_of.h"

static struct mw_k_refusal all[MW_REFUSALS];

/* The policy of a host: `text` before the built-in rules. */
static void decide(const char *text)
{
	static const uint8_t digest[32];
	struct mw_policy_build build;
	struct mw_policy *policy = NULL;
	json_t *subject = json_object();
	char error[300] = "";
	size_t size;

	assert_int_equal(mw_policy_build_start_for_host(&build), 0);
	assert_int_equal(mw_policy_source(&build, "built-in", MW_BUILT_IN, mw_default_policy,
	                                  (size_t)(mw_default_policy_end - mw_default_policy),
	                                  error, sizeof(error)),
	                 0);
	if (*text)
		assert_int_equal(mw_policy_source(&build, "site", MW_SITE, text, strlen(text),
		                                  error, sizeof(error)),
		                 0);
	assert_int_equal(mw_policy_secrets_end(&build), 0);
	assert_int_equal(mw_policy_image(&build, subject, MW_DENY, digest, &policy, &size), 0);
	mw_daemon_refusals(policy, all);
	free(policy);
	mw_policy_build_free(&build);
	json_decref(subject);
}

static const struct mw_k_refusal *of(enum mw_class class, enum mw_k_blame blame)
{
	return &all[mw_k_refusal_key(class, blame)];
}

static bool spares_name(const struct mw_k_refusal *refusal, const char *name, uint32_t facts)
{
	struct mw_k_words text = {{0}};

	memcpy(&text, name, strlen(name));
	for (uint32_t i = 0; i < refusal->count; i++) {
		const struct mw_k_spared *spared = &refusal->spared[i];
		uint64_t differs = 0;

		for (int w = 0; w < MW_K_WORDS; w++)
			differs |=
			        (text.word[w] ^ spared->name.word[w]) & spared->name_mask.word[w];
		if (!differs &&
		    (spared->name_mask.word[0] || spared->facts & MW_K_IS_INTERPRETER) &&
		    (facts & spared->facts) == spared->facts)
			return true;
	}
	return false;
}

/* Whatever it is called there. */
static bool spares_place(const struct mw_k_refusal *refusal, const char *place, size_t size)
{
	for (uint32_t i = 0; i < refusal->count; i++) {
		const struct mw_k_spared *spared = &refusal->spared[i];

		if (!spared->facts && !spared->name_mask.word[0] && spared->place_len == size &&
		    !memcmp(&spared->place, place, size))
			return true;
	}
	return false;
}

static void the_default_policy_is_decided(void **state)
{
	static const enum mw_class called[] = {MW_EXEC,  MW_CONNECT, MW_SEND,  MW_LISTEN,
	                                       MW_WRITE, MW_MAP,     MW_TAMPER};
	static const enum mw_class by_python[] = {MW_EXEC,   MW_CONNECT, MW_SEND,
	                                          MW_LISTEN, MW_WRITE,   MW_TAMPER};

	(void)state;
	decide("");
	for (size_t i = 0; i < sizeof(called) / sizeof(*called); i++)
		assert_true(of(called[i], MW_K_CALLED)->refuse);
	for (size_t i = 0; i < sizeof(by_python) / sizeof(*by_python); i++)
		assert_true(of(by_python[i], MW_K_BY_PYTHON)->refuse);
	/* Libraries have needs of their own, which only the daemon can tell. */
	assert_false(of(MW_MAP, MW_K_BY_PYTHON)->refuse);
	for (int class = 0; class < MW_CLASS_COUNT; class ++)
		assert_false(of((enum mw_class) class, MW_K_NOBODY)->refuse);
}

static void what_may_be_allowed_is_spared(void **state)
{
	const struct mw_k_refusal *write, *run;

	(void)state;
	decide("");
	write = of(MW_WRITE, MW_K_BY_PYTHON);
	assert_true(spares_name(write, "sem.mp-abc", 0));
	assert_true(spares_name(write, "null", MW_K_IS_DEVICE));
	assert_true(spares_name(write, "nvidia0", 0));
	assert_false(spares_name(write, "marker", 0));
	assert_int_equal(write->folders, 1);
	assert_string_equal((const char *)&write->folder[0], ".nv");
	run = of(MW_EXEC, MW_K_BY_PYTHON);
	assert_true(spares_name(run, "python3", MW_K_IS_INTERPRETER | MW_K_UNCALLED));
	assert_false(spares_name(run, "python3", MW_K_IS_INTERPRETER));
	assert_true(spares_name(run, "nvidia-modprobe", 0));
	assert_false(spares_name(run, "nvidia-modprobe2", 0));
	assert_false(spares_name(run, "sh", 0));
	assert_true(spares_name(of(MW_CONNECT, MW_K_BY_PYTHON), "/run/nscd/socket", MW_K_IS_UNIX));
	assert_false(spares_name(of(MW_CONNECT, MW_K_BY_PYTHON), "/run/docker.sock", MW_K_IS_UNIX));
}

/* A rule before the others that cannot be said in the kernel takes the decision from it. */
static void what_a_site_allows_is_not_refused(void **state)
{
#define RULE(words)                                                                                \
	"version: 1\nrules:\n  - {name: x, " words ", verdict: allow, reason: r, owner: o}\n"
	(void)state;
	decide(RULE("effect: exec, argv: ['/opt/tool **']"));
	assert_true(spares_name(of(MW_EXEC, MW_K_CALLED), "tool", 0));
	decide(RULE("effect: exec, artifact: ['/srv/**']"));
	assert_false(of(MW_EXEC, MW_K_CALLED)->refuse);
	decide(RULE("effect: write, path: ['/srv/models/*']"));
	assert_true(of(MW_WRITE, MW_K_CALLED)->refuse);
	assert_true(spares_place(of(MW_WRITE, MW_K_CALLED), "models\0srv", sizeof("models\0srv")));
	assert_false(spares_place(of(MW_WRITE, MW_K_CALLED), "models", sizeof("models")));
	decide(RULE("effect: write, path: ['/srv/**']"));
	assert_false(of(MW_WRITE, MW_K_CALLED)->refuse);
	decide(RULE("effect: connect, address: ['10.0.0.1']"));
	assert_false(of(MW_CONNECT, MW_K_CALLED)->refuse);
	decide(RULE("effect: tamper, op: [kill]"));
	assert_false(of(MW_TAMPER, MW_K_CALLED)->refuse);
	decide(RULE("cause: call"));
	for (int class = 0; class < MW_CLASS_COUNT; class ++)
		assert_false(of((enum mw_class) class, MW_K_CALLED)->refuse);
	decide("version: 1\nrules:\n  - {name: x, effect: exec, verdict: alert}\n");
	assert_false(of(MW_EXEC, MW_K_CALLED)->refuse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_default_policy_is_decided),
	        cmocka_unit_test(what_may_be_allowed_is_spared),
	        cmocka_unit_test(what_a_site_allows_is_not_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
