#include "daemon_check.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

static bool fits(struct mw_k_str s)
{
	return (size_t)s.at + s.len <= MW_K_STRINGS;
}

static bool are_frames_good(const struct mw_k_effect *e)
{
	for (uint32_t i = 0; i < e->frame_count; i++) {
		const struct mw_k_frame *f = &e->frame[i];

		if (!fits(f->name) || !fits(f->file) || f->table_used > MW_K_TABLE)
			return false;
	}
	return true;
}

static bool are_loads_good(const struct mw_k_effect *e)
{
	for (uint32_t i = 0; i < e->depth; i++)
		if (!e->load[i].id || e->load[i].entry >= MW_K_ENTRY_COUNT ||
		    !fits(e->load[i].file.names))
			return false;
	return true;
}

static bool are_globals_good(const struct mw_k_effect *e)
{
	for (uint32_t i = 0; i < e->global_count; i++)
		if (!memchr(e->global[i], '\0', MW_K_GLOBAL))
			return false;
	return true;
}

static bool are_strings_good(const struct mw_k_effect *e)
{
	for (uint32_t i = 0; i < MW_K_FILES; i++)
		if (!fits(e->open[i].names))
			return false;
	return fits(e->file.names) && fits(e->directory.names) && fits(e->path) && fits(e->path2) &&
	       fits(e->comm) && fits(e->argv) && fits(e->reader);
}

size_t mw_k_size(const struct mw_k_effect *e)
{
	return offsetof(struct mw_k_effect, frame) + e->frame_count * sizeof(e->frame[0]);
}

int mw_k_check(const void *event, size_t size)
{
	const struct mw_k_effect *e = event;

	if (size < offsetof(struct mw_k_effect, frame) || size > sizeof(*e) ||
	    (e->head.kind != MW_K_EFFECT && e->head.kind != MW_K_BIRTH) || e->hook >= MW_K_HOOKS ||
	    e->prevented > 1)
		return -EBADMSG;
	if (e->depth > MW_K_LOADS || e->global_count > MW_K_GLOBALS ||
	    e->frame_count > MW_K_FRAMES || size < mw_k_size(e) ||
	    e->address_len > sizeof(e->address) || e->stack_len > MW_K_STACK ||
	    e->stream_len > MW_K_STREAM)
		return -EBADMSG;
	return are_frames_good(e) && are_loads_good(e) && are_globals_good(e) && are_strings_good(e)
	               ? 0
	               : -EBADMSG;
}

struct mw_str mw_k_text(const struct mw_k_effect *e, struct mw_k_str s)
{
	return (struct mw_str){s.len ? (const char *)e->strings + s.at : NULL, s.len};
}

bool mw_k_has_file(const struct mw_k_path *path)
{
	return path->ino != 0;
}

/* Names come innermost first: they are put down from the end. */
bool mw_k_path(const struct mw_k_effect *e, const struct mw_k_path *path, char *ret, size_t size)
{
	struct mw_str names = mw_k_text(e, path->names);
	size_t at = size - 1;

	ret[0] = '\0';
	if (!names.len || path->cut)
		return false;
	ret[at] = '\0';
	for (uint32_t i = 0; i < names.len;) {
		size_t len = strnlen(names.s + i, names.len - i);

		if (len + 1 > at || len >= MW_K_PART - 1)
			goto fail;
		if (len) {
			at -= len;
			memcpy(ret + at, names.s + i, len);
			ret[--at] = '/';
		}
		i += (uint32_t)len + 1;
	}
	if (at == size - 1)
		ret[--at] = '/';
	memmove(ret, ret + at, size - at);
	return true;
fail:
	ret[0] = '\0';
	return false;
}

bool mw_k_is_file(const struct mw_k_path *path, dev_t dev, ino_t ino)
{
	return path->ino && path->ino == ino && path->dev >> 20 == major(dev) &&
	       (path->dev & 0xfffff) == minor(dev);
}
