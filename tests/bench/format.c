/* Renders the native records on stdin, one a line.
 *
 *     format FORMAT VERSION MAX            prints each as a line
 *     format FORMAT VERSION MAX SECONDS    says how many a second one core renders
 *
 * VERSION is OCSF's ("1.5"), MAX the bytes that a record has to fit, 0: all. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../courier/format.h"

#define RECORDS 4096

static json_t *records[RECORDS];
static size_t count;

static int fail(const char *what)
{
	fprintf(stderr, "format: %s\n", what);
	return 1;
}

static int read_records(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (count < RECORDS && (len = getline(&line, &size, stdin)) > 0) {
		records[count] = json_loadb(line, (size_t)len, 0, NULL);
		if (!records[count])
			return fail("a line is no JSON");
		count++;
	}
	free(line);
	return count ? 0 : fail("no records");
}

static int render(size_t i, const struct mw_format_options *options, char **text, size_t *len)
{
	struct mw_emission emission = {.sequence = i + 1, .record = records[i]};

	snprintf(emission.uid, sizeof(emission.uid), "01a20955-c65f-7000-8000-%012zx", i + 1);
	return mw_format_render(&emission, options, text, len);
}

static int print(const struct mw_format_options *options)
{
	char *text;
	size_t len;

	for (size_t i = 0; i < count; i++) {
		int error = render(i, options, &text, &len);

		if (error)
			return fail(strerror(-error));
		fwrite(text, 1, len, stdout);
		putchar('\n');
		free(text);
	}
	return 0;
}

static double cpu(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int measure(const struct mw_format_options *options, double seconds)
{
	double begin = cpu(), taken;
	size_t done = 0, bytes = 0, len;
	char *text;

	do {
		for (size_t i = 0; i < count; i++, done++) {
			if (render(i, options, &text, &len))
				return fail("a record cannot be rendered");
			bytes += len;
			free(text);
		}
		taken = cpu() - begin;
	} while (taken < seconds);
	printf("%.0f a second, %.0f bytes each\n", (double)done / taken,
	       (double)bytes / (double)done);
	return 0;
}

int main(int argc, char **argv)
{
	struct mw_format_options options = {.format = MW_FORMAT_NATIVE};
	int format = argc > 3 ? mw_format_of(argv[1]) : -1;
	int version = argc > 3 ? mw_ocsf_of(argv[2]) : -1;

	if (format < 0 || version < 0)
		return fail("usage: format FORMAT VERSION MAX [SECONDS]");
	options.format = (enum mw_format)format;
	options.ocsf = (enum mw_ocsf)version;
	options.max = strtoul(argv[3], NULL, 10);
	if (read_records())
		return 1;
	return argc > 4 ? measure(&options, strtod(argv[4], NULL)) : print(&options);
}
