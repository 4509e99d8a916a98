#include "find.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "entry.h"
#include "journal.h"
#include "lines.h"

struct search {
	const char *prefix;
	json_t *found;
};

bool mw_is_alert_id(const char *word)
{
	size_t len = strlen(word);

	return len >= 4 && len < MW_ID_TEXT && strspn(word, "0123456789abcdef-") == len;
}

/* What no rule asks about is most of an alert, and of what all those of a file would take. */
static void lighten(json_t *alert)
{
	static const char *const heavy[] = {"python_stack", "native_stack", "process", "host"};

	for (size_t i = 0; i < sizeof(heavy) / sizeof(*heavy); i++)
		json_object_del(alert, heavy[i]);
}

/* A later line of an alert replaces an earlier one. */
static int take_line(void *context, const char *line, size_t len)
{
	struct search *search = context;
	struct mw_entry entry = {.json = NULL};
	char id[MW_ID_TEXT];

	if (line && !mw_entry_read(&entry, line, len) && entry.kind == MW_ENTRY_ALERT) {
		mw_id_text(entry.id, id);
		if (!search->prefix || !strncmp(id, search->prefix, strlen(search->prefix))) {
			lighten(entry.json);
			json_object_set(search->found, id, entry.json);
		}
	}
	mw_entry_free(&entry);
	return 0;
}

int mw_find_alerts(const char *file, const char *prefix, json_t **ret)
{
	struct search search = {.prefix = prefix, .found = json_object()};
	char journal[PATH_MAX];
	int error = search.found ? 0 : -ENOMEM;

	if (!error && !file) {
		error = mw_journal_path(journal, sizeof(journal));
		file = journal;
	}
	if (!error)
		error = mw_lines(file, take_line, &search);
	if (error) {
		json_decref(search.found);
		return error;
	}
	*ret = search.found;
	return 0;
}
