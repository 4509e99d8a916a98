/* A broken policy is refused with a line that says why; a good one gives an image that passes the
 * check of those who map it, and that can be asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/policy.h"
#include "../../core/secret.h"
#include "../../tools/policy_build.h"
#include "../../tools/policy_secrets.h"
#include "../../tools/policy_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct mw_policy *image)
{
	const char *argv[] = {"sh", "-c", "id"};
	struct mw_load_view view = {MW_FROM_FILE, "posix.system"};
	struct mw_effect effect = {.op = "os.system", .target = "/bin/sh", .argv = argv, .argc = 3};
	struct mw_decision decision;

	for (int c = 0; c < MW_CLASS_COUNT; c++) {
		effect.class = (enum mw_class)c;
		mw_decide(image, &view, &effect, &decision);
		if (decision.verdict > MW_DENY || !decision.rule)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t digest[32];
	struct mw_policy_build build;
	struct mw_policy *image;
	char error[200] = "";
	size_t image_size;

	if (mw_policy_build_start(&build) < 0)
		abort();
	if (mw_policy_source(&build, "policy", (const char *)data, size, error, sizeof(error)) <
	    0) {
		if (!error[0] || strchr(error, '\n'))
			abort();
	} else if (!mw_policy_secrets_end(&build) &&
	           !mw_policy_image(&build, MW_DENY, digest, &image, &image_size)) {
		if (mw_policy_check(image, image_size) < 0)
			abort();
		ask(image);
		mw_is_secret(image, "/home/u/.ssh/id_rsa");
		free(image);
	}
	mw_policy_build_free(&build);
	return 0;
}
