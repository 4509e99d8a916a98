/* One alert in plain words, for the owner of the job. It claims no more than the alert's outcome
 * does. What is printed of the alert comes from its mw_sample(), where text is fit to be shown. */
#include <errno.h>
#include <string.h>

#include "fields.h"
#include "sample.h"
#include "when.h"
#include "why.h"

#define FRAMES_SHOWN 8
#define ANCESTORS_SHOWN 8

struct story {
	const struct mw_entry *alert;
	const struct mw_relatives *relatives;
	json_t *sample, *process;
	bool colour;
	FILE *out;
};

static const char *text(const json_t *from, const char *path)
{
	const char *found = mw_field_text(from, path);

	return found && *found ? found : "unknown";
}

/* A line of the story, when there is something to say in it. */
static void line(const struct story *story, const char *name, const char *path)
{
	if (mw_field_text(story->sample, path))
		fprintf(story->out, "  %-10s %s\n", name, text(story->sample, path));
}

static void file_line(const struct story *story)
{
	uint64_t size;

	if (!mw_field_text(story->sample, "model.path")) {
		fputs("  file       none: the bytes came from memory\n", story->out);
		return;
	}
	fprintf(story->out, "  file       %s", text(story->sample, "model.path"));
	if (mw_field_number(story->sample, "model.size", &size))
		fprintf(story->out, " (%llu bytes)", (unsigned long long)size);
	fputc('\n', story->out);
}

/* Which bytes, and what they are. */
static void bytes_line(const struct story *story)
{
	const json_t *range = mw_field(story->sample, "offset_range");
	uint64_t offset;

	fputs("  bytes      ", story->out);
	if (mw_field_number(story->sample, "offset", &offset))
		fprintf(story->out, "byte %llu", (unsigned long long)offset);
	else if (range)
		fprintf(story->out, "one of bytes %lld to %lld",
		        (long long)json_integer_value(json_array_get(range, 0)),
		        (long long)json_integer_value(json_array_get(range, 1)));
	else
		fputs("which ones is not known", story->out);
	if (mw_field_text(story->sample, "model.member"))
		fprintf(story->out, " of %s in it", text(story->sample, "model.member"));
	if (mw_field_text(story->sample, "opcode"))
		fprintf(story->out, ", the opcode %s", text(story->sample, "opcode"));
	fputc('\n', story->out);
}

/* As one would write it: (x,) is a call with one argument. */
static void call_line(const struct story *story)
{
	const char *args = mw_field_text(story->sample, "args");
	size_t len = args ? strlen(args) : 0;
	bool single = len > 3 && *args == '(' && !strcmp(args + len - 2, ",)");

	if (!mw_field_text(story->sample, "call"))
		return;
	fprintf(story->out, "  call       %s%s", text(story->sample, "call"),
	        len && *args != '(' ? " " : "");
	fprintf(story->out, "%.*s%s\n", (int)(single ? len - 2 : len), len ? args : "",
	        single ? ")" : "");
}

static const struct {
	const char *word, *sentence;
} causes[] = {
        {"call", "The file itself asks for this: to load it is enough."},
        {"import", "A package that the file needs did it while it was imported."},
        {"machinery", "The import system did it while it imported something for the file."},
        {"loader", "The loading program's own code did it."},
        {"native", "Native code did it."},
};

static void cause_line(const struct story *story)
{
	const char *cause = text(story->sample, "cause");
	const char *sentence = "What in the load led to it is not known.";
	const json_t *after = json_object_get(story->sample, "after_load");

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (!strcmp(causes[i].word, cause))
			sentence = causes[i].sentence;
	fprintf(story->out, "  %s\n", sentence);
	if (json_is_true(after))
		fputs("  The load had ended: code that it left behind did it.\n", story->out);
	else if (json_is_null(after))
		fputs("  A process or thread that the load started did it.\n", story->out);
	if (json_is_true(json_object_get(story->sample, "evasion")))
		fputs("  It went around a sensor that should have announced it.\n", story->out);
}

static void tell_what(const struct story *story)
{
	fprintf(story->out, "  %s.\n", text(story->sample, "title"));
	file_line(story);
	bytes_line(story);
	call_line(story);
	fprintf(story->out, "  effect     %s by %s: %s\n", text(story->sample, "class"),
	        text(story->sample, "op"), text(story->sample, "target"));
	cause_line(story);
}

static void tell_prevented(const struct story *story)
{
	FILE *out = story->out;

	switch (story->alert->outcome) {
	case MW_PREVENTED:
		fputs("  Yes: it did not happen. What else the file did has alerts of its own.\n",
		      out);
		break;
	case MW_KILLED_AFTER_EFFECT:
		fputs("  Perhaps not: the process was killed, but it may have happened before.\n",
		      out);
		break;
	default:
		fputs("  No: it was let go on. Whether it then succeeded is not recorded.\n", out);
	}
	if (story->alert->deny_would_stop)
		fprintf(out,
		        "  The rule asked for %s, but the mode was %s. Mode deny would have "
		        "stopped it.\n",
		        text(story->sample, "requested"), text(story->sample, "mode"));
}

static void tell_rule(const struct story *story)
{
	fprintf(story->out, "  Rule %s asked for %s; the mode was %s; what was done: %s.\n",
	        text(story->sample, "rule"), text(story->sample, "requested"),
	        text(story->sample, "mode"), text(story->sample, "verdict"));
	fprintf(story->out, "  The %s sensor saw it. Policy %.16s, modelwatch %s.\n",
	        text(story->sample, "sensor"), text(story->sample, "policy"),
	        text(story->sample, "modelwatch"));
}

static void process_lines(const struct story *story)
{
	const json_t *ancestors = mw_field(story->process, "ancestors");
	size_t n = json_array_size(ancestors);
	uint64_t pid = 0;

	mw_field_number(story->process, "pid", &pid);
	fprintf(story->out, "  process    %llu, %s\n", (unsigned long long)pid,
	        text(story->process, "command"));
	fprintf(story->out, "             in %s, started %s\n", text(story->process, "cwd"),
	        text(story->process, "start_time"));
	for (size_t i = 0; i < n && i < ANCESTORS_SHOWN; i++) {
		const json_t *one = json_array_get(ancestors, i);

		mw_field_number(one, "pid", &pid);
		fprintf(story->out, "%s%s (%llu)", i ? " < " : "  started by ", text(one, "comm"),
		        (unsigned long long)pid);
	}
	fputs(n > ANCESTORS_SHOWN ? " < ...\n" : n ? "\n" : "", story->out);
}

static const char *trust_of(const char *trust)
{
	if (!strcmp(trust, "cgroup"))
		return "by the kernel's word";
	if (!strcmp(trust, "delegated"))
		return "as the container or service around it says";
	return "as the process itself says";
}

static void tell_who(const struct story *story)
{
	uint64_t uid, login;

	fprintf(story->out, "  entry      %s\n", text(story->sample, "entry"));
	process_lines(story);
	fprintf(story->out, "  user       %s", text(story->sample, "user.name"));
	if (mw_field_number(story->sample, "user.uid", &uid)) {
		fprintf(story->out, " (%llu)", (unsigned long long)uid);
		if (mw_field_number(story->sample, "user.loginuid", &login) && login != uid)
			fprintf(story->out, ", who logged in as user %llu",
			        (unsigned long long)login);
	}
	fputc('\n', story->out);
	if (mw_field(story->sample, "job"))
		fprintf(story->out, "  job        %s %s, %s\n", text(story->sample, "job.kind"),
		        text(story->sample, "job.id"), trust_of(text(story->sample, "job.trust")));
	line(story, "container", "container.id");
	fprintf(story->out, "  host       %s\n", text(story->process, "host"));
}

static void tell_stack(const struct story *story)
{
	const json_t *frames = mw_field(story->sample, "python_stack");
	size_t n = json_array_size(frames);
	uint64_t number;

	fputs(n ? "  Python, innermost first:\n" : "  No Python code was on its stack.\n",
	      story->out);
	for (size_t i = 0; i < n && i < FRAMES_SHOWN; i++) {
		const json_t *frame = json_array_get(frames, i);
		const json_t *before = i ? json_array_get(frames, i - 1) : NULL;

		if (!json_is_true(json_object_get(frame, "inside")) &&
		    (!before || json_is_true(json_object_get(before, "inside"))))
			fputs("    ---- the load, asked for by\n", story->out);
		fprintf(story->out, "    %s, %s", text(frame, "function"), text(frame, "file"));
		if (mw_field_number(frame, "line", &number))
			fprintf(story->out, ":%llu", (unsigned long long)number);
		fputc('\n', story->out);
	}
	if (n > FRAMES_SHOWN)
		fprintf(story->out, "    and %zu more\n", n - FRAMES_SHOWN);
}

static void tell_relatives(const struct story *story)
{
	const struct mw_relatives *relatives = story->relatives;

	fprintf(story->out, "  %llu, of which %llu were prevented:\n",
	        (unsigned long long)relatives->count,
	        (unsigned long long)relatives->outcomes[MW_PREVENTED]);
	for (size_t i = 0; i < json_array_size(relatives->titles); i++)
		fprintf(story->out, "  - %s\n",
		        json_string_value(json_array_get(relatives->titles, i)));
	if (relatives->count > MW_WHY_RELATIVES)
		fputs("  - and so on\n", story->out);
}

static void tell_safer(const struct story *story)
{
	mw_why_safer(story->sample, story->out);
}

static void tell_next(const struct story *story)
{
	mw_why_next(story->alert, story->sample, story->out);
}

static void tell_whom(const struct story *story)
{
	mw_why_tell(story->sample, story->out);
}

static const struct {
	const char *title;
	void (*tell)(const struct story *story);
} parts[] = {
        {"What happened", tell_what},
        {"Was it prevented?", tell_prevented},
        {"By which rule", tell_rule},
        {"Who loaded it", tell_who},
        {"How it got there", tell_stack},
        {"Other alerts of the same load", tell_relatives},
        {"How to load the weights without running the file's code", tell_safer},
        {"What to do next", tell_next},
        {"Whom to tell", tell_whom},
};

static void headline(const struct story *story)
{
	static const char *const words[] = {[MW_PREVENTED] = "PREVENTED",
	                                    [MW_KILLED_AFTER_EFFECT] = "KILLED, PERHAPS TOO LATE",
	                                    [MW_OBSERVED] = "NOT PREVENTED"};
	char id[MW_ID_TEXT], time[MW_WHEN_TEXT];

	mw_id_text(story->alert->id, id);
	mw_when_text(story->alert->time, time);
	fprintf(story->out, "Alert %s: %s\nof %s, severity %s\n", id, words[story->alert->outcome],
	        time, mw_severity_name(story->alert->severity));
}

int mw_why_story(const struct mw_entry *alert, const struct mw_relatives *relatives, bool colour,
                 FILE *out)
{
	struct story story = {
	        alert,  relatives, mw_sample(alert->json), mw_sample_process(alert->json),
	        colour, out};
	int error = story.sample && story.process ? 0 : -ENOMEM;

	if (!error) {
		headline(&story);
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			if (parts[i].tell == tell_relatives && !relatives->count)
				continue;
			fprintf(out, "\n%s%s%s\n", colour ? "\033[1m" : "", parts[i].title,
			        colour ? "\033[0m" : "");
			parts[i].tell(&story);
		}
		error = ferror(out) ? -EIO : 0;
	}
	json_decref(story.sample);
	json_decref(story.process);
	return error;
}
