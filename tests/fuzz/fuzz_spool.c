/* The spool with hostile records, and with a hostile database: it takes, gives and lets leave, or
 * says that it cannot. The first byte says which; records are lines of JSON, of a database that is
 * whole the input says where to put which bytes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../courier/spool.h"

#define HOUR (INT64_C(3600) * 1000000000)
#define START (INT64_C(1790000000) * 1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], path[PATH_MAX];
static int64_t now;
static uint8_t *whole; /* a database with something in every table */
static size_t whole_size;

static int64_t clock_of_ours(void *context)
{
	(void)context;
	return now;
}

static void forget(void)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".guard"};
	char name[PATH_MAX + 16];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	/* What was put aside has the time of our clock in its name. */
	snprintf(name, sizeof(name), "%s.corrupt-2026-09-21T14:13:20.000", path);
	unlink(name);
	strcat(name, "-wal");
	unlink(name);
}

static int open_spool(struct mw_spool **ret)
{
	struct mw_spool_options options;
	char why[512], unused[PATH_MAX];

	mw_spool_defaults(&options, true, unused);
	options.path = path;
	options.max_bytes = 64 << 10;
	options.per_rule_minute = 8;
	options.clock = clock_of_ours;
	return mw_spool_open(&options, ret, why, sizeof(why));
}

static void take(struct mw_spool *spool, const char *sink)
{
	struct mw_spool_entry entries[16];
	uint64_t last = 0;
	int n;

	while ((n = mw_spool_next(spool, sink, 16, 32 << 10, entries)) > 0) {
		for (int i = 0; i < n; i++) {
			if (!entries[i].record || entries[i].severity > MW_CRITICAL)
				abort();
			/* A hostile database may have any numbers, but they rise. */
			if ((int64_t)entries[i].sequence <= (int64_t)last && last)
				abort();
			last = entries[i].sequence;
		}
		if (entries[0].severity == MW_LOW)
			mw_spool_dead(spool, sink, entries[0].sequence, "no");
		mw_spool_free(entries, (size_t)n);
		if (mw_spool_reached(spool, sink, last))
			return;
	}
}

/* All that is done with a spool. */
static void use(struct mw_spool *spool)
{
	static const char *const names[] = {"one", "two"};
	struct mw_spool_view view;

	mw_spool_sinks(spool, names, 2);
	mw_spool_tick(spool);
	take(spool, "one");
	now += 2 * HOUR;
	mw_spool_tick(spool);
	mw_spool_replay(spool, "two", 0);
	take(spool, "two");
	now += 800 * HOUR;
	mw_spool_tick(spool);
	mw_spool_look(spool, &view);
}

static void add_lines(struct mw_spool *spool, const char *at, const char *end)
{
	const struct mw_spool_source source = {"somebody", 1};
	json_t *records[64];
	size_t count = 0;

	while (at < end && count < 64) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		json_t *record = json_loadb(at, (size_t)(stop - at), JSON_ALLOW_NUL, NULL);

		records[count++] = record ? record : json_null();
		at = stop + 1;
	}
	if (mw_spool_add(spool, &source, records, count))
		abort();
	while (count)
		json_decref(records[--count]);
}

static void check_records(const uint8_t *data, size_t size)
{
	struct mw_spool *spool;
	struct mw_spool_view view;

	if (open_spool(&spool))
		abort();
	add_lines(spool, (const char *)data, (const char *)data + size);
	use(spool);
	if (mw_spool_look(spool, &view) || view.bytes > 64 << 10)
		abort();
	mw_spool_close(spool);
}

static void write_file(const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* An offset of three bytes, a length, and that many. */
static void check_database(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(whole_size);
	struct mw_spool *spool;

	memcpy(file, whole, whole_size);
	while (size >= 4) {
		size_t at = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % whole_size;
		size_t len = data[3];

		data += 4;
		size -= 4;
		if (len > size)
			len = size;
		if (len > whole_size - at)
			len = whole_size - at;
		memcpy(file + at, data, len);
		data += len;
		size -= len;
	}
	write_file(file, whole_size);
	free(file);
	if (open_spool(&spool))
		return;
	use(spool);
	mw_spool_close(spool);
}

static void make_whole(void)
{
	static const char text[] = "{\"schema\":\"modelwatch.alert/"
	                           "1\",\"id\":\"a\",\"rule\":\"r\",\"severity\":\"low\"}\n"
	                           "{\"schema\":\"modelwatch.alert/"
	                           "1\",\"id\":\"b\",\"rule\":\"r\",\"severity\":\"low\"}\n"
	                           "{\"schema\":\"modelwatch.alert/"
	                           "1\",\"id\":\"c\",\"rule\":\"s\",\"severity\":\"high\"}\n"
	                           "{\"schema\":\"modelwatch.loss/1\",\"lost\":3}\n";
	static const char *const names[] = {"one"};
	struct mw_spool *spool;
	struct stat st;
	int fd;

	if (open_spool(&spool) || mw_spool_sinks(spool, names, 1))
		abort();
	add_lines(spool, text, text + sizeof(text) - 1);
	mw_spool_dead(spool, "one", 1, "no");
	mw_spool_close(spool);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		abort();
	whole_size = (size_t)st.st_size;
	whole = malloc(whole_size);
	if (!whole || read(fd, whole, whole_size) != (ssize_t)whole_size)
		abort();
	close(fd);
	forget();
}

static void remove_folder(void)
{
	forget();
	rmdir(folder);
	free(whole);
}

static void start(void)
{
	strcpy(folder, "/dev/shm/mw-fuzz-spool-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	snprintf(path, sizeof(path), "%s/spool.db", folder);
	now = START;
	make_whole();
	atexit(remove_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!whole)
		start();
	now = START;
	if (size && data[0] & 1)
		check_records(data + 1, size - 1);
	else if (size)
		check_database(data + 1, size - 1);
	forget();
	return 0;
}
