/* The Python stack of an event, and where in it the load begins. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "../core/paths.h"
#include "daemon_matter.h"
#include "python_lines.h"

#define WHOLE_TABLE 65536

const char *mw_daemon_text(struct mw_daemon_matter *m, struct mw_str text)
{
	char *out = m->room + m->used;
	size_t len = text.s ? strnlen(text.s, text.len) : 0;

	if (!text.s || len + 1 > sizeof(m->room) - m->used)
		return NULL;
	memcpy(out, text.s, len);
	out[len] = '\0';
	m->used += len + 1;
	return out;
}

const char *mw_daemon_path(struct mw_daemon_matter *m, const struct mw_k_path *path)
{
	char text[PATH_MAX];

	if (!mw_k_path(m->k, path, text, sizeof(text)))
		return NULL;
	return mw_daemon_text(m, (struct mw_str){text, (uint32_t)strlen(text)});
}

static const char *text_or(struct mw_daemon_matter *m, struct mw_k_str s, bool cut)
{
	const char *text = cut ? NULL : mw_daemon_text(m, mw_k_text(m->k, s));

	return text ? text : "?";
}

/* From 3.11 on the kernel hands over "Class.method" and "outer.<locals>.inner". */
static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot[1] ? dot + 1 : name;
}

/* The rest of a long table is in the process, if that is still there. */
static int line_by_process(const struct mw_daemon_matter *m, const struct mw_k_frame *from,
                           struct mw_python_table *table)
{
	static uint8_t whole[WHOLE_TABLE];
	struct iovec to = {whole, sizeof(whole)};
	struct iovec there = {(void *)(uintptr_t)from->table_at, from->table_len};
	ssize_t len;

	if (from->table_len > sizeof(whole))
		return -ENODATA;
	len = process_vm_readv(m->pid, &to, 1, &there, 1, 0);
	if (len < 0 || (size_t)len < table->len || memcmp(whole, table->bytes, table->len) != 0)
		return -ENODATA;
	table->bytes = whole;
	table->len = (size_t)len;
	return mw_python_line(table, from->lasti);
}

static uint32_t line_of(const struct mw_daemon_matter *m, const struct mw_k_frame *from)
{
	const struct mw_daemon_judge_options *o = m->options;
	struct mw_python_table table = {
	        .version = o->version_of ? o->version_of(o->context, m->pid) >> 16 : 0,
	        .first_line = from->first_line,
	        .bytes = from->table,
	        .len = from->table_used,
	        .whole = from->table_len};
	int line;

	if (!table.version || !from->table_len)
		return 0;
	line = mw_python_line(&table, from->lasti);
	if (line == -ENODATA)
		line = line_by_process(m, from, &table);
	return line > 0 ? (uint32_t)line : 0;
}

void mw_daemon_take_lines(struct mw_daemon_matter *m)
{
	for (uint32_t i = 0; i < m->frame_count; i++)
		m->frame[i].line = line_of(m, &m->k->frame[i]);
}

void mw_daemon_take_frames(struct mw_daemon_matter *m)
{
	const struct mw_k_effect *k = m->k;

	m->frame_count = k->frame_count;
	for (uint32_t i = 0; i < k->frame_count; i++) {
		const struct mw_k_frame *from = &k->frame[i];
		struct mw_daemon_frame *f = &m->frame[i];

		f->qualified = text_or(m, from->name, false);
		f->function = last_part(f->qualified);
		f->file = text_or(m, from->file, from->cut);
		f->line = 0;
		f->is_static = from->is_static;
	}
}

/* Of the unpicklers that are written in Python, pickle's own and those that build on it. */
static bool is_unpickler(const struct mw_daemon_frame *f)
{
	bool method = !strcmp(f->function, "load") || !strncmp(f->function, "load_", 5);

	return method &&
	       (mw_ends_with(f->file, "/pickle.py") || mw_ends_with(f->file, "/dill/_dill.py") ||
	        mw_ends_with(f->file, "/_weights_only_unpickler.py"));
}

/* torch.load() and what it has called of its own. */
static bool is_torch(const struct mw_daemon_frame *f)
{
	return mw_ends_with(f->file, "/torch/serialization.py") ||
	       mw_ends_with(f->file, "/torch/jit/_serialization.py");
}

static uint32_t find_frame(const struct mw_daemon_matter *m, uint64_t frame)
{
	uint32_t i = 0;

	while (i < m->frame_count && (!frame || m->k->frame[i].frame != frame))
		i++;
	return i;
}

bool mw_daemon_is_torchs(const struct mw_daemon_matter *m, const struct mw_k_load *outer,
                         const struct mw_k_load *inner)
{
	uint32_t from = find_frame(m, inner->frame), to = find_frame(m, outer->frame);

	if (outer->entry != MW_K_TORCH || from >= to || to == m->frame_count)
		return false;
	for (uint32_t i = from; i < to; i++)
		if (!is_torch(&m->frame[i]) && !is_unpickler(&m->frame[i]))
			return false;
	return true;
}

bool mw_daemon_is_torch_at_work(const struct mw_daemon_matter *m)
{
	return m->load && m->load->entry == MW_K_TORCH && m->whole && m->inside < m->frame_count &&
	       is_torch(&m->frame[m->inside]);
}

/* What is called by torch's own code, or by the unpickler below that, lies inside. */
static void step_over_torch(struct mw_daemon_matter *m)
{
	while (m->inside && is_torch(&m->frame[m->inside - 1]))
		m->inside--;
	while (m->inside && is_unpickler(&m->frame[m->inside - 1]))
		m->inside--;
}

/* It is told by the frame of its load(), which lies inside of what is written in Python as a whole.
 */
static bool place_by_own_frame(struct mw_daemon_matter *m)
{
	uint32_t at = find_frame(m, m->load->frame);

	m->inside = m->frame_count;
	if (at == m->frame_count)
		return m->k->frames_cut != 0;
	m->inside = at + 1;
	m->whole = true;
	if (m->load->entry == MW_K_TORCH)
		step_over_torch(m);
	return true;
}

/* Without its frame the load is over, when there is no doubt about the others. */
static bool place_by_frame(struct mw_daemon_matter *m)
{
	m->inside = find_frame(m, m->load->frame);
	if (m->inside < m->frame_count) {
		m->whole = true;
		return true;
	}
	/* C++ calls libtorch's in threads without a Python stack. Without one, the others are of an
	 * interpreter of which nothing is known yet. */
	m->whole = m->load->entry == MW_K_TORCHSCRIPT && !m->load->frame && !m->frame_count;
	return !m->load->frame || !m->frame_count || m->k->frames_cut;
}

bool mw_daemon_place_load(struct mw_daemon_matter *m)
{
	bool open = true;

	m->inside = m->frame_count;
	m->whole = !m->k->frames_cut;
	if (m->load && mw_k_by_frame(m->load->entry))
		open = place_by_own_frame(m);
	else if (m->load)
		open = place_by_frame(m);
	m->own = m->inside;
	while (m->load && m->own && is_unpickler(&m->frame[m->own - 1]))
		m->own--;
	return open;
}
