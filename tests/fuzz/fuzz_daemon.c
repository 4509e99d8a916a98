/* An event of the kernel with any bytes in it: what passes the check is judged, and every text that
 * comes of it ends. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/daemon_check.h"
#include "../../tools/daemon_judge.h"
#include "../unit/policy_of.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mw_daemon_judge *judges[2]; /* one that only tells, and one that refuses */

static struct mw_daemon_judge *open_judge(enum mw_verdict most)
{
	static const char text[] = "version: 1\nsecrets: ['/etc/**']\n"
	                           "rules: [{name: all, verdict: deny}]\n";
	struct mw_alert_options alert_options = {.quiet = true, .mode = most};
	struct mw_daemon_judge_options options = {.most = most};
	struct mw_daemon_judge *judge;
	char error[300];
	size_t size;

	options.policy = policy_of(text, sizeof(text) - 1, MW_BUILT_IN, most, &size, error);
	if (!options.policy || mw_alerts_open(&alert_options, &options.alerts) ||
	    mw_daemon_judge_open(&options, &judge))
		abort();
	return judge;
}

/* Most bytes of an event are zero, so the input says where to put which of its bytes: an offset of
 * three bytes, a length, and that many. */
static void patch(uint8_t *event, size_t event_size, const uint8_t *data, size_t size)
{
	while (size >= 4) {
		size_t at = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % event_size;
		size_t len = data[3];

		data += 4;
		size -= 4;
		if (len > size)
			len = size;
		if (len > event_size - at)
			len = event_size - at;
		memcpy(event + at, data, len);
		data += len;
		size -= len;
	}
}

/* No process of this machine is looked into: there is none of that number. */
static void make_sane(struct mw_k_effect *e)
{
	e->head.kind = e->head.kind & 1 ? MW_K_EFFECT : MW_K_BIRTH;
	e->head.tgid = 1u << 30;
	e->hook %= MW_K_HOOKS;
	e->depth %= MW_K_LOADS + 1;
	e->frame_count %= MW_K_FRAMES + 1;
	e->global_count %= MW_K_GLOBALS + 1;
	for (uint32_t i = 0; i < e->depth; i++) {
		e->load[i].id |= 1;
		e->load[i].entry %= MW_K_ENTRY_COUNT;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mw_k_effect e;
	static uint8_t stack[MW_K_STACK];
	struct mw_daemon_event event = {&e, stack, stack};
	char path[64];

	if (!judges[0]) {
		judges[0] = open_judge(MW_ALERT);
		judges[1] = open_judge(MW_DENY);
	}
	if (!size)
		return 0;
	memset(&e, 0, sizeof(e));
	patch((uint8_t *)&e, sizeof(e), data + 1, size - 1);
	if (*data & 1)
		make_sane(&e);
	if (mw_k_check(&e, sizeof(e)))
		return 0;
	if (mw_k_path(&e, &e.file, path, sizeof(path)) != (path[0] != '\0') ||
	    !memchr(path, 0, sizeof(path)))
		abort();
	mw_daemon_judge_event(judges[*data >> 1 & 1], &event);
	return 0;
}
