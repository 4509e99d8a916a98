/* The load of an event as a record has it: entry point, artifact, origin, and where it stands in
 * its stream. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/callers.h"
#include "daemon_matter.h"
#include "stream.h"
#include "zip.h"

#define BEGINNING 4096
#define TAR_MAGIC 257         /* where a tar archive says what it is */
#define HELD_MOST (16u << 20) /* bytes of a stream that is looked for in files */

static struct mw_str text(const char *s)
{
	return (struct mw_str){s, s ? (uint32_t)strlen(s) : 0};
}

static const char *entry_name(uint32_t entry)
{
	static const char *const names[MW_K_ENTRY_COUNT] = {
	        [MW_K_PICKLE_LOAD] = "pickle.load",         [MW_K_PICKLE_LOADS] = "pickle.loads",
	        [MW_K_UNPICKLER] = "pickle.Unpickler.load", [MW_K_TORCHSCRIPT] = "torch.jit.load",
	        [MW_K_PURE] = "pickle._Unpickler.load",     [MW_K_TORCH] = "torch.load"};

	return names[entry];
}

/* A message of another task; a nested load is never one: its bytes came with the outer one. */
static bool is_message(const struct mw_daemon_matter *m, const struct mw_caller *caller,
                       uint32_t depth)
{
	return m->depth - m->united == 1 && !m->k->scope && depth < 4 &&
	       (!strcmp(caller->entry, "multiprocessing.spawn") ||
	        strstr(caller->entry, "Connection.recv") || strstr(caller->entry, "Queue.get"));
}

/* From the load outwards; the last one found is the outermost. */
static void look_at_callers(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	ret->entry = text(entry_name(m->open[0]->entry));
	if (!m->whole)
		return;
	for (uint32_t i = m->inside; i < m->frame_count; i++) {
		const struct mw_daemon_frame *f = &m->frame[i];
		const struct mw_caller *caller = mw_caller_find(f->file, f->function);

		if (!caller || !mw_daemon_is_installed(m, f->file))
			continue;
		ret->entry = text(caller->entry);
		if (is_message(m, caller, i - m->inside))
			ret->origin = MW_FROM_SESSION;
	}
}

/* The file of the load, or of the one around it that its bytes came with. */
static const struct mw_k_path *file_of(const struct mw_daemon_matter *m)
{
	for (uint32_t i = m->depth; i-- > 0;)
		if (mw_k_has_file(&m->open[i]->file) && m->open[i]->file.names.len)
			return &m->open[i]->file;
	return NULL;
}

static void take_reader(struct mw_daemon_matter *m)
{
	struct mw_str path = mw_k_text(m->k, m->k->reader);

	if (!path.len || path.s[0] != '/' || path.len >= sizeof(m->artifact))
		return;
	memcpy(m->artifact, path.s, path.len);
	m->artifact[path.len] = '\0';
}

void mw_daemon_take_artifact(struct mw_daemon_matter *m)
{
	const struct mw_k_path *file = m->load ? file_of(m) : NULL;
	const struct mw_daemon_origin *origin = m->birth ? m->birth->origin : NULL;

	m->artifact[0] = '\0';
	if (file)
		mw_k_path(m->k, file, m->artifact, sizeof(m->artifact));
	else if (m->load)
		take_reader(m);
	else if (origin && origin->load->path.len < sizeof(m->artifact) && origin->load->path.len)
		memcpy(m->artifact, origin->load->path.s, origin->load->path.len + 1);
}

static void set_file(struct mw_daemon_matter *m, const struct mw_k_path *file,
                     struct mw_record_load *ret)
{
	ret->path = text(mw_daemon_path(m, file));
	ret->dev = file->dev;
	ret->ino = file->ino;
}

/* Whether the file holds these very bytes, alone or as a member of an archive. */
static bool holds(struct mw_daemon_matter *m, const struct mw_k_path *file,
                  const struct mw_stream *stream)
{
	struct mw_record_load load = {.fd = -1};
	struct mw_stream whole = {0};
	char member[64];
	struct stat st;
	bool found = false;
	size_t used = m->used;
	int fd;

	set_file(m, file, &load);
	fd = mw_stream_open(m->pid, &load, &st);
	m->used = used;
	if (fd < 0)
		return false;
	if ((uint64_t)st.st_size == stream->len &&
	    !mw_stream_read(m->pid, &load, stream->len, &whole))
		found = whole.len == stream->len &&
		        !memcmp(whole.bytes, stream->bytes, stream->len);
	else
		found = !mw_zip_find(fd, (uint64_t)st.st_size, stream->bytes, stream->len, member,
		                     sizeof(member));
	mw_stream_free(&whole);
	close(fd);
	return found;
}

/* A stream in memory is told by its bytes: one of the files that the process has open may hold it.
 * Its place among them, or MW_K_FILES. */
static uint32_t search_files(struct mw_daemon_matter *m, const struct mw_record_load *load)
{
	struct mw_stream stream = {0};
	uint32_t i = MW_K_FILES;

	if (load->data_len > HELD_MOST || mw_stream_read(m->pid, load, HELD_MOST, &stream))
		return i;
	if (!stream.cut && stream.len == load->data_len)
		for (i = 0; i < MW_K_FILES; i++)
			if (mw_k_has_file(&m->k->open[i]) && m->k->open[i].names.len &&
			    holds(m, &m->k->open[i], &stream))
				break;
	mw_stream_free(&stream);
	return i;
}

/* The same for all effects of a load: it is searched for once. */
static uint32_t find_again(const struct mw_daemon_matter *m)
{
	uint32_t i = 0;

	while (i < MW_K_FILES && (!m->held_ino || m->k->open[i].ino != m->held_ino ||
	                          m->k->open[i].dev != m->held_dev))
		i++;
	return i;
}

static void find_holder(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	uint32_t i = m->held_load == ret->id ? find_again(m) : search_files(m, ret);
	const struct mw_k_path *file = i < MW_K_FILES ? &m->k->open[i] : NULL;

	m->held_load = ret->id;
	m->held_ino = file ? file->ino : 0;
	m->held_dev = file ? file->dev : 0;
	if (!file)
		return;
	set_file(m, file, ret);
	ret->origin = MW_FROM_FILE;
}

/* What a file that holds pickles begins with: one, packed or not, or an archive's header. */
static bool is_pickle(const struct mw_stream *stream)
{
	return stream->len > 1 && stream->bytes[0] == 0x80 && stream->bytes[1] <= 5;
}

static bool is_archive(const struct mw_stream *stream)
{
	return (stream->len > 4 && !memcmp(stream->bytes, "PK\3\4", 4)) ||
	       (stream->len > TAR_MAGIC + 5 && !memcmp(stream->bytes + TAR_MAGIC, "ustar", 5));
}

static bool begins(struct mw_daemon_matter *m, const struct mw_k_path *file,
                   bool (*as)(const struct mw_stream *stream))
{
	struct mw_record_load load = {.fd = -1};
	struct mw_stream stream = {0};
	size_t used = m->used;
	bool found;

	if (!mw_k_has_file(file) || !file->names.len)
		return false;
	set_file(m, file, &load);
	found = !mw_stream_read(m->pid, &load, BEGINNING, &stream) && as(&stream);
	mw_stream_free(&stream);
	m->used = used;
	return found;
}

/* The only open file that begins so. */
static const struct mw_k_path *only_file(struct mw_daemon_matter *m,
                                         bool (*as)(const struct mw_stream *stream))
{
	const struct mw_k_path *found = NULL;

	for (uint32_t i = 0; i < MW_K_FILES; i++) {
		const struct mw_k_path *file = &m->k->open[i];

		if (!begins(m, file, as))
			continue;
		if (found && (found->ino != file->ino || found->dev != file->dev))
			return NULL; /* either may be the one */
		found = file;
	}
	return found;
}

/* The reader is an object of a kind that is not known: it may unpack one of the open files. */
static void find_carrier(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	const struct mw_k_path *found = only_file(m, is_pickle);

	if (!found)
		found = only_file(m, is_archive);
	if (found)
		set_file(m, found, ret);
}

static void take_globals(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	const struct mw_k_effect *k = m->k;
	uint64_t count = m->load->globals < k->global_count ? m->load->globals : k->global_count;

	ret->globals = m->load->globals;
	for (uint64_t i = 0; i < count && i < MW_WIRE_GLOBALS; i++) {
		const char *global = k->global[k->global_count - count + i];

		ret->seen[ret->seen_count++] = text(global);
	}
}

static void take_stream(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	const struct mw_k_load *load = m->load;

	if (load->data && load->len) {
		ret->origin = MW_FROM_BYTES;
		ret->data = load->data;
		ret->data_len = load->len;
		if (m->event->stream && m->k->stream_at == load->data) {
			ret->copy = m->event->stream;
			ret->copy_len = m->k->stream_len;
		}
	} else {
		ret->fd = load->fd;
		ret->start = load->start;
	}
	/* An archive is read here and there. */
	if (load->entry != MW_K_TORCH && load->exact && load->position >= ret->start)
		ret->tell = (int64_t)(load->position - ret->start);
	ret->tell_exact = load->exact && !load->read_ahead;
}

/* Whether one of the loads around it reads from an object of a kind that is not known. */
static bool reads_unknown(const struct mw_daemon_matter *m)
{
	for (uint32_t i = 0; i + 1 < m->depth; i++)
		if (m->open[i]->entry != MW_K_TORCH && !m->open[i]->data && m->open[i]->fd < 0)
			return true;
	return false;
}

static void take_file(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	const struct mw_k_path *file = file_of(m);

	if (file) {
		set_file(m, file, ret);
	} else if (m->artifact[0]) {
		ret->path = text(m->artifact);
	} else {
		if (ret->data)
			find_holder(m, ret);
		if (!ret->path.len && (!ret->data || reads_unknown(m)))
			find_carrier(m, ret);
		if (!ret->path.len)
			return;
	}
	if (ret->origin == MW_FROM_BYTES)
		ret->origin = MW_FROM_FILE;
}

/* libtorch's reader looks its pickle up in the archive that it reads. */
static void take_archive(const struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	ret->archive = m->load->entry == MW_K_TORCH || m->load->entry == MW_K_TORCHSCRIPT;
	if (!ret->archive)
		return;
	ret->data = ret->data_len = ret->copy_len = 0;
	ret->copy = NULL;
}

static void describe_birth(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	if (m->birth && m->birth->origin)
		*ret = *m->birth->origin->load;
	else
		*ret = (struct mw_record_load){.id = m->k->scope, .fd = -1, .tell = -1};
	ret->after = m->effect.facts & MW_FACT_SCOPE;
}

void mw_daemon_load(struct mw_daemon_matter *m, struct mw_record_load *ret)
{
	if (!m->load) {
		describe_birth(m, ret);
		return;
	}
	*ret = (struct mw_record_load){.id = m->load->id,
	                               .fd = -1,
	                               .tell = -1,
	                               .origin = MW_FROM_FILE,
	                               .depth = m->depth - m->united - 1,
	                               .scope = m->k->scope,
	                               .sp = m->load->sp,
	                               .called = m->globals.called,
	                               .importing = mw_daemon_is_importing(m)};
	take_globals(m, ret);
	take_stream(m, ret);
	take_file(m, ret);
	take_archive(m, ret);
	look_at_callers(m, ret);
}
