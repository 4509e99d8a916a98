#include "kafka_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../core/glob.h"

struct setting {
	const char *name, *value; /* NULL: not set */
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, char *why,
               size_t why_size)
{
	char error[200];

	if (!value ||
	    rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
		return 0;
	snprintf(why, why_size, "kafka: %s: %s", name, error);
	return -EINVAL;
}

/* What delivery and its safety rest on, what other keys say, what loads or runs programs, and
 * secrets, which are in files. */
static const char ours[] =
        "acks\0request.required.acks\0enable.idempotence\0enable.gapless.guarantee\0"
        "message.timeout.ms\0delivery.timeout.ms\0delivery.report.only.error\0"
        "transactional.id\0transaction.timeout.ms\0"
        "bootstrap.servers\0metadata.broker.list\0"
        "ssl.*\0enable.ssl.*\0enable.sasl.*\0https.*\0"
        "sasl.username\0sasl.password\0sasl.oauthbearer.*\0"
        "plugin.*\0sasl.kerberos.kinit.cmd\0";

static const char not_ours[] = "ssl.cipher.suites\0ssl.crl.location\0ssl.curves.list\0"
                               "ssl.sigalgs.list\0";

/* Of protocols only those that keep TLS, where there is to be TLS, and the password. librdkafka
 * knows properties of topics under two names. */
static bool is_allowed(const struct mw_sink_config *config, const char *name, const char *text)
{
	const char *bare = strncmp(name, "topic.", 6) ? name : name + 6;

	if (!strcmp(bare, "security.protocol") && config->tls.on)
		return !strcasecmp(text, "sasl_ssl") || (!config->user && !strcasecmp(text, "ssl"));
	return !mw_glob_any(ours, bare) || mw_glob_any(not_ours, bare);
}

static int set_given(rd_kafka_conf_t *conf, const struct mw_sink_config *config, char *why,
                     size_t why_size)
{
	const char *name;
	json_t *value;

	json_object_foreach(config->properties, name, value)
	{
		const char *text = json_string_value(value);

		if (!text || !is_allowed(config, name, text)) {
			snprintf(why, why_size, "`properties`: '%.64s' cannot be set", name);
			return -EINVAL;
		}
		if (set(conf, name, text, why, why_size))
			return -EINVAL;
	}
	return 0;
}

static int set_all(rd_kafka_conf_t *conf, const struct mw_sink_config *config, const char *password,
                   char *why, size_t why_size)
{
	const struct mw_sink_tls *tls = &config->tls;
	char timeout[16];
	const struct setting settings[] = {
	        {"client.id", "modelwatch"},
	        {"bootstrap.servers", config->brokers},
	        {"acks", "all"},
	        {"enable.idempotence", "true"},
	        {"message.timeout.ms", timeout},
	        {"message.max.bytes", "10000000"}, /* the broker has the last word */
	        {"linger.ms", "0"},
	        {"security.protocol", config->user ? "sasl_ssl"
	                              : tls->on    ? "ssl"
	                                           : NULL},
	        {"ssl.endpoint.identification.algorithm", tls->on ? "https" : NULL},
	        {"ssl.ca.location", tls->ca},
	        {"ssl.certificate.location", tls->cert},
	        {"ssl.key.location", tls->key},
	        {"sasl.mechanisms", config->user ? "PLAIN" : NULL},
	        {"sasl.username", config->user},
	        {"sasl.password", password},
	};

	snprintf(timeout, sizeof(timeout), "%d", config->timeout_ms);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (set(conf, settings[i].name, settings[i].value, why, why_size))
			return -EINVAL;
	return set_given(conf, config, why, why_size);
}

/* librdkafka would write to stderr. */
static void say_nothing(const rd_kafka_t *kafka, int level, const char *what, const char *text)
{
	(void)kafka;
	(void)level;
	(void)what;
	(void)text;
}

static const char *complaint(const struct mw_sink_config *config)
{
	if (config->tls.server_name)
		return "kafka: `server_name` is not for it: brokers have names of their own";
	if (config->user && !config->tls.on)
		return "kafka: `user` needs `tls`";
	return !config->user != !config->password_file
	               ? "kafka: `user` and `password_file` go together"
	               : NULL;
}

static int configure(rd_kafka_conf_t *conf, const struct mw_sink_config *config, char *why,
                     size_t why_size)
{
	const char *wrong = complaint(config);
	char *password = NULL;
	int error = 0;

	if (wrong) {
		snprintf(why, why_size, "%s", wrong);
		return -EINVAL;
	}
	if (config->password_file)
		error = mw_secret_read(config->password_file, &password, why, why_size);
	if (!error)
		error = set_all(conf, config, password, why, why_size);
	mw_secret_free(password);
	return error;
}

int mw_kafka_new(const struct mw_sink_config *config, void *context,
                 void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *),
                 void (*failed)(rd_kafka_t *, int error, const char *reason, void *),
                 rd_kafka_t **ret, char *why, size_t why_size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];
	int error = configure(conf, config, why, why_size);

	if (error)
		goto fail;
	rd_kafka_conf_set_opaque(conf, context);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_conf_set_error_cb(conf, failed);
	rd_kafka_conf_set_log_cb(conf, say_nothing);
	*ret = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (*ret)
		return 0;
	snprintf(why, why_size, "kafka: %s", text);
	error = -EINVAL;
fail:
	rd_kafka_conf_destroy(conf);
	return error;
}
