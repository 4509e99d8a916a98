/* A compiled policy image of any bytes: what mw_policy_check() lets pass, mw_decide() reads safely.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/decide.h"
#include "../../core/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct mw_policy *image, enum mw_class class, size_t size)
{
	const char *const argv[] = {"gcc", "-o", "x", NULL};
	const struct mw_load_view load = {.origin = MW_FROM_FILE,
	                                  .unknown = size % 2 ? MW_FIELDS_OF_MONITOR : 0,
	                                  .now = 1,
	                                  .entry = "torch.load",
	                                  .artifact = "/m/x.pt",
	                                  .global = "posix.system",
	                                  .call = "posix.system"};
	const struct mw_effect effect = {.class = class,
	                                 .op = "open",
	                                 .target = class == MW_CONNECT ? "1.2.3.4:80" : "/tmp/x",
	                                 .target2 = "/tmp/y",
	                                 .argv = argv,
	                                 .argc = 3,
	                                 .facts = (uint32_t)size};
	struct mw_decision decision;

	mw_decide(image, &load, &effect, &decision);
	if (strlen(decision.rule) > size)
		abort();
	mw_decide_after(image, decision.index + 1, &load, &effect, &decision);
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
	for (int class = 0; !mw_policy_check(image, size) && class < MW_CLASS_COUNT; class ++)
		ask(image, (enum mw_class) class, size);
	if (!mw_policy_check(image, size))
		mw_is_secret(image, "/home/u/.ssh/id_rsa");
	free(image);
	return 0;
}
