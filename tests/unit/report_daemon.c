/* The daemon's report socket with nothing behind it: test_reports.py runs it. Listens at argv[1]
 * until its stdin ends; what it would write goes to stdout, its counters to stderr. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/daemon_merge.h"
#include "../../tools/daemon_reports.h"

static void print(void *context, json_t *alert)
{
	(void)context;
	json_dumpf(alert, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	fflush(stdout);
	json_decref(alert);
}

static int amend(void *context, struct mw_str id, mw_alert_change *change, void *change_context)
{
	(void)context;
	(void)id;
	(void)change;
	(void)change_context;
	return -1; /* there is no alert of a kernel */
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void serve(struct mw_reports *reports, struct mw_merge *merge)
{
	struct pollfd events[] = {{.fd = STDIN_FILENO, .events = POLLIN},
	                          {.fd = mw_reports_fd(reports), .events = POLLIN}};

	while (!events[0].revents) {
		poll(events, 2, 20);
		mw_reports_poll(reports, now_ms());
		mw_reports_tick(reports, now_ms());
		mw_merge_tick(merge, now_ms());
	}
}

int main(int argc, char **argv)
{
	const struct mw_merge_sinks sinks = {NULL, print, amend};
	const struct mw_reports_counters *count;
	struct mw_reports *reports;
	struct mw_merge *merge;

	if (argc != 2 || mw_merge_open(&sinks, "", &merge) ||
	    mw_reports_open(argv[1], NULL, merge, &reports))
		return 1;
	serve(reports, merge);
	count = mw_reports_count(reports);
	fprintf(stderr, "%llu reports %llu forged %llu malformed\n",
	        (unsigned long long)count->reports, (unsigned long long)count->forged,
	        (unsigned long long)count->malformed);
	mw_reports_close(reports);
	mw_merge_close(merge);
	return 0;
}
