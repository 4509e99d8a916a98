/* What the kernel tells the inventory of a load, with any bytes in it: what passes the check
 * becomes a record, whose texts lie within it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/daemon_begun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct mw_str text)
{
	static volatile char last;

	for (uint32_t i = 0; i < text.len; i++)
		last = text.s[i];
	(void)last;
}

/* No process of this machine is looked into: there is none of that number. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t fixed = offsetof(struct mw_k_begun, strings);
	static struct mw_daemon_begun *got;
	struct mw_k_begun *begun;

	if (size > sizeof(*begun))
		return 0;
	if (!got)
		got = calloc(1, sizeof(*got));
	begun = malloc(sizeof(*begun));
	if (!got || !begun)
		abort();
	memset(begun, 0, sizeof(*begun));
	memcpy(begun, data, size);
	if (size >= fixed) {
		begun->head.kind = MW_K_BEGUN;
		begun->head.tgid = 1u << 30;
		begun->load |= 1;
		begun->entry %= MW_K_ENTRY_COUNT;
	}
	if (!mw_k_check_begun(begun, size) && mw_daemon_begun(got, begun)) {
		touch(got->record.load.path);
		touch(got->record.load.entry);
	}
	free(begun);
	return 0;
}
