/* What the answers of receivers of HTTP say of the items that were sent. Pure; every byte of an
 * answer is hostile. */
#ifndef MW_COURIER_HTTP_ANSWER_H
#define MW_COURIER_HTTP_ANSWER_H

#include "sink.h"

struct mw_http_answer {
	long status;
	int64_t retry_after_ms; /* what it asks for; 0: nothing */
	const char *body;       /* `len` bytes, and a NUL */
	size_t len;
};

enum mw_http_verdict {
	MW_HTTP_SAID,  /* each item has its outcome */
	MW_HTTP_HALVE, /* not as one: too large, or one of them will never be taken */
};

/* Sets the outcomes of the `count` > 0 items that one request of this kind had. Tells in `report`
 * what is wrong with the first that was not taken, beginning with `origin`; else, in its detail,
 * what was said. */
enum mw_http_verdict mw_http_judge(enum mw_http_body body, const char *origin,
                                   const struct mw_http_answer *answer, struct mw_sink_item *items,
                                   size_t count, struct mw_sink_report *report);

/* The number under which Splunk's indexer will acknowledge a request that HEC took, or -ENOENT. */
int64_t mw_http_ack_id(const struct mw_http_answer *answer);

/* Whether it has: 1, 0 not yet, or -EBADMSG. */
int mw_http_acked(const struct mw_http_answer *answer, int64_t id);

#endif
