/* A producer of Kafka that keeps what Kafka promises: acknowledged by all replicas in sync, once
 * and in order per partition while this producer lives. */
#ifndef MW_COURIER_KAFKA_CLIENT_H
#define MW_COURIER_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "sink.h"

/* Makes one; its opaque is `context`. Delivery reports and errors go to the callbacks while it is
 * polled. Nothing waits. Returns 0 or a negative errno with a line in `why`. */
int mw_kafka_new(const struct mw_sink_config *config, void *context,
                 void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *),
                 void (*failed)(rd_kafka_t *, int error, const char *reason, void *),
                 rd_kafka_t **ret, char *why, size_t why_size);

#endif
