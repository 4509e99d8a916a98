/* librdkafka's mock cluster as a program: for the tests of Kafka's sink.
 *
 *   kafka_mock BROKERS
 *
 * The first line that it prints is the list of brokers. Then it does what it reads, a line each,
 * and prints "ok": "topic NAME PARTITIONS", "down BROKER", "up BROKER", "error CODE COUNT" (of the
 * next requests to produce), "rtt BROKER MS". It ends with its input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define PRODUCE 0 /* the API key of the protocol */

static int fail(const char *what)
{
	fprintf(stderr, "kafka_mock: %s\n", what);
	return 2;
}

static int number(const char *word)
{
	return (int)strtol(word, NULL, 10);
}

static int obey(rd_kafka_mock_cluster_t *cluster, char *line)
{
	char *words[3] = {line, "", ""}, *at = line;

	for (int i = 0; i < 3 && at; i++)
		words[i] = strsep(&at, " \n");
	if (!strcmp(words[0], "topic"))
		return rd_kafka_mock_topic_create(cluster, words[1], number(words[2]), 1);
	if (!strcmp(words[0], "down"))
		return rd_kafka_mock_broker_set_down(cluster, number(words[1]));
	if (!strcmp(words[0], "up"))
		return rd_kafka_mock_broker_set_up(cluster, number(words[1]));
	if (!strcmp(words[0], "rtt"))
		return rd_kafka_mock_broker_set_rtt(cluster, number(words[1]), number(words[2]));
	if (strcmp(words[0], "error") != 0)
		return -1;
	for (int n = number(words[2]); n > 0; n--)
		rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, number(words[1]));
	return 0;
}

int main(int argc, char **argv)
{
	char line[256], why[200];
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
	rd_kafka_mock_cluster_t *cluster =
	        kafka ? rd_kafka_mock_cluster_new(kafka, argc > 1 ? number(argv[1]) : 1) : NULL;

	if (!cluster)
		return fail("no cluster");
	puts(rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (obey(cluster, line))
			return fail("cannot do that");
		puts("ok");
		fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(kafka);
	return 0;
}
