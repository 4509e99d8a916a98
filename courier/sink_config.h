/* What the configuration says of sinks and of the spool. docs/man/modelwatch-sinks.5 has the keys.
 */
#ifndef MW_COURIER_SINK_CONFIG_H
#define MW_COURIER_SINK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "../core/words.h"
#include "format.h"

#define MW_SINKS_MAX 32

enum mw_sink_type {
	MW_SINK_FILE,
	MW_SINK_STDOUT,
	MW_SINK_JOURNALD,
	MW_SINK_SYSLOG,
	MW_SINK_RELP,
	MW_SINK_FORWARD,
	MW_SINK_HTTP,
	MW_SINK_KAFKA,
	MW_SINK_TYPES
};

/* "file", "stdout" and so on. The number of a name, or -EINVAL. */
const char *mw_sink_type_name(enum mw_sink_type type);
int mw_sink_type_of(const char *name);

/* What sinks of a type can send, as bits of 1 << enum mw_format, and what they send, cut down to
 * how many bytes a record (0: never), when nothing is said. */
struct mw_sink_kind {
	const char *name;
	unsigned int formats;
	enum mw_format format;
	size_t max;
};
const struct mw_sink_kind *mw_sink_kind(enum mw_sink_type type);

struct mw_sink_tls {
	bool on;
	char *ca, *cert, *key; /* PEM files; `ca` NULL: the system's */
	char *server_name;     /* that the certificate has to name; NULL: the address's */
};

enum mw_http_body { MW_HTTP_WEBHOOK, MW_HTTP_HEC, MW_HTTP_ELASTIC, MW_HTTP_OTLP };

/* Texts are owned; NULL where nothing is said. Secrets are read from files when a sink is opened:
 * no text of the configuration is one. */
struct mw_sink_config {
	char *name; /* letters, digits, '-' and '_', at most 63 */
	enum mw_sink_type type;
	enum mw_format format;
	enum mw_ocsf ocsf;
	size_t max;                /* of a record, bytes; 0: all */
	enum mw_severity severity; /* the least that is sent */
	json_t *rules;             /* patterns of names, or NULL: of all */
	bool observe;              /* also what was only to be observed */
	bool inventory;            /* also which loads there were */
	bool heartbeat;            /* also that we are there; true */
	int timeout_ms;            /* of one wait, 10 s */

	char *path;             /* file: with the words of mw_expand() */
	uint64_t rotate_bytes;  /* file: 0: never */
	int rotate_keep;        /* file: how many older ones */
	char *address;          /* syslog, relp, forward */
	struct mw_sink_tls tls; /* syslog, relp, forward, http, kafka */
	int facility;           /* syslog, relp: 13 (audit) */
	char *app_name;         /* syslog, relp, journald: "modelwatch" */
	char *tag;              /* forward: "modelwatch.alerts" */
	char *shared_key_file;  /* forward */
	char *hostname;         /* forward: how we call ourselves; the host's name */
	char *user;             /* forward, http (basic), kafka (SASL) */
	char *password_file;    /* ... and its password */
	bool ack;               /* forward: ask for acknowledgements; true */
	bool compress;          /* forward, http: gzip */
	char *url;              /* http */
	enum mw_http_body body; /* http */
	char *token_file;       /* http: HEC's token, or a bearer's */
	json_t *headers;        /* http: an object of strings, or NULL */
	char *index;            /* http: Elastic's data stream, HEC's index */
	bool indexer_ack;       /* http: HEC waits for the indexer */
	char *brokers, *topic;  /* kafka */
	json_t *properties;     /* kafka: of librdkafka, an object of strings, or NULL */
};

struct mw_spool_config {
	char *path; /* NULL: the default of who we are */
	uint64_t max_bytes;
	uint64_t max_age_ms, keep_ms, window_ms, window_max_ms;
	uint32_t per_rule_minute, per_artifact_minute;
	uint64_t flush_ms;     /* how long a run waits at its end for the sinks */
	uint64_t heartbeat_ms; /* how often a daemon says that it is there; 0: never */
};

struct mw_sinks_config {
	struct mw_sink_config *sinks; /* `count`, owned */
	size_t count;
	struct mw_spool_config spool;
};

/* Configurations are JSON until they are read: {"sinks": {NAME: {KEY: VALUE}}, "spool": {KEY:
 * VALUE}}, every value a string, a list of them or an object of them, as the YAML says it.
 * mw_sinks_json() makes an empty one; NULL when there is no memory. */
json_t *mw_sinks_json(void);

/* Whether a configuration names any sink. */
bool mw_sinks_any(const json_t *config);

/* Whether any of them is to get inventory records. */
bool mw_sinks_inventory(const json_t *config);

/* Puts what `from` says over `into`: a sink of a name that is there is replaced whole, of the spool
 * each key. Returns 0 or -ENOMEM. */
int mw_sinks_merge(json_t *into, const json_t *from);

struct mw_source;

/* Reads the value of `sinks:` and of `spool:` at the current event, checks it, and puts it over
 * `into`. Returns 0 or a negative errno, said by mw_source_complain(). */
int mw_sinks_take_sinks(struct mw_source *s, json_t *into);
int mw_sinks_take_spool(struct mw_source *s, json_t *into);

/* Reads a configuration. Returns 0, or a negative errno with a line in `why`. Free in either case.
 */
int mw_sinks_read(const json_t *config, struct mw_sinks_config *ret, char *why, size_t why_size);
void mw_sinks_free(struct mw_sinks_config *config);

/* The text of a file that holds a secret, without the newline at its end, at most 4096 bytes; the
 * caller frees it with mw_secret_free(), which wipes it. A file that everybody can read is refused:
 * -EACCES. Returns 0 or a negative errno, with a line in `why`. */
int mw_secret_read(const char *path, char **ret, char *why, size_t why_size);
void mw_secret_free(char *secret);

#endif
