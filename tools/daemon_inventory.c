#include "daemon_inventory.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"
#include "alert_parts.h"
#include "buffer.h"
#include "daemon_inventory_page.h"
#include "helper.h"
#include "inventory.h"
#include "inventory_json.h"
#include "lines.h"

#define RETRY_MS 1000
#define AVOID_MS 600000 /* what has hung is left alone so long */
#define FINISH_MS 3000
#define BEGUN_MAX ((size_t)2 * MW_INVENTORY_OPEN) /* more than a process of ours would have */

struct mw_daemon_inventory {
	struct mw_daemon_inventory_options options;
	struct policy {
		char digest[80];
		json_t *labels;
	} policy, next; /* of the process that runs, and of one that is started */
	int64_t leaves; /* ms: it has been asked to end, and is killed then; 0: it has not */
	struct mw_helper helper;
	struct mw_helpers_left left; /* those before it, which may be hanging still */
	struct mw_inventory_page *page;
	int page_fd;
	bool on;
	int64_t again; /* ms: not to be started before */
	int64_t until[MW_INVENTORY_AVOIDED];
	json_t *begun; /* records that are not finished, by their id */
	struct mw_buffer heard;
	uint64_t told;          /* loads in the records of this process, finished or not */
	uint64_t records, hung; /* in all */
	uint64_t lost;          /* by the processes before this one */
};

static int open_page(struct mw_daemon_inventory *inventory)
{
	void *page;

	inventory->page_fd = memfd_create("modelwatch-inventory", MFD_CLOEXEC);
	if (inventory->page_fd < 0 || ftruncate(inventory->page_fd, sizeof(*inventory->page)) < 0)
		return -errno;
	page = mmap(NULL, sizeof(*inventory->page), PROT_READ | PROT_WRITE, MAP_SHARED,
	            inventory->page_fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	inventory->page = page;
	return 0;
}

int mw_daemon_inventory_open(const struct mw_daemon_inventory_options *options,
                             struct mw_daemon_inventory **ret)
{
	struct mw_daemon_inventory *inventory = calloc(1, sizeof(*inventory));
	int error;

	if (!inventory)
		return -ENOMEM;
	inventory->options = *options;
	inventory->helper = (struct mw_helper){.pidfd = -1, .fd = -1};
	inventory->page_fd = -1;
	inventory->begun = json_object();
	error = inventory->begun ? open_page(inventory) : -ENOMEM;
	if (error) {
		mw_daemon_inventory_close(inventory);
		return error;
	}
	*ret = inventory;
	return 0;
}

/* It tells what it has and ends. What comes meanwhile waits for the next one. */
static void ask_to_end(struct mw_daemon_inventory *inventory)
{
	if (inventory->helper.fd < 0 || inventory->leaves)
		return;
	shutdown(inventory->helper.fd, SHUT_WR);
	inventory->leaves = mw_clock_ms() + FINISH_MS;
	inventory->again = 0;
}

static void set_policy(struct policy *to, const char *digest, json_t *labels)
{
	json_incref(labels);
	json_decref(to->labels);
	to->labels = labels;
	snprintf(to->digest, sizeof(to->digest), "%s", digest);
}

void mw_daemon_inventory_policy(struct mw_daemon_inventory *inventory, const char *digest,
                                json_t *labels)
{
	bool same = !strcmp(inventory->next.digest, digest) &&
	            json_equal(inventory->next.labels, labels);

	set_policy(&inventory->next, digest, labels);
	if (!same)
		ask_to_end(inventory);
}

/* It runs what we run, whatever has been installed in our place since. */
static void start(struct mw_daemon_inventory *inventory)
{
	const int fds[] = {inventory->page_fd,
	                   mw_engine_tell_loads(inventory->options.engine, true)};
	struct mw_inventory_page *page = inventory->page;

	page->loads = page->skipped = page->lost = 0;
	page->at = MW_AT_NOTHING;
	page->hangs = 0;
	inventory->told = 0;
	inventory->heard.len = 0;
	inventory->leaves = 0;
	inventory->again = mw_clock_ms() + RETRY_MS;
	set_policy(&inventory->policy, inventory->next.digest, inventory->next.labels);
	mw_helper_start(&inventory->helper, "/proc/self/exe", MW_INVENTORY_NAME, -1, fds, 2);
}

int mw_daemon_inventory_fd(const struct mw_daemon_inventory *inventory)
{
	return inventory->helper.fd;
}

static uint64_t lost_now(const struct mw_daemon_inventory *inventory)
{
	return inventory->helper.pid ? atomic_load(&inventory->page->lost) : 0;
}

void mw_daemon_inventory_view(const struct mw_daemon_inventory *inventory,
                              struct mw_engine_view *view)
{
	view->inventory_records = inventory->records;
	view->inventory_hung = inventory->hung;
	view->inventory_lost += inventory->lost + lost_now(inventory);
}

/* It has been told of the policy by nobody. */
static void write_record(struct mw_daemon_inventory *inventory, json_t *record)
{
	char *line;
	size_t len;

	mw_engine_name(inventory->options.engine, record);
	json_object_set_new(record, "policy",
	                    json_pack("{s:s}", "digest", inventory->policy.digest));
	json_object_set(record, "labels", inventory->policy.labels);
	line = json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII);
	inventory->lost += !line;
	if (!line)
		return;
	len = strlen(line);
	line[len] = '\n'; /* in the place of the NUL */
	inventory->options.write(inventory->options.context, line, len + 1);
	inventory->records++;
	free(line);
}

/* A process that had gone by then may be known to us. */
static void identify(struct mw_daemon_inventory *inventory, json_t *record, const json_t *said)
{
	json_t *process = json_object_get(record, "process"), *who;
	const char *comm = json_string_value(json_object_get(process, "comm"));
	const struct mw_identity_hint hint = {
	        .pid = (pid_t)json_integer_value(json_object_get(process, "pid")),
	        .tid = (pid_t)json_integer_value(json_object_get(process, "tid")),
	        .start_ns = (uint64_t)json_integer_value(json_object_get(said, "start")),
	        .cgroup = (uint64_t)json_integer_value(json_object_get(said, "cgroup")),
	        .uid = (uint32_t)json_integer_value(json_object_get(said, "uid")),
	        .comm = comm,
	};

	if (json_is_string(json_object_get(process, "exe")) || !hint.start_ns)
		return;
	who = mw_engine_who(inventory->options.engine, &hint);
	if (who)
		json_object_update(record, who);
	json_decref(who);
}

/* Of the load, or of what was found out about its file since. */
static void keep(struct mw_daemon_inventory *inventory, const char *id, json_t *record)
{
	json_t *known = json_object_get(inventory->begun, id);

	if (known) {
		json_object_set(json_object_get(known, "load"), "artifact",
		                json_object_get(json_object_get(record, "load"), "artifact"));
		return;
	}
	if (json_object_size(inventory->begun) >= BEGUN_MAX)
		return;
	identify(inventory, record, json_object_get(record, MW_INVENTORY_UNFINISHED));
	json_object_del(record, MW_INVENTORY_UNFINISHED);
	json_object_set(inventory->begun, id, record);
	inventory->told++;
}

static void finish_record(struct mw_daemon_inventory *inventory, const char *id, json_t *record)
{
	static const char *const who[] = {"process", "user", "job", "container"};
	json_t *known = json_object_get(inventory->begun, id);
	json_int_t count = json_integer_value(json_object_get(record, "count"));

	for (size_t i = 0; known && i < sizeof(who) / sizeof(*who); i++)
		json_object_set(record, who[i], json_object_get(known, who[i]));
	inventory->told += (uint64_t)(count - (known != NULL));
	json_object_del(inventory->begun, id);
	write_record(inventory, record);
}

/* It reads what others have written: it is believed about loads, and about nothing else. */
static int hear(void *context, const char *line, size_t len)
{
	struct mw_daemon_inventory *inventory = context;
	json_t *record = json_loadb(line, len, 0, NULL);
	const char *id = json_string_value(json_object_get(record, "id"));
	const char *schema = json_string_value(json_object_get(record, "schema"));
	int error = id && schema && !strcmp(schema, "modelwatch.inventory/1") ? 0 : -EBADMSG;

	if (!error && json_object_get(record, MW_INVENTORY_UNFINISHED))
		keep(inventory, id, record);
	else if (!error)
		finish_record(inventory, id, record);
	json_decref(record);
	return error;
}

static int hear_lines(struct mw_daemon_inventory *inventory)
{
	struct mw_buffer *heard = &inventory->heard;
	size_t used = 0;
	int error = 0;
	char *end;

	while (!error && (end = memchr(heard->data + used, '\n', heard->len - used))) {
		size_t len = (size_t)(end - heard->data) - used;

		error = hear(inventory, heard->data + used, len);
		used += len + 1;
	}
	memmove(heard->data, heard->data + used, heard->len - used);
	heard->len -= used;
	return error;
}

/* Returns 0 as long as there may be more later. */
static int listen_to(struct mw_daemon_inventory *inventory)
{
	char some[16384];

	for (;;) {
		ssize_t n = recv(inventory->helper.fd, some, sizeof(some), MSG_DONTWAIT);
		int error;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -EPIPE;
		if (mw_buffer_add(&inventory->heard, some, (size_t)n, MW_LINE_MAX) < 0)
			return -EBADMSG;
		error = hear_lines(inventory);
		if (error)
			return error;
	}
}

/* What it knew of loads is told, less what it was about to find out. What it took from the ring and
 * did not tell is lost. */
static void part(struct mw_daemon_inventory *inventory)
{
	struct mw_inventory_page *page = inventory->page;
	const struct mw_digest none = {.state = MW_DIGEST_PENDING};
	uint64_t loads = atomic_load(&page->loads), lost = atomic_load(&page->lost);
	uint64_t known = inventory->told + lost + atomic_load(&page->skipped);
	const char *id;
	json_t *record;
	void *next;

	json_object_foreach_safe(inventory->begun, next, id, record)
	{
		json_t *artifact = json_object_get(json_object_get(record, "load"), "artifact");

		if (json_is_null(json_object_get(artifact, "sha256")))
			mw_inventory_set_digest(record, &none);
		write_record(inventory, record);
	}
	json_object_clear(inventory->begun);
	inventory->lost += lost + (loads > known ? loads - known : 0);
	mw_helpers_left_add(&inventory->left, &inventory->helper, true);
}

/* With no place left, the place of the oldest is taken. */
static void avoid(struct mw_daemon_inventory *inventory, uint32_t dev, int32_t pid)
{
	size_t oldest = 0;

	for (size_t i = 1; i < MW_INVENTORY_AVOIDED; i++)
		if (inventory->until[i] < inventory->until[oldest])
			oldest = i;
	inventory->until[oldest] = mw_clock_ms() + AVOID_MS;
	atomic_store(&inventory->page->avoided[oldest].dev, dev);
	atomic_store(&inventory->page->avoided[oldest].pid, pid);
}

static void forgive(struct mw_daemon_inventory *inventory)
{
	for (size_t i = 0; i < MW_INVENTORY_AVOIDED; i++) {
		if (!inventory->until[i] || inventory->until[i] > mw_clock_ms())
			continue;
		inventory->until[i] = 0;
		atomic_store(&inventory->page->avoided[i].dev, 0);
		atomic_store(&inventory->page->avoided[i].pid, 0);
	}
}

/* Whether it hangs; what it hangs at is left alone from now on. */
static bool is_stuck(struct mw_daemon_inventory *inventory)
{
	struct mw_inventory_page *page = inventory->page;
	uint32_t at = atomic_load(&page->at), dev = atomic_load(&page->dev);
	uint32_t hangs = atomic_load(&page->hangs);

	if (hangs) {
		avoid(inventory, hangs, 0);
		return true;
	}
	if (at == MW_AT_NOTHING ||
	    mw_clock_ms() - atomic_load(&page->since) <= MW_INVENTORY_STUCK_MS)
		return false;
	if (at == MW_AT_FILE && dev)
		avoid(inventory, dev, 0);
	else
		avoid(inventory, 0, atomic_load(&page->pid));
	return true;
}

void mw_daemon_inventory_poll(struct mw_daemon_inventory *inventory)
{
	bool stuck;

	mw_helpers_left_reap(&inventory->left);
	forgive(inventory);
	if (inventory->helper.fd < 0) {
		if (inventory->on && mw_clock_ms() >= inventory->again)
			start(inventory);
		return;
	}
	if (listen_to(inventory) || (inventory->leaves && mw_clock_ms() > inventory->leaves)) {
		part(inventory);
		if (inventory->on && mw_clock_ms() >= inventory->again)
			start(inventory);
		return;
	}
	stuck = is_stuck(inventory);
	inventory->hung += stuck;
	if (stuck)
		part(inventory);
}

void mw_daemon_inventory_turn(struct mw_daemon_inventory *inventory, bool on)
{
	if (on == inventory->on)
		return;
	inventory->on = on;
	mw_engine_tell_loads(inventory->options.engine, on);
	if (on)
		start(inventory);
	else if (inventory->helper.fd >= 0)
		part(inventory);
}

void mw_daemon_inventory_finish(struct mw_daemon_inventory *inventory)
{
	struct pollfd event = {.fd = inventory->helper.fd, .events = POLLIN};

	mw_engine_tell_loads(inventory->options.engine, false);
	ask_to_end(inventory);
	while (inventory->helper.fd >= 0 && !listen_to(inventory) &&
	       mw_clock_ms() < inventory->leaves)
		poll(&event, 1, (int)(inventory->leaves - mw_clock_ms()) + 1);
	mw_daemon_inventory_turn(inventory, false);
}

void mw_daemon_inventory_close(struct mw_daemon_inventory *inventory)
{
	if (!inventory)
		return;
	mw_helpers_left_add(&inventory->left, &inventory->helper, true);
	mw_helpers_left_close(&inventory->left);
	if (inventory->page)
		munmap(inventory->page, sizeof(*inventory->page));
	if (inventory->page_fd >= 0)
		close(inventory->page_fd);
	json_decref(inventory->begun);
	json_decref(inventory->policy.labels);
	json_decref(inventory->next.labels);
	free(inventory->heard.data);
	free(inventory);
}
