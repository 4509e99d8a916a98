#include "ship.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define JOIN_MS 2000

struct mw_ship {
	const struct mw_sinks_config *config;
	const struct mw_spool_options *spool;
	struct mw_sink_context context;
	int lock; /* -1: not ours */
	struct mw_sender *senders[MW_SINKS_MAX];
	int errors[MW_SINKS_MAX]; /* why there is no sender */
};

int mw_ship_open(const struct mw_sinks_config *config, const struct mw_spool_options *spool,
                 const struct mw_sink_context *context, struct mw_ship **ret)
{
	struct mw_ship *ship = calloc(1, sizeof(*ship));

	if (!ship)
		return -ENOMEM;
	ship->config = config;
	ship->spool = spool;
	ship->context = *context;
	ship->lock = -1;
	*ret = ship;
	return 0;
}

/* Beside the spool, whose folder is ours alone. The kernel lets it go with the process. */
static int take_lock(const char *spool)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s.lock", spool) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

bool mw_ship_try(struct mw_ship *ship)
{
	bool all = true;

	if (ship->lock < 0)
		ship->lock = take_lock(ship->spool->path);
	if (ship->lock < 0) {
		ship->lock = -1;
		return false;
	}
	for (size_t i = 0; i < ship->config->count; i++) {
		if (!ship->senders[i] && ship->errors[i] != -EOPNOTSUPP)
			ship->errors[i] = mw_sender_start(&ship->config->sinks[i], ship->spool,
			                                  &ship->context, &ship->senders[i]);
		all &= !ship->errors[i] || ship->errors[i] == -EOPNOTSUPP;
	}
	return all;
}

void mw_ship_wake(struct mw_ship *ship)
{
	for (size_t i = 0; i < ship->config->count; i++)
		if (ship->senders[i])
			mw_sender_wake(ship->senders[i]);
}

void mw_ship_reopen(struct mw_ship *ship)
{
	for (size_t i = 0; i < ship->config->count; i++)
		if (ship->senders[i])
			mw_sender_reopen(ship->senders[i]);
}

bool mw_ship_idle(const struct mw_ship *ship)
{
	for (size_t i = 0; i < ship->config->count; i++)
		if (ship->senders[i] && !mw_sender_idle(ship->senders[i]))
			return false;
	return true;
}

static json_t *look_at(const struct mw_sink_config *config, struct mw_sender *sender, int error)
{
	struct mw_sender_view view = {.sent = 0};

	if (sender)
		mw_sender_look(sender, &view);
	else
		snprintf(view.why, sizeof(view.why), "%s",
		         error == -EOPNOTSUPP ? "modelwatch was built without it"
		                              : strerror(-error));
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:I}", "name", config->name, "type",
	                 mw_sink_type_name(config->type), "sent", (json_int_t)view.sent, "refused",
	                 (json_int_t)view.refused, "errors", (json_int_t)view.errors, "reason",
	                 view.reason, "why", view.why, "last_success",
	                 (json_int_t)view.last_success);
}

json_t *mw_ship_look(struct mw_ship *ship)
{
	json_t *all = json_array();

	for (size_t i = 0; all && ship->lock >= 0 && i < ship->config->count; i++)
		json_array_append_new(
		        all, look_at(&ship->config->sinks[i], ship->senders[i], ship->errors[i]));
	return all;
}

bool mw_ship_close(struct mw_ship *ship)
{
	bool all = true;

	for (size_t i = 0; i < ship->config->count; i++)
		if (ship->senders[i])
			mw_sender_stop(ship->senders[i]);
	for (size_t i = 0; i < ship->config->count; i++)
		if (ship->senders[i])
			all = mw_sender_join(ship->senders[i], JOIN_MS) && all;
	if (!all)
		return false;
	if (ship->lock >= 0)
		close(ship->lock);
	free(ship);
	return true;
}
