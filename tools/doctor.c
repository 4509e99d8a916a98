/* modelwatch doctor: what works here, what does not, and what that costs. */
#include "doctor.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon_rungs.h"
#include "main.h"
#include "terminal.h"

struct report {
	struct utsname system;
	size_t check_count, python_count;
	struct mw_check checks[MW_DOCTOR_CHECKS_MAX];
	struct mw_python pythons[MW_DOCTOR_PYTHONS_MAX];
	bool has_kernel;
	struct mw_rungs kernel; /* what the daemon stands on, when root asks */
};

static const struct {
	const char *word, *colour;
} healths[] = {
        [MW_WORKS] = {"on", "\033[32m"},
        [MW_DEGRADED] = {"degraded", "\033[33m"},
        [MW_OFF] = {"off", "\033[31m"},
        [MW_UNSUPPORTED] = {"unsupported", "\033[2m"},
};

void mw_doctor_clean(char *text)
{
	text[strcspn(text, "\r\n")] = '\0';
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 127)
			*c = '?';
}

static void print_health(enum mw_health health, bool colour)
{
	printf("  %s%-11s%s ", colour ? healths[health].colour : "", healths[health].word,
	       colour ? "\033[0m" : "");
}

static void print_cost(const char *cost)
{
	if (cost)
		printf("  %-11s %-13s   costs: %s\n", "", "", cost);
}

static void print_python(const struct mw_python *python, bool colour)
{
	print_health(python->health, colour);
	printf("%-13s %s\n", *python->version ? python->version : "?", python->path);
	if (*python->detail)
		printf("  %-11s %-13s   %s\n", "", "", python->detail);
	print_cost(python->cost);
}

static void print_kernel(const struct report *report, bool colour)
{
	if (!report->has_kernel) {
		puts("\nThe kernel, for modelwatch daemon: only root can try it.");
		return;
	}
	puts("\nThe kernel, for modelwatch daemon:");
	for (int i = 0; i < MW_RUNGS; i++) {
		const struct mw_rung_found *found = &report->kernel.rung[i];

		print_health(found->error ? MW_OFF : MW_WORKS, colour);
		printf("%-14s %s\n", mw_rung_name((enum mw_rung)i), found->detail);
		print_cost(found->error ? mw_rung_cost((enum mw_rung)i) : NULL);
	}
}

static void print_table(const struct report *report)
{
	bool colour = mw_terminal_colour(STDOUT_FILENO);

	printf("modelwatch %s on %s %s %s, glibc %s\n\n", MW_VERSION, report->system.sysname,
	       report->system.release, report->system.machine, gnu_get_libc_version());
	for (size_t i = 0; i < report->check_count; i++) {
		print_health(report->checks[i].health, colour);
		printf("%-13s %s\n", report->checks[i].name, report->checks[i].detail);
		print_cost(report->checks[i].cost);
	}
	print_kernel(report, colour);
	puts(report->python_count ? "\nInterpreters:" : "\nNo Python interpreter found.");
	for (size_t i = 0; i < report->python_count; i++)
		print_python(&report->pythons[i], colour);
}

/* Null for what is not known; what is not UTF-8 keeps what is ASCII of it. */
static json_t *text(const char *s)
{
	char ascii[PATH_MAX + 64];
	json_t *json;
	size_t i;

	if (!s || !*s)
		return json_null();
	json = json_string(s);
	if (json)
		return json;
	for (i = 0; s[i] && i + 1 < sizeof(ascii); i++)
		ascii[i] = (unsigned char)s[i] < 128 ? s[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

static json_t *check_json(const struct mw_check *check)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "name", check->name, "state",
	                 healths[check->health].word, "detail", text(check->detail), "cost",
	                 text(check->cost));
}

static json_t *kernel_json(const struct report *report)
{
	json_t *all;

	if (!report->has_kernel)
		return json_null();
	all = json_array();
	for (int i = 0; i < MW_RUNGS; i++) {
		const struct mw_rung_found *found = &report->kernel.rung[i];
		const char *cost = found->error ? mw_rung_cost((enum mw_rung)i) : NULL;

		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s?}", "name",
		                                     mw_rung_name((enum mw_rung)i), "state",
		                                     healths[found->error ? MW_OFF : MW_WORKS].word,
		                                     "detail", found->detail, "cost", cost));
	}
	return all;
}

static json_t *python_json(const struct mw_python *python)
{
	return json_pack("{s:o, s:o, s:s, s:b, s:b, s:o, s:o, s:o}", "path", text(python->path),
	                 "version", text(python->version), "state", healths[python->health].word,
	                 "shim", python->shim, "audit", python->audit, "unpickler",
	                 text(python->unpickler), "detail", text(python->detail), "cost",
	                 text(python->cost));
}

static int print_json(const struct report *report)
{
	json_t *checks = json_array(), *pythons = json_array(), *all;
	int error;

	for (size_t i = 0; i < report->check_count; i++)
		json_array_append_new(checks, check_json(&report->checks[i]));
	for (size_t i = 0; i < report->python_count; i++)
		json_array_append_new(pythons, python_json(&report->pythons[i]));
	all = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:o, s:o, s:o}", "schema",
	                "modelwatch.doctor/1", "version", MW_VERSION, "host", "kernel",
	                report->system.release, "machine", report->system.machine, "libc",
	                gnu_get_libc_version(), "checks", checks, "kernel", kernel_json(report),
	                "interpreters", pythons);
	if (!all)
		return -ENOMEM;
	error = json_dumpf(all, stdout, JSON_INDENT(2)) ? -EIO : 0;
	putchar('\n');
	json_decref(all);
	return error;
}

/* An interpreter too old to be watched is no fault: nobody need start models in it. */
static bool all_works(const struct report *report)
{
	for (size_t i = 0; i < report->check_count; i++)
		if (report->checks[i].health != MW_WORKS)
			return false;
	for (size_t i = 0; i < report->python_count; i++)
		if (report->pythons[i].health == MW_OFF || report->pythons[i].health == MW_DEGRADED)
			return false;
	return true;
}

static int examine(bool json)
{
	struct report *report = calloc(1, sizeof(*report));
	int error = 0, status;

	if (!report)
		return mw_say("out of memory");
	uname(&report->system);
	report->check_count = mw_doctor_checks(report->checks, MW_DOCTOR_CHECKS_MAX);
	report->has_kernel = geteuid() == 0;
	if (report->has_kernel)
		mw_rungs_try(&report->kernel);
	report->python_count = mw_doctor_pythons(report->pythons, MW_DOCTOR_PYTHONS_MAX);
	if (json)
		error = print_json(report);
	else
		print_table(report);
	status = all_works(report) ? 0 : 1;
	free(report);
	return error || fflush(stdout) ? mw_say("cannot write the report") : status;
}

static int take(void *context, int id, const char *value)
{
	bool *json = context;

	(void)id;
	(void)value;
	*json = true;
	return 0;
}

static int run(int argc, char **argv)
{
	bool json = false;
	char **operands;
	int status = mw_options(&mw_cmd_doctor, argc, argv, take, &json, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch doctor --help", *operands);
	return examine(json);
}

static const struct mw_option options[] = {
        {.name = "json", .help = "the report as JSON"},
        {0},
};

const struct mw_command mw_cmd_doctor = {
        .name = "modelwatch doctor",
        .help = "say what works on this machine, and for which interpreters",
        .synopsis = "",
        .about = "Tries what modelwatch needs on this machine and in every Python interpreter "
                 "found, and says what works, what does not, and what that costs. As root it also "
                 "tries what modelwatch daemon needs of the kernel.",
        .options = options,
        .after = "Exit status: 0 when everything this version offers works, 1 when something does "
                 "not, 125 when the report could not be made. What only the daemon needs changes "
                 "nothing in that.",
        .run = run,
};
