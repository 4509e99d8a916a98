#include "unwind.h"

#include <errno.h>
#include <libunwind.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cfi.h"
#include "elf.h"
#include "maps.h"
#include "object.h"

/* Memory accesses of one unwinding, and how many of them one to a file counts for, which may have
 * to be opened. An honest frame takes some 100 to 300, hardly ever one to a file. */
#define ACCESSES_MAX (1u << 18)
#define FILE_ACCESS 64

struct mw_unwinder {
	unw_addr_space_t space;
	struct mw_objects *objects;
	const struct mw_maps *maps;
	pid_t pid;
	const struct mw_regs *regs;
	const uint8_t *stack;
	size_t stack_len;
	unsigned int accesses; /* left */
	bool in_tables;
	uint64_t bias; /* from the addresses in `cfi` to the process's */
	struct mw_cfi cfi;
	/* Where to look each frame up: at the call, which is before the address it returns to. */
	uint64_t lookup[MW_UNWIND_FRAMES_MAX];
	struct mw_elf_symbol symbols[MW_UNWIND_FRAMES_MAX];
};

/* Exported by libunwind for programs such as this one and perf, but in no header. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *,
                                       unw_proc_info_t *, int, void *);

/* Takes from `copy` the bytes it has of the word at `addr`: libunwind reads aligned words around
 * the byte it wants. False when it has none. */
static bool overlay(const uint8_t *copy, size_t len, uint64_t start, uint64_t addr, uint8_t *word)
{
	bool any = false;

	for (size_t i = 0; i < sizeof(unw_word_t); i++) {
		if (addr + i - start >= len)
			continue;
		word[i] = copy[addr + i - start];
		any = true;
	}
	return any;
}

static bool from_tables(const struct mw_unwinder *u, uint64_t addr, unw_word_t *ret)
{
	uint8_t word[sizeof(unw_word_t)] = {0};
	bool any;

	any = overlay(u->cfi.fde, u->cfi.fde_len, u->cfi.fde_vaddr + u->bias, addr, word);
	any |= overlay(u->cfi.cie, u->cfi.cie_len, u->cfi.cie_vaddr + u->bias, addr, word);
	memcpy(ret, word, sizeof(word));
	return any;
}

/* Where libunwind finds the index made for it: far from the entry, which is all else it reads in
 * the tables and which a hostile file can place at any address. */
static uint64_t index_address(const struct mw_unwinder *u)
{
	return ((u->cfi.fde_vaddr + u->bias) ^ (UINT64_C(1) << 63)) & ~UINT64_C(7);
}

static bool from_stack(const struct mw_unwinder *u, uint64_t addr, unw_word_t *ret)
{
	uint64_t at = addr - mw_regs_sp(u->regs);

	if (u->stack_len < sizeof(*ret) || at > u->stack_len - sizeof(*ret))
		return false;
	memcpy(ret, u->stack + at, sizeof(*ret));
	return true;
}

/* What is mapped writable may differ from the file. */
static bool from_file(struct mw_unwinder *u, uint64_t addr, unw_word_t *ret)
{
	const struct mw_map *map = mw_maps_find(u->maps, addr);
	struct mw_object *object;

	u->accesses -= u->accesses < FILE_ACCESS ? u->accesses : FILE_ACCESS;
	if (!map || (map->prot & MW_MAP_WRITE) || !(map->prot & MW_MAP_READ) ||
	    map->end - addr < sizeof(*ret))
		return false;
	object = mw_objects_get(u->objects, u->pid, u->maps, map);
	return object &&
	       mw_object_read(object, addr - map->start + map->offset, ret, sizeof(*ret)) >= 0;
}

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *value, int write,
                      void *arg)
{
	struct mw_unwinder *u = arg;

	(void)space;
	if (write || !u->accesses)
		return -UNW_EINVAL;
	u->accesses--;
	/* The lowest possible start of code, and the entry's distance from the base: 0. */
	if (u->in_tables && addr == index_address(u)) {
		*value = 0x80000000;
		return 0;
	}
	if (from_tables(u, addr, value))
		return 0;
	/* Only the address of the C++ personality routine is elsewhere, and nobody calls it. */
	if (u->in_tables) {
		*value = 0;
		return 0;
	}
	return from_stack(u, addr, value) || from_file(u, addr, value) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t reg, unw_word_t *value, int write,
                      void *arg)
{
	const struct mw_unwinder *u = arg;

	(void)space;
	if (write || reg < 0 || reg >= MW_REGS_COUNT)
		return -UNW_EBADREG;
	*value = u->regs->r[reg];
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t reg, unw_fpreg_t *value, int write,
                        void *arg)
{
	(void)space, (void)reg, (void)value, (void)write, (void)arg;
	return -UNW_EBADREG;
}

static int no_dynamic_info(unw_addr_space_t space, unw_word_t *ret, void *arg)
{
	(void)space, (void)ret, (void)arg;
	return -UNW_ENOINFO;
}

static int no_resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	(void)space, (void)cursor, (void)arg;
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t space, unw_word_t addr, char *buf, size_t len,
                   unw_word_t *offset, void *arg)
{
	(void)space, (void)addr, (void)buf, (void)len, (void)offset, (void)arg;
	return -UNW_ENOINFO;
}

static void put_nothing(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
	(void)space, (void)info, (void)arg;
}

/* The object that `addr` is code of, and the difference between the process's addresses and the
 * linked ones; NULL when it is not code of a readable ELF file. */
static struct mw_object *object_at(struct mw_unwinder *u, uint64_t addr, uint64_t *ret_bias)
{
	const struct mw_map *map = mw_maps_find(u->maps, addr);
	struct mw_object *object;
	uint64_t vaddr = 0;

	if (!map || !(map->prot & MW_MAP_EXEC))
		return NULL;
	object = mw_objects_get(u->objects, u->pid, u->maps, map);
	if (!object || mw_elf_vaddr(mw_object_elf(object), addr - map->start + map->offset, &vaddr))
		return NULL;
	*ret_bias = addr - vaddr;
	return object;
}

static int load_tables(struct mw_unwinder *u, uint64_t ip)
{
	struct mw_object *object;
	uint64_t fde = 0;
	int r;

	u->cfi.fde_len = 0;
	u->cfi.cie_len = 0;
	object = object_at(u, ip, &u->bias);
	if (!object)
		return -ENOENT;
	r = mw_elf_find_fde(mw_object_elf(object), ip - u->bias, &fde);
	if (r < 0)
		return r;
	return mw_cfi_load(&u->cfi, mw_object_elf(object), fde);
}

/* libunwind would search the index in the process's file. It gets one with a single entry
 * instead, which leads where the search would have ended: to an entry that was checked and that
 * cannot change under it. */
static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info,
                          int need_unwind_info, void *arg)
{
	struct mw_unwinder *u = arg;
	unw_dyn_info_t table = {0};
	int r;

	if (load_tables(u, ip) < 0)
		return -UNW_ENOINFO;
	table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
	table.start_ip = ip;
	table.end_ip = ip + 1;
	table.u.rti.segbase = u->cfi.fde_vaddr + u->bias;
	table.u.rti.table_data = index_address(u);
	table.u.rti.table_len = 1;
	u->in_tables = true;
	r = UNW_OBJ(dwarf_search_unwind_table)(space, ip, &table, info, need_unwind_info, arg);
	u->in_tables = false;
	return r;
}

int mw_unwinder_new(struct mw_unwinder **ret)
{
	static unw_accessors_t accessors = {
	        .find_proc_info = find_proc_info,
	        .put_unwind_info = put_nothing,
	        .get_dyn_info_list_addr = no_dynamic_info,
	        .access_mem = access_mem,
	        .access_reg = access_reg,
	        .access_fpreg = access_fpreg,
	        .resume = no_resume,
	        .get_proc_name = no_name,
	};
	struct mw_unwinder *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	r = mw_objects_new(&u->objects);
	if (r < 0)
		goto fail;
	u->space = unw_create_addr_space(&accessors, 0);
	if (!u->space) {
		r = -ENOMEM;
		goto fail;
	}
	/* Its cache knows code by address only, and every process has other code there. */
	unw_set_caching_policy(u->space, UNW_CACHE_NONE);
	*ret = u;
	return 0;
fail:
	mw_unwinder_free(u);
	return r;
}

void mw_unwinder_free(struct mw_unwinder *unwinder)
{
	if (!unwinder)
		return;
	if (unwinder->space)
		unw_destroy_addr_space(unwinder->space);
	mw_objects_free(unwinder->objects);
	free(unwinder);
}

static bool is_code(const struct mw_unwinder *u, uint64_t addr)
{
	const struct mw_map *map = mw_maps_find(u->maps, addr);

	return map && (map->prot & MW_MAP_EXEC);
}

/* Fills the addresses only. Where a table is missing libunwind guesses with the frame pointer; a
 * guess that is not code ends the stack. */
static size_t walk(struct mw_unwinder *u, struct mw_native_frame *frames, size_t max)
{
	unw_cursor_t cursor;
	unw_proc_info_t info;
	unw_word_t ip = 0, sp = 0;
	bool exact = true;
	size_t n = 0;

	u->cfi.fde_len = 0;
	u->cfi.cie_len = 0;
	if (unw_init_remote(&cursor, u->space, u) < 0)
		return 0;
	while (n < max && unw_get_reg(&cursor, UNW_REG_IP, &ip) >= 0) {
		u->lookup[n] = exact ? ip : ip - 1;
		if (n && !is_code(u, u->lookup[n]))
			break;
		frames[n++] = (struct mw_native_frame){.ip = ip};
		if (unw_get_proc_info(&cursor, &info) >= 0)
			frames[n - 1].start = info.start_ip;
		/* What a signal interrupted was not at a call. */
		exact = unw_is_signal_frame(&cursor) > 0;
		if (unw_step(&cursor) <= 0)
			break;
		if (unw_get_reg(&cursor, UNW_REG_SP, &sp) >= 0)
			frames[n - 1].cfa = sp;
	}
	return n;
}

static void set_object(struct mw_native_frame *frame, const char *path)
{
	size_t len = strlen(path);

	if (len >= sizeof(frame->object)) {
		path += len - (sizeof(frame->object) - 1);
		len = sizeof(frame->object) - 1;
	}
	memcpy(frame->object, path, len);
	frame->object[len] = 0;
}

/* What can be said of a frame from the map alone. */
static void place(const struct mw_unwinder *u, struct mw_native_frame *frame, uint64_t lookup)
{
	const struct mw_map *map = mw_maps_find(u->maps, lookup);

	if (!map)
		return;
	set_object(frame, mw_map_path(u->maps, map));
	frame->offset = frame->ip - map->start + map->offset;
}

static void name_frame(struct mw_native_frame *frame, uint64_t vaddr,
                       const struct mw_elf_symbol *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (symbols[i].vaddr == vaddr)
			memcpy(frame->symbol, symbols[i].name, sizeof(frame->symbol));
}

/* Names all frames that are in the object of frame `first`, in one pass over its symbols. */
static void name_object(struct mw_unwinder *u, struct mw_native_frame *frames, size_t first,
                        size_t n, bool *done)
{
	uint64_t bias = 0, bias_first = 0;
	struct mw_object *object = object_at(u, u->lookup[first], &bias_first);
	uint64_t vaddrs[MW_UNWIND_FRAMES_MAX];
	size_t of[MW_UNWIND_FRAMES_MAX];
	size_t count = 0;

	done[first] = true;
	if (!object)
		return;
	for (size_t i = first; i < n; i++) {
		if (i != first && (done[i] || strcmp(frames[i].object, frames[first].object) ||
		                   object_at(u, u->lookup[i], &bias) != object))
			continue;
		if (i == first)
			bias = bias_first;
		done[i] = true;
		frames[i].offset = frames[i].ip - bias;
		vaddrs[count] = u->lookup[i] - bias;
		u->symbols[count].vaddr = vaddrs[count];
		of[count++] = i;
	}
	if (mw_object_find_symbols(object, u->symbols, count) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		name_frame(&frames[of[i]], vaddrs[i], u->symbols, count);
}

/* `u` has all that is asked for but the frames. */
static size_t unwind(struct mw_unwinder *u, struct mw_native_frame *frames, size_t max)
{
	bool done[MW_UNWIND_FRAMES_MAX] = {false};
	size_t n;

	mw_objects_begin(u->objects);
	u->accesses = ACCESSES_MAX;
	n = walk(u, frames, max < MW_UNWIND_FRAMES_MAX ? max : MW_UNWIND_FRAMES_MAX);
	for (size_t i = 0; i < n; i++)
		place(u, &frames[i], u->lookup[i]);
	for (size_t i = 0; i < n; i++)
		if (!done[i])
			name_object(u, frames, i, n, done);
	return n;
}

int mw_unwind(struct mw_unwinder *unwinder, pid_t pid, const struct mw_maps *code,
              const struct mw_regs *regs, const uint8_t *stack, size_t stack_len,
              struct mw_native_frame *frames, size_t max)
{
	struct mw_unwinder *u = unwinder;
	struct mw_maps now = {0};
	int r = code ? 0 : mw_maps_read(pid, &now);

	if (r < 0)
		return r;
	u->maps = code ? code : &now;
	u->pid = pid;
	u->regs = regs;
	u->stack = stack;
	u->stack_len = stack_len;
	r = (int)unwind(u, frames, max);
	mw_maps_free(&now);
	return r;
}
