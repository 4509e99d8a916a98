#include "daemon_guard.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon_pins.h"
#include "daemon_switch.h"
#include "identity.h"
#include "installed.h"

#define PATHS 40

struct list {
	const char *path[PATHS + 1];
	char text[8][PATH_MAX + 16]; /* of those that are put together here */
	size_t count, texts;
};

static void add(struct list *list, const char *path)
{
	if (path && list->count < PATHS)
		list->path[list->count++] = path;
}

/* `first` and `second`, one behind the other. */
static void add_joined(struct list *list, const char *first, const char *second)
{
	char *text = list->text[list->texts];

	if (snprintf(text, sizeof(list->text[0]), "%s%s", first, second) <
	    (int)sizeof(list->text[0])) {
		add(list, text);
		list->texts++;
	}
}

static void add_programs(struct list *list)
{
	char *courier = list->text[list->texts];

	add(list, "/proc/self/exe");
	if (mw_installed("modelwatch-courier", courier) == 0) {
		list->texts++;
		add(list, courier);
	}
}

static void add_config(struct list *list, const char *config, const char *here)
{
	char path[PATH_MAX];
	bool whole = config && *config == '/';

	if (!config || snprintf(path, sizeof(path), "%s%s%s", whole ? "" : here, whole ? "" : "/",
	                        config) >= (int)sizeof(path))
		return;
	add_joined(list, path, "");
	*strrchr(path, '/') = '\0';
	add_joined(list, path, "/conf.d");
}

static void add_policies(struct list *list, const json_t *policies)
{
	const json_t *policy;
	size_t i;

	json_array_foreach(policies, i, policy)
	{
		add(list, json_string_value(policy));
	}
}

static void add_spool(struct list *list, const json_t *sinks)
{
	const char *path =
	        json_string_value(json_object_get(json_object_get(sinks, "spool"), "path"));

	if (!path)
		return;
	add(list, path);
	add_joined(list, path, "-wal");
	add_joined(list, path, "-shm");
}

/* Of version 2: whoever may write there can stop or end all that is in it. */
static void add_group(struct list *list)
{
	char text[4096];
	const char *line = text;

	if (!mw_proc_read(0, "cgroup", text, sizeof(text)))
		return;
	while (line && strncmp(line, "0::", 3) != 0) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (!line || strncmp(line, "0::/\n", 5) == 0)
		return;
	text[(line - text) + (long)strcspn(line, "\n")] = '\0';
	add_joined(list, "/sys/fs/cgroup", line + 3);
}

void mw_daemon_guard(struct mw_engine *engine, const struct mw_daemon_options *options,
                     const struct mw_daemon_setup *setup, const char *here)
{
	struct list list = {.count = 0};

	if (setup->mode < MW_DENY)
		return;
	mkdir(MW_SYSCONFDIR "/modelwatch", 0755); /* where MW_DAEMON_SWITCH would be made */
	add(&list, MW_SYSCONFDIR "/modelwatch");
	add(&list, MW_DAEMON_RUN);
	add(&list, "/var/lib/modelwatch");
	add(&list, "/var/log/modelwatch");
	add(&list, MW_PINS);
	add(&list, setup->config.control_socket);
	add(&list, setup->alerts[0] ? setup->alerts : NULL);
	add_programs(&list);
	add_config(&list, options->config, here);
	add_policies(&list, setup->config.policies);
	add_spool(&list, setup->config.sinks);
	add_group(&list);
	mw_engine_guard(engine, list.path);
}
