/* A compiled policy image of any bytes: what mw_policy_check() lets pass, mw_decide() reads safely,
 * and so does what makes the kernel's table of it.
 * The bytes start as those of a policy that asks about every field: by chance no image has a rule.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/secret.h"
#include "../../tools/daemon_refusals.h"
#include "../unit/policy_of.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ALLOW "verdict: allow, reason: r, owner: o"
static const char policy_text[] =
        "version: 1\n"
        "secrets: ['/home/*/.ssh/**', '!/home/*/.ssh/*.pub']\n"
        "rules:\n"
        "- {name: a, origin: file, op: [open, 'os.*'], path: ['/tmp/?', '/srv/[a-z]**'], " ALLOW
        "}\n"
        "- {name: b, path: '{artifact_dir}/**', when: [new], unless: [pyc], " ALLOW "}\n"
        "- {name: c, effect: exec, executable: /usr/bin/gcc, executable_owner: 0, cause: call,\n"
        "   argv: [gcc -o *, 'gcc -[a-c] **', 'cc ***'], " ALLOW "}\n"
        "- {name: d, address: [10.0.0.0/9, '*.org', '::1'], port: [443, 8000-8999], " ALLOW "}\n"
        "- {name: e, unix: '/run/**', verdict: observe}\n"
        "- {name: f, global: posix.system, entry: torch.load, artifact: '/m/*', " ALLOW "}\n"
        "- {name: g, call: 'posix.*', module: posix, expires: 2099-01-01, " ALLOW "}\n"
        "- {name: h, sha256: " DIGEST ", stream_sha256: " DIGEST ", verdict: kill}\n"
        "- {name: i, target: /tmp/x, severity: low, verdict: alert}\n";

/* The image of the policy above, made once. */
static const struct mw_policy *whole(size_t *ret_size)
{
	static struct mw_policy *image;
	static size_t size;
	char error[300];

	if (!image)
		image = policy_of(policy_text, strlen(policy_text), MW_COMMAND_LINE, MW_DENY, &size,
		                  error);
	if (!image)
		abort();
	*ret_size = size;
	return image;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	size_t whole_size;
	const struct mw_policy *image = whole(&whole_size);

	(void)seed;
	if (size < sizeof(*image) && whole_size <= max) {
		memcpy(data, image, whole_size);
		size = whole_size;
	}
	return LLVMFuzzerMutate(data, size, max);
}

static const char *target_of(enum mw_class class)
{
	if (class == MW_CONNECT)
		return "10.2.3.4:8080";
	return class == MW_SEND ? "[::1]:443" : class == MW_LISTEN ? "x.org:80" : "/tmp/x";
}

static void ask(const struct mw_policy *image, enum mw_class class, uint32_t facts, size_t size)
{
	const char *const argv[] = {"gcc", "-o", "x", NULL};
	const struct mw_load_view load = {.origin = MW_FROM_FILE,
	                                  .unknown = facts % 2 ? MW_FIELDS_OF_MONITOR : 0,
	                                  .now = 1,
	                                  .entry = "torch.load",
	                                  .artifact = "/m/x.pt",
	                                  .global = "posix.system",
	                                  .call = "posix.system"};
	const struct mw_effect effect = {.class = class,
	                                 .op = "open",
	                                 .target = target_of(class),
	                                 .target2 = "/tmp/y",
	                                 .file = "/tmp/x",
	                                 .file2 = "/srv/y",
	                                 .owner = 1,
	                                 .argv = argv,
	                                 .argc = 3,
	                                 .facts = facts};
	struct mw_decision decision;

	mw_decide(image, &load, &effect, &decision);
	if (strlen(decision.rule) > size)
		abort();
	mw_decide_after(image, decision.index + 1, &load, &effect, &decision);
}

static void tabulate(const struct mw_policy *image)
{
	static struct mw_k_refusal refusals[MW_REFUSALS];

	mw_daemon_refusals(image, refusals);
	for (size_t i = 0; i < MW_REFUSALS; i++) {
		if (refusals[i].count > MW_K_SPARED || refusals[i].folders > MW_K_FOLDERS)
			abort();
		for (uint32_t n = 0; n < refusals[i].count; n++)
			if (refusals[i].spared[n].place_len > MW_K_SPELT)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_policy *image = malloc(size ? size : 1);

	if (!image)
		return 0;
	memcpy(image, data, size);
	if (size >= sizeof(*image)) { /* so that more than the size field is put to the test */
		image->magic = MW_POLICY_MAGIC;
		image->version = MW_POLICY_VERSION;
		image->size = (uint32_t)size;
	}
	if (!mw_policy_check(image, size)) {
		for (int class = 0; class < MW_CLASS_COUNT; class ++) {
			ask(image, (enum mw_class) class, 0, size);
			ask(image, (enum mw_class) class, UINT32_MAX, size);
		}
		tabulate(image);
		mw_is_secret(image, "/home/u/.ssh/id_rsa");
	}
	free(image);
	return 0;
}
