#include "daemon_code.h"

#include <stdlib.h>

static struct mw_code *make(pid_t pid, uint64_t start, uint64_t since)
{
	struct mw_code *code = calloc(1, sizeof(*code));

	if (code)
		*code = (struct mw_code){.pid = pid, .start = start, .since = since};
	return code;
}

struct mw_code *mw_code_new(pid_t pid, uint64_t start, uint64_t since)
{
	struct mw_code *code = make(pid, start, since);

	if (code && !mw_maps_read(pid, &code->maps))
		mw_maps_keep_code(&code->maps);
	return code;
}

struct mw_code *mw_code_inherit(const struct mw_code *parent, pid_t pid, uint64_t start)
{
	struct mw_code *code = parent ? make(pid, start, 0) : NULL;

	if (code)
		code->incomplete = parent->incomplete;
	if (!code || !mw_maps_copy(&parent->maps, &code->maps))
		return code;
	free(code);
	return NULL;
}

void mw_code_free(struct mw_code *code)
{
	if (!code)
		return;
	mw_maps_free(&code->maps);
	free(code);
}

void mw_code_put(struct mw_code *code, const struct mw_mapping *mapping)
{
	const struct mw_map map = {
	        .start = mapping->address,
	        .end = mapping->address + mapping->length,
	        .offset = mapping->offset,
	        .ino = mapping->ino,
	        .dev = mapping->dev,
	        .prot = mapping->prot,
	};

	if (code->incomplete || !mw_maps_put(&code->maps, &map, mapping->path))
		return;
	code->incomplete = true;
	mw_maps_free(&code->maps);
}

void mw_code_end(struct mw_code_past *past, struct mw_code *code)
{
	struct mw_code **place = &past->code[past->next % MW_CODE_PAST];

	if (!code)
		return;
	mw_code_free(*place);
	*place = code;
	past->next++;
}

const struct mw_code *mw_code_find(const struct mw_code_past *past, pid_t pid, uint64_t start,
                                   uint64_t time)
{
	for (uint32_t i = 1; i <= MW_CODE_PAST; i++) {
		const struct mw_code *code = past->code[(past->next - i) % MW_CODE_PAST];

		if (code && code->pid == pid && (!code->start || code->start == start) &&
		    code->since <= time)
			return code;
	}
	return NULL;
}

void mw_code_forget(struct mw_code_past *past)
{
	for (size_t i = 0; i < MW_CODE_PAST; i++)
		mw_code_free(past->code[i]);
	*past = (struct mw_code_past){.next = 0};
}
