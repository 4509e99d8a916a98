/* What the spool takes on this disk: distinct alerts in batches, and a burst of them. Prints a line
 * of JSON for each. The argument is a folder to make the spool in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../courier/spool.h"
#include "../../tools/uuid.h"
#include "../../tools/when.h"

#define PADDING 2400 /* stacks and process make an alert about 3.4 KB */
#define BATCH 32
#define BATCH_MAX 256

static struct mw_spool *spool;
static double longest;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static json_t *alert(int number)
{
	static char padding[PADDING + 1];
	char id[MW_UUID_TEXT], time[MW_WHEN_TEXT], program[32];
	int64_t now = mw_when_now();

	memset(padding, 'x', PADDING);
	mw_uuid(now, id);
	mw_when_text(now, time);
	snprintf(program, sizeof(program), "/bin/%d", number);
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i,"
	                 " s:{s:s, s:{s:s, s:s, s:[s, s, s]}}, s:{s:s, s:{s:s, s:s, s:s}},"
	                 " s:{s:i, s:s}, s:{s:i}}",
	                 "schema", "modelwatch.alert/1", "id", id, "update", 0, "time", time,
	                 "rule", "load-exec", "title", "a file tried something", "severity",
	                 "critical", "requested", "deny", "outcome", "prevented", "evasion", 0,
	                 "count", 1, "effect", "class", "exec", "detail", "op", "os.system", "path",
	                 program, "argv", "sh", "-c", "id", "load", "call", "posix.system",
	                 "artifact", "path", "/models/a.pt", "member", "archive/data.pkl",
	                 "stream_sha256",
	                 "2fec245da2a09f0bfbf7ea89499d8cd695118ab1fccaded61ab37dafe9652cc1",
	                 "process", "pid", 1, "stack", padding, "user", "uid", 1000);
}

static void add(json_t **records, size_t count)
{
	double start = seconds(), took;

	if (mw_spool_add(spool, NULL, records, count)) {
		fprintf(stderr, "the spool does not take it\n");
		exit(1);
	}
	took = seconds() - start;
	if (took > longest)
		longest = took;
}

/* Distinct alerts from `first` on. Returns the seconds that the spool took for them. */
static double put(int first, int count, int batch)
{
	json_t *records[BATCH_MAX];
	double spent = 0, start;

	for (int i = 0; i < count; i += batch) {
		for (int n = 0; n < batch; n++)
			records[n] = alert(first + i + n);
		start = seconds();
		add(records, (size_t)batch);
		spent += seconds() - start;
		for (int n = 0; n < batch; n++)
			json_decref(records[n]);
	}
	return spent;
}

static void measure(const char *name, int first, int count, int batch)
{
	struct mw_spool_view view;
	uint64_t before;
	double spent;

	mw_spool_look(spool, &view);
	before = view.records;
	longest = 0;
	spent = put(first, count, batch);
	mw_spool_look(spool, &view);
	printf("{\"what\":\"%s\",\"alerts\":%d,\"batch\":%d,\"seconds\":%.2f,\"per_second\":%.0f,"
	       "\"longest_ms\":%.1f,\"lost\":%lld}\n",
	       name, count, batch, spent, count / spent, longest * 1e3,
	       (long long)count - (long long)(view.records - before));
}

int main(int argc, char **argv)
{
	struct mw_spool_options options;
	char path[PATH_MAX], why[512];

	if (argc != 2)
		return 2;
	if (mw_spool_defaults(&options, true, path))
		return 1;
	snprintf(path, sizeof(path), "%s/spool.db", argv[1]);
	options.per_rule_minute = options.per_artifact_minute = 0;
	if (mw_spool_open(&options, &spool, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	measure("sustained", 0, 32000, BATCH);
	measure("burst", 100000, 20480, BATCH_MAX);
	mw_spool_close(spool);
	return 0;
}
