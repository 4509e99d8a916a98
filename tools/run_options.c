#include "run_options.h"

#include <string.h>

#include "main.h"

enum { MODE, POLICY, LABEL, FLOOR, ALERTS, LEARN, FORMAT, QUIET };

static const char *const modes[] = {"observe", "alert", "deny", "kill", NULL};
static const char *const floors[] = {"auto", "off", "require", NULL};
static const char *const formats[] = {"text", "json", NULL};

const struct mw_option mw_run_options_table[] = {
        {.name = "mode",
         .argument = "MODE",
         .id = MODE,
         .values = MW_WORDS,
         .words = modes,
         .help = "observe, alert, deny (the default) or kill"},
        {.name = "policy",
         .argument = "FILE",
         .id = POLICY,
         .values = MW_FILES,
         .help = "rules that come before those of the user and the site"},
        {.name = "label",
         .argument = "KEY=VALUE",
         .id = LABEL,
         .repeats = true,
         .help = "a label for alerts, which rules can ask for; repeatable"},
        {.name = "floor",
         .argument = "WHEN",
         .id = FLOOR,
         .values = MW_WORDS,
         .words = floors,
         .help = "auto (the default), off or require: system calls that pass libc by"},
        {.name = "alerts",
         .argument = "FILE",
         .id = ALERTS,
         .values = MW_FILES,
         .help = "append alerts to FILE as JSON Lines; %h host, %p process, %q{VAR} environment "
                 "variable"},
        {.name = "learn",
         .argument = "DIR",
         .id = LEARN,
         .values = MW_DIRECTORIES,
         .help = "stop nothing, keep the alerts in DIR, and propose in DIR/policy.yaml rules for "
                 "what they were about"},
        {.name = "format",
         .argument = "FORMAT",
         .id = FORMAT,
         .values = MW_WORDS,
         .words = formats,
         .help = "alerts on stderr as text (the default) or json"},
        {.name = "quiet", .id = QUIET, .help = "no alerts on stderr"},
        {0},
};

static int set_mode(struct mw_run_options *options, const char *word)
{
	int mode = mw_verdict_parse(word);

	if (mode < MW_OBSERVE)
		return mw_say("--mode=%s: it is observe, alert, deny or kill", word);
	options->mode = mode;
	return 0;
}

static int add_label(struct mw_run_options *options, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return mw_say("--label=%s: it is KEY=VALUE", text);
	if (!options->labels)
		options->labels = json_object();
	if (json_object_setn_new(options->labels, text, (size_t)(equals - text),
	                         json_string(equals + 1)))
		return mw_say("--label=%s: it is no text in UTF-8", text);
	return 0;
}

static int set_floor(struct mw_run_options *options, const char *word)
{
	for (int wish = MW_FLOOR_AUTO; wish <= MW_FLOOR_REQUIRE; wish++) {
		if (!strcmp(word, floors[wish])) {
			options->floor = (enum mw_floor_wish)wish;
			return 0;
		}
	}
	return mw_say("--floor=%s: it is auto, off or require", word);
}

static int set_format(struct mw_run_options *options, const char *word)
{
	if (!strcmp(word, "ocsf"))
		return mw_say("--format=ocsf: this version cannot write it");
	if (strcmp(word, "text") && strcmp(word, "json"))
		return mw_say("--format=%s: it is text or json", word);
	options->format = *word == 'j' ? MW_JSON : MW_TEXT;
	return 0;
}

int mw_run_take(void *context, int id, const char *value)
{
	struct mw_run_options *options = context;

	switch (id) {
	case MODE:
		return set_mode(options, value);
	case POLICY:
		options->policy = value;
		return 0;
	case LABEL:
		return add_label(options, value);
	case FLOOR:
		return set_floor(options, value);
	case ALERTS:
		options->alerts = value;
		return 0;
	case LEARN:
		options->learn = value;
		return 0;
	case FORMAT:
		return set_format(options, value);
	case QUIET:
		options->quiet = true;
		return 0;
	}
	return 0;
}

int mw_run_check(struct mw_run_options *options)
{
	if (!options->command[0])
		return mw_say("no command to run; see modelwatch run --help");
	if (options->learn && (options->alerts || (options->mode && options->mode != MW_OBSERVE)))
		return mw_say("--learn stops nothing and keeps the alerts itself: it goes with no "
		              "--alerts and no other --mode than observe");
	if (options->learn)
		options->mode = MW_OBSERVE;
	return MW_GO_ON;
}
