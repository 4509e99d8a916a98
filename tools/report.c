/* modelwatch report: what the alerts of a while amount to. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "main.h"
#include "option_values.h"
#include "terminal.h"
#include "when.h"

struct options {
	int64_t now, since, until;
	const char *html;
	bool json;
	char **files;
};

enum { SINCE, UNTIL, HTML, JSON };

static const struct mw_option options_table[] = {
        {.name = "since",
         .argument = "WHEN",
         .id = SINCE,
         .help = "from WHEN on: RFC 3339, or a time ago, as 90s, 30m, 2h, 7d, 1w"},
        {.name = "until", .argument = "WHEN", .id = UNTIL, .help = "up to WHEN"},
        {.name = "html",
         .argument = "FILE",
         .id = HTML,
         .values = MW_FILES,
         .help = "write a page that can be kept, read offline and printed"},
        {.name = "json", .id = JSON, .help = "the report as JSON"},
        {0},
};

static int take(void *context, int id, const char *value)
{
	struct options *options = context;

	switch (id) {
	case SINCE:
		return mw_take_when("since", value, options->now, &options->since);
	case UNTIL:
		return mw_take_when("until", value, options->now, &options->until);
	case HTML:
		options->html = value;
		return *value ? 0 : mw_say("--html= wants a file");
	case JSON:
		options->json = true;
		return 0;
	}
	return 0;
}

/* Returns 0, 1 when the file cannot be read, which has been said, or MW_EXIT_OWN. */
static int read_file(struct mw_report *report, const char *path)
{
	int error = mw_report_file(report, path);

	if (error == -ENOMEM)
		return mw_say("out of memory");
	if (error)
		mw_say("%s: %s", path,
		       error == -EINVAL ? "not a line in it is a record of modelwatch"
		                        : strerror(-error));
	return error ? 1 : 0;
}

static int read_journal(struct mw_report *report)
{
	char path[4096];
	int error = mw_journal_path(path, sizeof(path));

	if (error)
		return mw_say("name a FILE: there is no HOME where the journal would be");
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
	return error ? mw_say("--html=%s: %s", path, strerror(-error)) : 0;
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
	return error || fflush(stdout) ? mw_say("cannot write the report") : 0;
}

static int make(const struct options *options)
{
	struct mw_report report;
	json_t *model = NULL;
	int status, error = mw_report_open(&report, options->since, options->until);

	status = error ? mw_say("out of memory") : read_all(&report, options->files);
	if (status != MW_EXIT_OWN) {
		model = mw_report_model(&report);
		error = model ? 0 : mw_say("out of memory");
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

static int run(int argc, char **argv)
{
	struct options options = {.now = mw_when_now(), .until = INT64_MAX};
	int status = mw_options(&mw_cmd_report, argc, argv, take, &options, &options.files);

	if (status != MW_GO_ON)
		return status;
	if (options.since > options.until)
		return mw_say("--since is later than --until");
	if (options.html && is_among(options.html, options.files))
		return mw_say("--html=%s would write over a file that is to be read", options.html);
	return make(&options);
}

const struct mw_command mw_cmd_report = {
        .name = "modelwatch report",
        .help = "sum up alerts files, on the terminal and as a page",
        .synopsis = "[FILE...]",
        .about = "Says what the alerts in FILE amount to, most severe first: how often, when, and "
                 "what mode deny would have stopped. - is standard input; without FILE it is the "
                 "journal, ${XDG_STATE_HOME:-$HOME/.local/state}/modelwatch/alerts.jsonl.",
        .options = options_table,
        .operands = MW_FILES,
        .after = "Exit status: 0; 1 when a FILE could not be read or has no line that can be; 125 "
                 "when the report could not be made.",
        .run = run,
};
