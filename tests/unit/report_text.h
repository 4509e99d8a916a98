/* What a reporter sends, with what the tests change in it. */
#ifndef MW_TESTS_REPORT_TEXT_H
#define MW_TESTS_REPORT_TEXT_H

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>

/* Valid until the next call. */
static inline const char *report_text(int id, pid_t pid, const char *class, const char *op,
                                      const char *path, const char *outcome, const char *sensor)
{
	static char text[4096];

	snprintf(text, sizeof(text),
	         "{\"schema\":\"modelwatch.alert/1\",\"id\":\"00000000-0000-7000-8000-%012x\","
	         "\"update\":0,\"time\":\"2026-01-01T00:00:00.000000000Z\",\"rule\":\"r\","
	         "\"title\":\"t\",\"severity\":\"low\",\"effect\":{\"class\":\"%s\",\"detail\":"
	         "{\"op\":\"%s\",\"path\":\"%s\",\"facts\":[]}},\"verdict\":\"deny\","
	         "\"requested\":\"deny\",\"mode\":\"deny\",\"outcome\":\"%s\",\"sensor\":\"%s\","
	         "\"seen_by\":[\"%s\"],\"evasion\":false,\"cause\":\"call\",\"load\":{\"artifact\":"
	         "{\"digest_state\":\"done\"}},\"python_stack\":[],\"native_stack\":[],"
	         "\"process\":{\"pid\":%d,\"exe\":\"/forged/exe\"},\"user\":{\"uid\":4242},"
	         "\"host\":{\"name\":\"forged-host\"},\"policy\":{\"rule\":\"r\"},"
	         "\"labels\":{},\"count\":1}\n",
	         (unsigned int)id, class, op, path, outcome, sensor, sensor, (int)pid);
	return text;
}

#endif
