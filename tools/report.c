/* modelwatch report: what the alerts of a while amount to. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "main.h"
#include "terminal.h"
#include "when.h"

struct options {
	int64_t since, until;
	const char *html;
	bool json, help;
	char **files;
};

static const char usage[] =
        "Usage: modelwatch report [OPTION...] [FILE...]\n"
        "Says what the alerts in FILE amount to, most severe first: how often, when, and what\n"
        "mode deny would have stopped. - is standard input; without FILE it is the journal,\n"
        "${XDG_STATE_HOME:-$HOME/.local/state}/modelwatch/alerts.jsonl.\n\n"
        "  --since=WHEN   from WHEN on: RFC 3339, or a time ago, as 90s, 30m, 2h, 7d, 1w\n"
        "  --until=WHEN   up to WHEN\n"
        "  --html=FILE    write a page that can be kept, read offline and printed\n"
        "  --json         the report as JSON\n"
        "  -h, --help     this text\n\n"
        "Exit status: 0; 1 when a FILE could not be read or has no line that can be; 125 when\n"
        "the report could not be made.\n";

enum { SINCE = 256, UNTIL, HTML, JSON };

static const struct option long_options[] = {
        {"since", required_argument, NULL, SINCE}, {"until", required_argument, NULL, UNTIL},
        {"html", required_argument, NULL, HTML},   {"json", no_argument, NULL, JSON},
        {"help", no_argument, NULL, 'h'},          {0},
};

/* One line on stderr. Returns the status for our own failures. */
static int __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("modelwatch report: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return MW_EXIT_OWN;
}

static int set_when(const char *name, int64_t now, int64_t *ret)
{
	if (!mw_when(optarg, now, ret))
		return 0;
	return say("--%s=%s: it is RFC 3339 (2026-11-23T16:00:00Z), or as 90s, 30m, 2h, 7d, 1w",
	           name, optarg);
}

static int set_option(struct options *options, int option, int64_t now, char **argv)
{
	switch (option) {
	case SINCE:
		return set_when("since", now, &options->since);
	case UNTIL:
		return set_when("until", now, &options->until);
	case HTML:
		options->html = optarg;
		return *optarg ? 0 : say("--html= wants a file");
	case JSON:
		options->json = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	case ':':
		return say("%s wants a value; see modelwatch report --help", argv[optind - 1]);
	default:
		return say("no option %s; see modelwatch report --help", argv[optind - 1]);
	}
}

/* Returns 0, or the exit status after an error, which has been said. */
static int parse(struct options *options, int argc, char **argv)
{
	const int64_t now = mw_when_now();
	int option, status = 0;

	*options = (struct options){.until = INT64_MAX};
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
		status = set_option(options, option, now, argv);
	options->files = argv + optind;
	if (!status && options->since > options->until)
		status = say("--since is later than --until");
	return status;
}

/* Returns 0, 1 when the file cannot be read, which has been said, or MW_EXIT_OWN. */
static int read_file(struct mw_report *report, const char *path)
{
	int error = mw_report_file(report, path);

	if (error == -ENOMEM)
		return say("out of memory");
	if (error)
		say("%s: %s", path,
		    error == -EINVAL ? "not a line in it is a record of modelwatch"
		                     : strerror(-error));
	return error ? 1 : 0;
}

static int read_journal(struct mw_report *report)
{
	char path[4096];
	int error = mw_journal_path(path, sizeof(path));

	if (error)
		return say("name a FILE: there is no HOME where the journal would be");
	return read_file(report, path);
}

static int read_all(struct mw_report *report, char **files)
{
	int status = 0, worst = 0;

	if (!*files)
		return read_journal(report);
	for (; *files && worst != MW_EXIT_OWN; files++) {
		status = read_file(report, *files);
		worst = status > worst ? status : worst;
	}
	return worst;
}

/* Whether the page would be written over what it tells about. */
static bool is_among(const char *path, char **files)
{
	struct stat page, file;

	if (stat(path, &page) < 0)
		return false;
	for (; *files; files++)
		if (!stat(*files, &file) && file.st_dev == page.st_dev &&
		    file.st_ino == page.st_ino)
			return true;
	return false;
}

/* Command lines are in it, which may hold secrets. */
static int write_page(const json_t *model, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600), error;
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out) {
		error = -errno;
		if (fd >= 0)
			close(fd);
	} else {
		error = mw_report_page(model, out);
		if (fclose(out) && !error)
			error = -errno;
	}
	return error ? say("--html=%s: %s", path, strerror(-error)) : 0;
}

static int print(const json_t *model, bool json)
{
	int error;

	if (json) {
		error = json_dumpf(model, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		error = mw_report_text(model, mw_terminal_colour(STDOUT_FILENO), stdout);
	}
	return error || fflush(stdout) ? say("cannot write the report") : 0;
}

static int make(const struct options *options)
{
	struct mw_report report;
	json_t *model = NULL;
	int status, error = mw_report_open(&report, options->since, options->until);

	status = error ? say("out of memory") : read_all(&report, options->files);
	if (status != MW_EXIT_OWN) {
		model = mw_report_model(&report);
		error = model ? 0 : say("out of memory");
		if (!error && options->html)
			error = write_page(model, options->html);
		if (!error)
			error = print(model, options->json);
		status = error ? error : status;
	}
	json_decref(model);
	mw_report_close(&report);
	return status;
}

int mw_cmd_report(int argc, char **argv)
{
	struct options options;
	int status = parse(&options, argc, argv);

	if (status)
		return status;
	if (options.help) {
		fputs(usage, stdout);
		return fflush(stdout) ? MW_EXIT_OWN : 0;
	}
	if (options.html && is_among(options.html, options.files))
		return say("--html=%s would write over a file that is to be read", options.html);
	return make(&options);
}
