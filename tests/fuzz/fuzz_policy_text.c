/* A broken policy is refused with a line that says why; a good one gives an image that passes the
 * check of those who map it, and that can be asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/decide.h"
#include "../../core/secret.h"
#include "../../tools/policy_image.h"
#include "../../tools/policy_secrets.h"
#include "../../tools/policy_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct mw_policy *image)
{
	const char *argv[] = {"sh", "-c", "id"};
	struct mw_load_view view = {
	        .origin = MW_FROM_FILE, .global = "posix.system", .artifact = "/m/x.pt"};
	struct mw_effect effect = {.op = "os.system", .target = "/bin/sh", .argv = argv, .argc = 3};
	struct mw_decision decision;

	for (int c = 0; c < MW_CLASS_COUNT; c++) {
		effect.class = (enum mw_class)c;
		mw_decide(image, &view, &effect, &decision);
		if (decision.verdict > MW_DENY || !decision.rule)
			abort();
	}
}

static void make(const struct mw_policy_build *build)
{
	static const uint8_t digest[32];
	json_t *subject = json_pack("{s:{s:i}, s:O}", "user", "uid", 0, "labels", build->labels);
	struct mw_policy *image;
	size_t size;

	if (!mw_policy_image(build, subject, MW_DENY, digest, &image, &size)) {
		if (mw_policy_check(image, size) < 0)
			abort();
		ask(image);
		mw_is_secret(image, "/home/u/.ssh/id_rsa");
		free(image);
	}
	json_decref(subject);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_policy_build build;
	char error[200] = "";

	if (mw_policy_build_start(&build) < 0)
		abort();
	if (mw_policy_source(&build, "policy", size % 2 ? MW_SITE : MW_COMMAND_LINE,
	                     (const char *)data, size, error, sizeof(error)) < 0) {
		if (!error[0] || strchr(error, '\n'))
			abort();
	} else if (!mw_policy_secrets_end(&build)) {
		make(&build);
	}
	mw_policy_build_free(&build);
	return 0;
}
