/* Splunk's indexer acknowledges what HEC took, when it has been written, if it is asked again and
 * again. One request is waited for at a time; over several send() if need be, so that it is not
 * sent twice. */
#ifndef MW_COURIER_HTTP_ACK_H
#define MW_COURIER_HTTP_ACK_H

#include "http_client.h"

struct mw_http_ack {
	size_t count;                               /* of the items that are waited for; 0: none */
	char first[MW_UID_TEXT], last[MW_UID_TEXT]; /* between them some may have left */
	int64_t id, since;
};

/* HEC has taken the items: they are MW_SINK_RETRY again until the indexer has them, too. */
void mw_http_ack_expect(struct mw_http_ack *ack, const struct mw_http_answer *answer,
                        const char *origin, struct mw_sink_item *items, size_t count,
                        struct mw_sink_report *report);

/* How many items, from the first on, are waited for. */
size_t mw_http_ack_pending(const struct mw_http_ack *ack, const struct mw_sink_item *items,
                           size_t count);

/* Waits for them until `end` on mw_sink_clock(): MW_SINK_DONE, or told in `report`. */
void mw_http_ack_wait(struct mw_http_ack *ack, struct mw_http_client *client,
                      const struct mw_http_url *url, int stop, int64_t end,
                      struct mw_sink_item *items, struct mw_sink_report *report);

#endif
