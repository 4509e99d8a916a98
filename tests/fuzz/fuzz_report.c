/* Lines of an alerts file, whatever they are: what can be read makes a report in all its forms, and
 * its text has nothing in it that a terminal or a page would obey. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/report.h"
#include "../../tools/why.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\n') || text[i] == 127)
			abort();
}

/* The page's own elements end once each; the model ends none. */
static void check_page(const char *page)
{
	int ends = 0;

	for (; (page = strstr(page, "</script")); page++)
		ends++;
	if (ends != 2)
		abort();
}

static void show(struct mw_report *report)
{
	json_t *model = mw_report_model(report);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!model || !out || mw_report_text(model, false, out) || fclose(out))
		abort();
	check_text(text, len);
	free(text);
	out = open_memstream(&text, &len);
	if (!out || mw_report_page(model, out) || fclose(out))
		abort();
	check_page(text);
	free(text);
	json_decref(model);
}

static void tell(const char *line, size_t len)
{
	struct mw_relatives relatives = {.count = 0};
	struct mw_entry entry;
	char *text = NULL;
	size_t text_len = 0;
	FILE *out;

	if (!mw_entry_read(&entry, line, len) && entry.kind == MW_ENTRY_ALERT) {
		out = open_memstream(&text, &text_len);
		if (!out || mw_why_story(&entry, &relatives, false, out) || fclose(out))
			abort();
		check_text(text, text_len);
		free(text);
	}
	mw_entry_free(&entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct mw_report report;

	if (mw_report_open(&report, 0, INT64_MAX))
		abort();
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		mw_report_line(&report, at, (size_t)(stop - at));
		tell(at, (size_t)(stop - at));
		at = stop + 1;
	}
	if (report.groups->count)
		show(&report);
	mw_report_close(&report);
	return 0;
}
