#include "daemon_serve.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../core/clock.h"
#include "../core/words.h"
#include "daemon_metrics.h"
#include "inquiry.h"
#include "loopback.h"
#include "say.h"
#include "when.h"

#define TEXTFILE_MS 15000

struct mw_daemon_serve {
	mw_daemon_ask *ask;
	mw_daemon_turn *turn;
	void *context;
	struct mw_inquiry *control, *http;
	char listens[64];        /* where `http` does */
	char textfile[PATH_MAX]; /* "": none is written */
	int64_t next_file;       /* when it is due */
	bool said;               /* that it cannot be written */
};

/* What comes of it, or NULL when `question` is another one. */
static json_t *turn_to(struct mw_daemon_serve *serve, const char *question)
{
	struct mw_daemon_facts facts = {.started = 0};
	const char *why;
	int mode = strncmp(question, "mode ", 5) ? -EINVAL : mw_verdict_parse(question + 5);

	if (mode < MW_OBSERVE)
		return NULL;
	why = serve->turn(serve->context, (enum mw_verdict)mode);
	serve->ask(serve->context, &facts);
	return json_pack("{s:s, s:s, s:s?}", "schema", "modelwatch.mode/1", "mode",
	                 mw_verdict_name((enum mw_verdict)facts.mode), "error", why);
}

static void answer_control(void *context, const char *question, struct mw_buffer *answer)
{
	struct mw_daemon_serve *serve = context;
	struct mw_daemon_facts facts = {.started = 0};
	json_t *json;
	char *text;

	if (!strcmp(question, "status")) {
		serve->ask(serve->context, &facts);
		json = mw_daemon_status(&facts, mw_when_now());
	} else {
		json = turn_to(serve, question);
	}
	if (!json) {
		json = json_pack("{s:s, s:s}", "schema", "modelwatch.error/1", "error",
		                 "no such question");
	}
	text = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (text && mw_buffer_add(answer, text, strlen(text), MW_INQUIRY_ANSWER) >= 0)
		mw_buffer_add(answer, "\n", 1, MW_INQUIRY_ANSWER);
	free(text);
	json_decref(json);
}

static int metrics_text(struct mw_daemon_serve *serve, char **ret, size_t *ret_len)
{
	struct mw_daemon_facts facts = {.started = 0};

	serve->ask(serve->context, &facts);
	return mw_metrics_text(&facts, ret, ret_len);
}

static void answer_http(void *context, const char *question, struct mw_buffer *answer)
{
	char *text = NULL;
	size_t len = 0;

	if (metrics_text(context, &text, &len))
		return;
	mw_metrics_http(question, text, len, answer);
	free(text);
}

static void write_file(struct mw_daemon_serve *serve)
{
	char *text = NULL;
	size_t len = 0;
	int error = metrics_text(serve, &text, &len);

	if (!error)
		error = mw_metrics_file(serve->textfile, text, len);
	free(text);
	if (error && !serve->said)
		mw_say("cannot write metrics to %s: %s", serve->textfile, strerror(-error));
	serve->said = error != 0;
	serve->next_file = mw_clock_ms() + TEXTFILE_MS;
}

int mw_daemon_serve_open(const struct mw_daemon_config *config, mw_daemon_ask *ask,
                         mw_daemon_turn *turn, void *context, struct mw_daemon_serve **ret,
                         char *why, size_t why_size)
{
	struct mw_daemon_serve *serve = calloc(1, sizeof(*serve));
	const struct mw_inquiry_options options = {
	        .end = "\n", .answer = answer_control, .context = serve};
	int error = -ENOMEM;

	*ret = serve;
	if (serve) {
		serve->ask = ask;
		serve->turn = turn;
		serve->context = context;
		error = mw_inquiry_unix(config->control_socket, &options, &serve->control);
	}
	if (error)
		snprintf(why, why_size, "control socket %s: %s", config->control_socket,
		         strerror(-error));
	return error;
}

void mw_daemon_serve_close(struct mw_daemon_serve *serve)
{
	if (!serve)
		return;
	mw_inquiry_close(serve->control);
	mw_inquiry_close(serve->http);
	free(serve);
}

static int listen_there(struct mw_daemon_serve *serve, const char *where)
{
	const struct mw_inquiry_options options = {
	        .end = "\r\n\r\n", .answer = answer_http, .context = serve};
	struct sockaddr_storage address;
	socklen_t len;
	int error;

	if (serve->http && where && !strcmp(where, serve->listens))
		return 0;
	mw_inquiry_close(serve->http);
	serve->http = NULL;
	if (!where)
		return 0;
	error = mw_loopback_parse(where, &address, &len);
	if (!error)
		error = mw_inquiry_tcp((struct sockaddr *)&address, len, &options, &serve->http);
	snprintf(serve->listens, sizeof(serve->listens), "%s", where);
	return error;
}

int mw_daemon_serve_metrics(struct mw_daemon_serve *serve, const struct mw_daemon_config *config,
                            char *why, size_t why_size)
{
	const char *file = config->metrics_textfile;
	int error = listen_there(serve, config->metrics_listen);

	snprintf(serve->textfile, sizeof(serve->textfile), "%s", file ? file : "");
	serve->next_file = 0;
	serve->said = false;
	if (error)
		snprintf(why, why_size, "metrics on %s: %s", config->metrics_listen,
		         strerror(-error));
	return error;
}

void mw_daemon_serve_fds(const struct mw_daemon_serve *serve,
                         struct pollfd ret[static MW_DAEMON_SERVE_FDS])
{
	ret[0] = (struct pollfd){.fd = mw_inquiry_fd(serve->control), .events = POLLIN};
	ret[1] = (struct pollfd){.fd = serve->http ? mw_inquiry_fd(serve->http) : -1,
	                         .events = POLLIN};
}

static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

int mw_daemon_serve_patience(const struct mw_daemon_serve *serve)
{
	int64_t left = serve->next_file - mw_clock_ms();
	int ms = mw_inquiry_patience(serve->control);

	if (serve->http)
		ms = sooner(ms, mw_inquiry_patience(serve->http));
	if (serve->textfile[0])
		ms = sooner(ms, left > 0 ? (int)left : 0);
	return ms;
}

void mw_daemon_serve_poll(struct mw_daemon_serve *serve)
{
	mw_inquiry_poll(serve->control);
	if (serve->http)
		mw_inquiry_poll(serve->http);
	if (serve->textfile[0] && mw_clock_ms() >= serve->next_file)
		write_file(serve);
}
