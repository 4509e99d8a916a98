#include "daemon_begun.h"

#include <errno.h>
#include <string.h>

#include "daemon_check.h"

int mw_k_check_begun(const void *event, size_t size)
{
	const struct mw_k_begun *begun = event;
	const struct mw_k_str *const strings[] = {
	        &begun->file.names,    &begun->open[0].names, &begun->open[1].names,
	        &begun->open[2].names, &begun->open[3].names, &begun->reader,
	        &begun->comm,
	};

	if (size < offsetof(struct mw_k_begun, strings) || size > sizeof(*begun) ||
	    begun->head.kind != MW_K_BEGUN || begun->entry >= MW_K_ENTRY_COUNT || !begun->load ||
	    begun->strings_len > size - offsetof(struct mw_k_begun, strings))
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		if ((size_t)strings[i]->at + strings[i]->len > begun->strings_len)
			return -EBADMSG;
	return 0;
}

/* An effect's parts are what everybody else takes. */
static void fill(const struct mw_k_begun *begun, struct mw_k_effect *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->head = begun->head;
	ret->uid = begun->uid;
	ret->depth = 1;
	ret->load[0] = (struct mw_k_load){
	        .id = begun->load,
	        .entry = begun->entry,
	        .fd = begun->fd,
	        .start = begun->start,
	        .file = begun->file,
	        .since = begun->head.time,
	};
	memcpy(ret->open, begun->open, sizeof(ret->open));
	ret->reader = begun->reader;
	ret->comm = begun->comm;
	memcpy(ret->strings, begun->strings, begun->strings_len);
}

static void start(struct mw_daemon_begun *b)
{
	struct mw_daemon_matter *m = &b->matter;

	b->event = (struct mw_daemon_event){.effect = &b->effect};
	m->event = &b->event;
	m->k = &b->effect;
	m->pid = (pid_t)b->effect.head.tgid;
	m->load = m->open[0] = &b->effect.load[0];
	m->depth = 1;
	m->used = 0;
	m->held_load = 0;
}

bool mw_daemon_begun(struct mw_daemon_begun *ret, const struct mw_k_begun *begun)
{
	struct mw_record *record = &ret->record;
	struct mw_str comm;

	fill(begun, &ret->effect);
	start(ret);
	comm = mw_k_text(&ret->effect, ret->effect.comm);
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)comm.len, comm.s ? comm.s : "");
	memset(record, 0, sizeof(*record));
	record->kind = MW_LOADED;
	record->tid = begun->head.tid;
	mw_daemon_take_artifact(&ret->matter);
	mw_daemon_load(&ret->matter, &record->load);
	if (!record->load.path.len && !record->load.ino) /* from where the process is */
		record->load.path = mw_k_text(&ret->effect, ret->effect.reader);
	return record->load.path.len || record->load.ino;
}
