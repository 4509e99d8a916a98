#include "uuid.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void mw_uuid(int64_t when, char ret[static MW_UUID_TEXT])
{
	uint64_t ms = (uint64_t)(when / 1000000);
	uint8_t r[10] = {0};

	if (getrandom(r, sizeof(r), GRND_NONBLOCK) < 0)
		memcpy(r, &when, sizeof(when));
	snprintf(ret, MW_UUID_TEXT, "%08x-%04x-7%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	         (unsigned)(ms >> 16) & 0xffffffff, (unsigned)(ms & 0xffff), r[0] & 0xf, r[1],
	         0x80 | (r[2] & 0x3f), r[3], r[4], r[5], r[6], r[7], r[8], r[9]);
}
