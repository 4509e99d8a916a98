/* Records to a topic of Kafka. The key is the finding's id, so that its updates stay in order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka_client.h"
#include "sink_report.h"

#define POLL_MS 50 /* how soon `stop` is seen */

struct kafka {
	const struct mw_sink_config *config;
	const struct mw_sink_context *context;
	rd_kafka_t *producer; /* NULL: to be made anew */
	size_t waiting;
	struct mw_sink_report *report;
	char trouble[160]; /* the last that librdkafka says, in this send() */
};

/* What a record can be refused for. */
static bool is_dead(rd_kafka_resp_err_t error)
{
	return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
	       error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
	       error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
	       error == RD_KAFKA_RESP_ERR_INVALID_RECORD || error == RD_KAFKA_RESP_ERR__BAD_MSG;
}

static const char *reason_of(rd_kafka_resp_err_t error)
{
	switch (error) {
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
		return "timeout";
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		return "auth";
	case RD_KAFKA_RESP_ERR__SSL:
		return "tls";
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__RESOLVE:
		return "connect";
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		return "busy";
	default:
		return is_dead(error) ? "refused" : "protocol";
	}
}

/* The first counts. Brokers have chosen some of the words of librdkafka. */
static void tell(struct kafka *k, rd_kafka_resp_err_t error)
{
	char ours[100];

	if (k->report->reason)
		return;
	snprintf(ours, sizeof(ours), "kafka: %s", rd_kafka_err2str(error));
	mw_sink_wrong_quoted(k->report, reason_of(error), ours, k->trouble, strlen(k->trouble));
}

static void settle(struct kafka *k, struct mw_sink_item *item, rd_kafka_resp_err_t error)
{
	if (error)
		tell(k, error);
	if (error && is_dead(error))
		mw_sink_refuse(item, rd_kafka_err2str(error));
	else
		item->outcome = error ? MW_SINK_RETRY : MW_SINK_DONE;
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context)
{
	struct kafka *k = context;

	(void)producer;
	k->waiting--;
	settle(k, message->_private, message->err);
	if (!message->err)
		snprintf(k->report->detail, sizeof(k->report->detail),
		         "%s, partition %d, offset %lld, by all replicas in sync", k->config->topic,
		         (int)message->partition, (long long)message->offset);
}

static void failed(rd_kafka_t *producer, int error, const char *reason, void *context)
{
	struct kafka *k = context;

	(void)producer;
	(void)error;
	snprintf(k->trouble, sizeof(k->trouble), "%s", reason);
}

/* What is still on its way is given up with it; nothing of that is reported any more. */
static void forget(struct kafka *k)
{
	if (k->producer)
		rd_kafka_destroy(k->producer);
	k->producer = NULL;
}

static void kafka_close(struct mw_sink *sink)
{
	struct kafka *k = (struct kafka *)sink;

	forget(k);
	free(k);
}

static int kafka_open(const struct mw_sink_config *config, const struct mw_sink_context *context,
                      struct mw_sink **ret, char *why, size_t why_size)
{
	struct kafka *k = calloc(1, sizeof(*k));
	int error;

	if (!k)
		return -ENOMEM;
	k->config = config;
	k->context = context;
	error = mw_kafka_new(config, k, delivered, failed, &k->producer, why, why_size);
	if (error) {
		free(k);
		return error;
	}
	*ret = (struct mw_sink *)k;
	return 0;
}

static void produce(struct kafka *k, struct mw_sink_item *item)
{
	const char *key = *item->id ? item->id : k->context->host;
	rd_kafka_resp_err_t error = rd_kafka_producev(
	        k->producer, RD_KAFKA_V_TOPIC(k->config->topic),
	        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, strlen(key)),
	        RD_KAFKA_V_VALUE(item->text, item->len),
	        RD_KAFKA_V_HEADER("uid", item->emission.uid, -1), RD_KAFKA_V_OPAQUE(item),
	        RD_KAFKA_V_END);

	if (error)
		settle(k, item, error);
	else
		k->waiting++;
}

static void wait_for_reports(struct kafka *k, int64_t end)
{
	while (k->waiting && mw_sink_clock() < end && !mw_sink_stopped(k->context->stop, 0))
		rd_kafka_poll(k->producer, POLL_MS);
}

static void kafka_send(struct mw_sink *sink, struct mw_sink_item *items, size_t count,
                       struct mw_sink_report *report)
{
	struct kafka *k = (struct kafka *)sink;
	int64_t end = mw_sink_clock() + 2 * (int64_t)k->config->timeout_ms;
	char text[8];

	k->report = report;
	k->waiting = 0;
	k->trouble[0] = '\0';
	if (!k->producer && mw_kafka_new(k->config, k, delivered, failed, &k->producer, report->why,
	                                 sizeof(report->why))) {
		report->reason = "protocol";
		return;
	}
	for (size_t i = 0; i < count; i++)
		produce(k, &items[i]);
	wait_for_reports(k, end);
	if (k->waiting)
		tell(k, RD_KAFKA_RESP_ERR__TIMED_OUT);
	if (k->waiting || rd_kafka_fatal_error(k->producer, text, sizeof(text)))
		forget(k);
}

static void kafka_reopen(struct mw_sink *sink)
{
	forget((struct kafka *)sink);
}

const struct mw_sink_ops mw_sink_kafka = {
        .batch = 512,
        .batch_bytes = (size_t)1 << 20,
        .open = kafka_open,
        .send = kafka_send,
        .reopen = kafka_reopen,
        .close = kafka_close,
};
