/* Any bytes as the head of a HTTP request: there is one whole answer, and metrics are in it only
 * when they were asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/daemon_metrics.h"
#include "../../tools/inquiry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char metrics[] = "THE METRICS\n";

static void check(const char *request, const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || !body)
		abort();
	if (strstr(body, metrics) && strncmp(request, "GET /metrics", 12) != 0)
		abort();
	if (!strncmp(answer + 9, "200", 3) && !strstr(request, " /metrics"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_buffer answer = {0};
	char request[MW_INQUIRY_ASKED];

	if (size >= sizeof(request) || memchr(data, 0, size))
		return 0;
	memcpy(request, data, size);
	request[size] = '\0';
	mw_metrics_http(request, metrics, strlen(metrics), &answer);
	if (mw_buffer_add(&answer, "", 1, MW_INQUIRY_ANSWER) < 0)
		abort();
	check(request, answer.data);
	free(answer.data);
	return 0;
}
