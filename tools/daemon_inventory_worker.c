#include "daemon_inventory_worker.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "../core/clock.h"
#include "../courier/confine.h"
#include "daemon_begun.h"
#include "daemon_inventory_page.h"
#include "inventory.h"
#include "when.h"
#include "write.h"

#define TICK_MS 1000
#define TURN 256 /* loads that are taken before time is looked at */
#define NICE 10

struct worker {
	struct ring_buffer *ring;
	struct mw_inventory_page *page;
	struct mw_inventory *inventory;
	bool taken, broken, ends;
	struct mw_k_begun load; /* the one that was taken */
	struct mw_daemon_begun begun;
};

/* It is out of the ring before it is looked at: whoever hangs at it is not given it again. */
static int take(void *context, void *data, size_t size)
{
	struct worker *w = context;

	w->taken = true;
	w->broken = mw_k_check_begun(data, size) < 0;
	if (!w->broken)
		memcpy(&w->load, data, size);
	return -EAGAIN;
}

static void be_at(struct worker *w, enum mw_inventory_at at)
{
	atomic_store(&w->page->since, mw_clock_ms());
	atomic_store(&w->page->at, at);
}

/* That the daemon lets us wait is no hanging. What comes after a record is known is its file. */
static void write_line(void *context, const char *line, size_t len)
{
	struct worker *w = context;
	bool busy = atomic_load(&w->page->at) != MW_AT_NOTHING;

	be_at(w, MW_AT_NOTHING);
	if (mw_write_quietly(STDIN_FILENO, line, len, NULL))
		w->ends = true;
	if (busy)
		be_at(w, MW_AT_FILE);
}

static void lose(void *context, uint64_t count)
{
	struct worker *w = context;

	atomic_fetch_add(&w->page->lost, count);
}

static bool is_avoided(struct worker *w, uint32_t dev, int32_t pid)
{
	for (size_t i = 0; i < MW_INVENTORY_AVOIDED; i++) {
		const struct mw_inventory_avoided *a = &w->page->avoided[i];

		if ((dev && atomic_load(&a->dev) == dev) || (pid && atomic_load(&a->pid) == pid))
			return true;
	}
	return false;
}

static void add(struct worker *w)
{
	const struct mw_k_head *head = &w->load.head;
	const struct mw_identity_hint who = {
	        .pid = (pid_t)head->tgid,
	        .tid = (pid_t)head->tid,
	        .start_ns = head->start,
	        .cgroup = head->cgroup,
	        .uid = w->load.uid,
	        .comm = w->begun.comm,
	};
	const struct mw_inventory_load load = {
	        .record = &w->begun.record,
	        .who = &who,
	        .begins = true,
	        .since = mw_when_since_boot(head->time),
	        .hands_off = is_avoided(w, w->begun.record.load.dev, 0),
	};

	atomic_store(&w->page->dev, w->begun.record.load.dev);
	mw_inventory_add(w->inventory, &load, mw_clock_ms());
}

static void handle(struct worker *w)
{
	int32_t pid = (int32_t)w->load.head.tgid;

	atomic_fetch_add(&w->page->loads, 1);
	if (w->broken || is_avoided(w, 0, pid)) {
		lose(w, 1);
		return;
	}
	atomic_store(&w->page->dev, 0);
	atomic_store(&w->page->pid, pid);
	be_at(w, MW_AT_PROCESS);
	if (mw_daemon_begun(&w->begun, &w->load))
		add(w);
	else
		atomic_fetch_add(&w->page->skipped, 1);
	be_at(w, MW_AT_NOTHING);
}

/* False: there is nothing more. */
static bool take_one(struct worker *w)
{
	w->taken = false;
	ring_buffer__consume(w->ring);
	if (w->taken)
		handle(w);
	return w->taken;
}

static void look_at_hasher(struct worker *w)
{
	dev_t dev = 0;
	bool hangs =
	        mw_inventory_stalled(w->inventory, mw_clock_ms(), &dev) > MW_INVENTORY_STUCK_MS;

	atomic_store(&w->page->hangs, hangs ? major(dev) << 20 | minor(dev) : 0);
}

static void work(struct worker *w)
{
	struct pollfd events[] = {{.fd = STDIN_FILENO, .events = POLLIN},
	                          {.fd = ring_buffer__epoll_fd(w->ring), .events = POLLIN}};
	int64_t next = 0;

	while (!w->ends) {
		for (int i = 0; i < TURN && take_one(w); i++)
			continue;
		if (mw_clock_ms() >= next) {
			mw_inventory_poll(w->inventory, mw_clock_ms());
			look_at_hasher(w);
			next = mw_clock_ms() + TICK_MS;
		}
		poll(events, 2, TICK_MS);
		w->ends |= events[0].revents != 0;
	}
	while (take_one(w))
		continue;
}

static int open_all(struct worker *w)
{
	const struct mw_inventory_options options = {
	        .policy_digest = "",
	        .write = write_line,
	        .early = true,
	        .lost = lose,
	        .context = w,
	};

	w->page = mmap(NULL, sizeof(*w->page), PROT_READ | PROT_WRITE, MAP_SHARED,
	               MW_INVENTORY_PAGE_FD, 0);
	if (w->page == MAP_FAILED)
		return -errno;
	w->ring = ring_buffer__new(MW_INVENTORY_RING_FD, take, w, NULL);
	return w->ring ? mw_inventory_open(&options, &w->inventory) : -errno;
}

/* To read what a process reads takes the rights to look at it, and at any file. */
static int give_up_rights(void)
{
	const uint64_t keep = 1u << CAP_SYS_PTRACE | 1u << CAP_DAC_READ_SEARCH;

	setpriority(PRIO_PROCESS, 0, NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7));
	return mw_confine(keep, MW_CALLER_READS);
}

int mw_inventory_work(void)
{
	static struct worker worker;
	struct worker *w = &worker;

	prctl(PR_SET_NAME, "modelwatch-inve", 0, 0, 0);
	mw_confine_descriptors(MW_INVENTORY_RING_FD);
	if (open_all(w) || give_up_rights())
		return 1;
	work(w);
	mw_inventory_close(w->inventory);
	ring_buffer__free(w->ring);
	return 0;
}
