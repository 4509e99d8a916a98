/* A compiled policy image of any bytes: what mw_policy_check() lets pass, decide() reads safely. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/policy.h"
#include "../../core/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const argv[] = {"gcc", "-o", "x", NULL};
	const struct mw_load_view load = {MW_FROM_FILE, "posix.system"};
	struct mw_policy *image = malloc(size ? size : 1);
	struct mw_decision decision;

	if (!image)
		return 0;
	memcpy(image, data, size);
	if (size >= sizeof(*image)) { /* so that more than the size field is put to the test */
		image->magic = MW_POLICY_MAGIC;
		image->version = MW_POLICY_VERSION;
		image->size = (uint32_t)size;
	}
	for (int class = 0; !mw_policy_check(image, size) && class < MW_CLASS_COUNT; class ++) {
		const struct mw_effect effect = {.class = (enum mw_class) class,
		                                 .op = "open",
		                                 .target = "/tmp/x",
		                                 .target2 = "/tmp/y",
		                                 .argv = argv,
		                                 .argc = 3,
		                                 .facts = (uint32_t)size};

		mw_decide(image, &load, &effect, &decision);
		if (strlen(decision.rule) > size)
			abort();
	}
	if (!mw_policy_check(image, size))
		mw_is_secret(image, "/home/u/.ssh/id_rsa");
	free(image);
	return 0;
}
