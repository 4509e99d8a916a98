/* What any user may say to the daemon: whatever it is, what is made of it is an alert of ours
 * within our bounds, and says nothing that only the daemon may say. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/daemon_message.h"

#define DUMP_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(const struct mw_message *message)
{
	static const char *const ours[] = {"id",  "time",      "process", "user",    "host",
	                                   "job", "container", "update",  "reporter"};
	size_t len = json_dumpb(message->alert, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (!len || len > DUMP_MAX || message->pid <= 0 || strlen(message->id) != 36)
		abort();
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (json_object_get(message->alert, ours[i]))
			abort();
	if (message->sensors & 1u << MW_KERNEL || !message->sensors ||
	    message->class >= MW_CLASS_COUNT || message->outcome >= MW_OUTCOME_COUNT)
		abort();
	for (size_t i = 0; i < message->target_count; i++)
		if (!*message->target[i])
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_message message;

	if (mw_message_read((const char *)data, size, &message))
		return 0;
	if (message.kind == MW_SAYS_REPORT)
		check_report(&message);
	else if (message.alert)
		abort();
	mw_message_free(&message);
	return 0;
}
