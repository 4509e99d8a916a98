/* Records to Fluentd, Fluent Bit and all that speak their Forward protocol, which acknowledges. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/uuid.h"
#include "../tools/when.h"
#include "forward_link.h"
#include "gzip.h"
#include "sink_report.h"

#define CHUNK_MAX 1000000 /* bytes before compression: Fluent Bit takes 6 MB, others less */

struct secrets {
	char *key, *password; /* NULL: none */
};

struct forward {
	const struct mw_sink_config *config;
	const struct mw_sink_context *context;
	struct mw_forward_link link;
	char *hostname;
	struct secrets secrets;
	struct mw_buffer message;
};

static void free_secrets(struct secrets *secrets)
{
	mw_secret_free(secrets->key);
	mw_secret_free(secrets->password);
}

static int read_secrets(const struct mw_sink_config *config, struct secrets *ret, char *why,
                        size_t why_size)
{
	int error = 0;

	if (config->password_file && !config->user) {
		snprintf(why, why_size, "`password_file` needs a `user`");
		return -EINVAL;
	}
	if (config->shared_key_file)
		error = mw_secret_read(config->shared_key_file, &ret->key, why, why_size);
	if (!error && config->password_file)
		error = mw_secret_read(config->password_file, &ret->password, why, why_size);
	return error;
}

static void use_secrets(struct forward *f, const struct secrets *secrets)
{
	free_secrets(&f->secrets);
	f->secrets = *secrets;
	f->link.self.key = secrets->key;
	f->link.self.password = secrets->password;
}

static void forward_close(struct mw_sink *sink)
{
	struct forward *f = (struct forward *)sink;

	mw_forward_link_end(&f->link);
	free(f->link.in.data);
	free(f->hostname);
	free_secrets(&f->secrets);
	free(f->message.data);
	free(f);
}

static void forward_reopen(struct mw_sink *sink)
{
	struct forward *f = (struct forward *)sink;
	struct secrets secrets = {NULL, NULL};
	char why[MW_SINK_WHY];

	mw_forward_link_end(&f->link);
	if (read_secrets(f->config, &secrets, why, sizeof(why)))
		free_secrets(&secrets); /* what we had is better than nothing */
	else
		use_secrets(f, &secrets);
}

/* A receiver on this machine has the machine's name, and must not have ours. */
static int name_us(struct forward *f)
{
	int len = f->config->hostname ? asprintf(&f->hostname, "%s", f->config->hostname)
	                              : asprintf(&f->hostname, "modelwatch.%s", f->context->host);

	if (len >= 0)
		return 0;
	f->hostname = NULL;
	return -ENOMEM;
}

static int start(struct forward *f, char *why, size_t why_size)
{
	const struct mw_sink_config *config = f->config;
	struct secrets secrets = {NULL, NULL};
	int error = name_us(f);

	f->link = (struct mw_forward_link){
	        .link = {.address = config->address, .tls = &config->tls, .stop = f->context->stop},
	        .self = {.hostname = f->hostname, .user = config->user},
	        .timeout_ms = config->timeout_ms,
	        .is_guarded = config->shared_key_file || config->user,
	};
	if (!error)
		error = read_secrets(config, &secrets, why, why_size);
	use_secrets(f, &secrets);
	return error;
}

static int forward_open(const struct mw_sink_config *config, const struct mw_sink_context *context,
                        struct mw_sink **ret, char *why, size_t why_size)
{
	struct forward *f = calloc(1, sizeof(*f));
	int error;

	if (!f)
		return -ENOMEM;
	f->config = config;
	f->context = context;
	error = start(f, why, why_size);
	if (error) {
		forward_close((struct mw_sink *)f);
		return error;
	}
	*ret = (struct mw_sink *)f;
	return 0;
}

/* Packs as many items as one chunk holds. Returns how many, or -ENOMEM. */
static ssize_t pack_entries(struct mw_buffer *entries, const struct mw_sink_item *items,
                            size_t count)
{
	size_t n = 0;

	while (n < count) {
		size_t before = entries->len;

		if (mw_forward_entry(entries, items[n].time, items[n].json))
			return -ENOMEM;
		if (n && entries->len > CHUNK_MAX) {
			entries->len = before;
			break;
		}
		n++;
	}
	return (ssize_t)n;
}

/* The next message in `f->message`. Returns how many items it has, or -ENOMEM. */
static ssize_t pack(struct forward *f, const struct mw_sink_item *items, size_t count,
                    const char *chunk)
{
	const char *tag = f->config->tag ? f->config->tag : "modelwatch.alerts";
	struct mw_buffer entries = {0};
	ssize_t n = pack_entries(&entries, items, count);

	f->message.len = 0;
	if (n > 0 && f->config->compress && mw_gzip(&entries))
		n = -ENOMEM;
	if (n > 0 &&
	    mw_forward_message(&f->message, tag, &entries, (size_t)n, f->config->compress, chunk))
		n = -ENOMEM;
	free(entries.data);
	return n;
}

static int hear_ack(struct forward *f, const char *chunk, struct mw_sink_report *report)
{
	struct mw_forward_answer answer;
	int error = mw_forward_link_hear(&f->link, &answer, report);

	if (error)
		return error;
	if (answer.kind == MW_FORWARD_HELO)
		return mw_forward_link_wrong(&f->link, report, "auth",
		                             "the receiver wants a shared key");
	if (answer.kind != MW_FORWARD_ACK || answer.chunk.len != strlen(chunk) ||
	    memcmp(answer.chunk.s, chunk, answer.chunk.len) != 0)
		return mw_forward_link_wrong(&f->link, report, "protocol",
		                             "something else than what was sent is acknowledged");
	snprintf(report->detail, sizeof(report->detail), "chunk %s is acknowledged", chunk);
	return 0;
}

/* Sends one chunk. Returns how many items are taken, or a negative errno that `report` says. */
static ssize_t send_chunk(struct forward *f, const struct mw_sink_item *items, size_t count,
                          struct mw_sink_report *report)
{
	char chunk[MW_UUID_TEXT];
	ssize_t n;
	int error;

	mw_uuid(mw_when_now(), chunk);
	n = pack(f, items, count, f->config->ack ? chunk : NULL);
	if (n < 0) {
		mw_sink_wrong(report, "protocol", "no memory");
		return n;
	}
	error = mw_forward_link_ready(&f->link, report);
	if (error)
		return error;
	error = mw_forward_link_say(&f->link, &f->message, report);
	if (!error && f->config->ack)
		error = hear_ack(f, chunk, report);
	if (f->link.is_once)
		mw_forward_link_end(&f->link);
	return error ? error : n;
}

static void forward_send(struct mw_sink *sink, struct mw_sink_item *items, size_t count,
                         struct mw_sink_report *report)
{
	struct forward *f = (struct forward *)sink;
	ssize_t n;

	f->link.end = mw_sink_clock() + 2 * (int64_t)f->config->timeout_ms;
	while (count && mw_sink_clock() < f->link.end && !mw_sink_stopped(f->context->stop, 0)) {
		n = send_chunk(f, items, count, report);
		if (n < 0)
			return;
		for (ssize_t i = 0; i < n; i++)
			items[i].outcome = MW_SINK_DONE;
		items += n;
		count -= (size_t)n;
	}
}

const struct mw_sink_ops mw_sink_forward = {
        .wants_json = true,
        .batch = 512,
        .batch_bytes = (size_t)512 << 10,
        .open = forward_open,
        .send = forward_send,
        .reopen = forward_reopen,
        .close = forward_close,
};
