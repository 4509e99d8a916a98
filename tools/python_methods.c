#include <elf.h>
#include <errno.h>
#include <string.h>

#include "python_image.h"
#include "python_parts.h"

#define NAMES_MAX 65536    /* read in one file; an interpreter with all its modules has 5000 */
#define TABLES_MAX 256     /* looked at as a whole */
#define NEIGHBOURS_MAX 128 /* on each side of a method */

/* ml_flags, from CPython's methodobject.h. */
enum {
	METH_O = 0x8,
	METH_FASTCALL = 0x80,
	METH_METHOD = 0x200,
	METH_ALL = 0x3ff,
};

/* PyMethodDef */
struct method {
	uint64_t name, function, flags, doc;
};

enum name {
	NAME_NONE, /* not a method */
	NAME_OTHER,
	NAME_LOAD,
	NAME_LOADS,
	NAME_DUMP,
	NAME_DUMPS,
	NAME_FIND_CLASS,
	NAME_AUDIT,
	NAME_ADDAUDITHOOK,
	NAMES
};

struct search {
	struct mw_python_sites *sites;
	const struct mw_elf *elf;
	uint32_t names, tables; /* looked at so far */
};

static bool is_code(const struct mw_elf *elf, uint64_t vaddr)
{
	const struct mw_elf_load *load = mw_elf_load_at(elf, vaddr);

	return load && (load->flags & PF_X);
}

/* Whether the 32 bytes look like a method's. The flags are 4 bytes and 4 of padding. */
static bool get_method(const struct search *search, const struct mw_image_part *part, uint64_t at,
                       struct method *ret)
{
	if (at > part->size || part->size - at < sizeof(*ret))
		return false;
	memcpy(ret, part->bytes + at, sizeof(*ret));
	return ret->flags && !(ret->flags & ~(uint64_t)METH_ALL) &&
	       (ret->function == MW_IMAGE_SYMBOL || is_code(search->elf, ret->function)) &&
	       (!ret->doc || ret->doc == MW_IMAGE_SYMBOL ||
	        mw_elf_load_at(search->elf, ret->doc)) &&
	       mw_elf_load_at(search->elf, ret->name);
}

/* Reads as much of a string as there is, up to `max` - 1 bytes. Returns 0 or what the reader
 * returned. */
static int read_string(const struct mw_elf *elf, uint64_t vaddr, char *buf, size_t max)
{
	const struct mw_elf_load *load = mw_elf_load_at(elf, vaddr);
	uint64_t left = load ? load->size - (vaddr - load->vaddr) : 0;
	size_t len = left < max - 1 ? (size_t)left : max - 1;
	int r;

	buf[0] = 0;
	r = mw_elf_read(elf, vaddr, buf, len);
	if (r < 0)
		len = 0;
	buf[len] = 0;
	return r == -EFAULT ? 0 : r;
}

/* Returns an enum name, or what the reader returned. Strings that end alike share their bytes, so
 * the name is read where the method says that it is. */
static int read_name(struct search *search, const struct mw_image_part *part, uint64_t at,
                     struct method *ret)
{
	static const char *const known[NAMES] = {[NAME_LOAD] = "load",
	                                         [NAME_LOADS] = "loads",
	                                         [NAME_DUMP] = "dump",
	                                         [NAME_DUMPS] = "dumps",
	                                         [NAME_AUDIT] = "audit",
	                                         [NAME_FIND_CLASS] = "find_class",
	                                         [NAME_ADDAUDITHOOK] = "addaudithook"};
	char name[16];
	int r;

	if (!get_method(search, part, at, ret) || search->names == NAMES_MAX)
		return NAME_NONE;
	search->names++;
	r = read_string(search->elf, ret->name, name, sizeof(name));
	if (r < 0)
		return r;
	for (int i = NAME_LOAD; i < NAMES; i++)
		if (!strcmp(name, known[i]))
			return i;
	return NAME_OTHER;
}

/* The names, as bits, that the table has on one side of the method at `at`. */
static int look_along(struct search *search, const struct mw_image_part *part, uint64_t at,
                      int64_t step, uint32_t *ret)
{
	struct method method;
	int r;

	for (size_t i = 0; i < NEIGHBOURS_MAX; i++) {
		at += (uint64_t)step;
		r = read_name(search, part, at, &method);
		if (r <= 0)
			return r;
		*ret |= 1u << r;
	}
	return 0;
}

/* marshal has functions of the same names, from 3.13 on called in the same way. pickle's alone have
 * this argument; where there are no docstrings the order in the table tells: dump, dumps, load,
 * loads. */
static int is_pickle(struct search *search, const struct mw_image_part *part, uint64_t at,
                     const struct method *method, enum name name)
{
	struct method before;
	char doc[256] = "";
	int r;

	if (method->doc && method->doc != MW_IMAGE_SYMBOL) {
		r = read_string(search->elf, method->doc, doc, sizeof(doc));
		if (r < 0)
			return r;
	}
	if (doc[0])
		return strstr(doc, "fix_imports") != NULL;
	r = read_name(search, part, at - sizeof(before), &before);
	return r < 0 ? r : r == (name == NAME_LOAD ? NAME_DUMPS : NAME_LOAD);
}

/* Which kind of site the method is, by its name and those beside it; -1: none. Errors are as in
 * mw_python_sites(), so -1 is in `ret`. */
static int find_kind(struct search *search, const struct mw_image_part *part, uint64_t at,
                     const struct method *method, enum name name, int *ret)
{
	const uint32_t module = 1u << NAME_DUMP | 1u << NAME_DUMPS;
	uint32_t beside = 0;
	int r;

	*ret = -1;
	r = look_along(search, part, at, sizeof(struct method), &beside);
	if (r >= 0)
		r = look_along(search, part, at, -(int64_t)sizeof(struct method), &beside);
	if (r < 0)
		return r;
	if (name == NAME_FIND_CLASS && beside & 1u << NAME_LOAD)
		*ret = MW_K_FIND_CLASS;
	else if (name == NAME_AUDIT && beside & 1u << NAME_ADDAUDITHOOK)
		*ret = MW_K_SYS_AUDIT;
	else if (name == NAME_LOAD && beside & 1u << NAME_FIND_CLASS)
		*ret = MW_K_UNPICKLER;
	else if ((name == NAME_LOAD || name == NAME_LOADS) && (beside & module) == module)
		*ret = name == NAME_LOAD ? MW_K_PICKLE_LOAD : MW_K_PICKLE_LOADS;
	if (*ret != MW_K_PICKLE_LOAD && *ret != MW_K_PICKLE_LOADS)
		return 0;
	r = is_pickle(search, part, at, method, name);
	if (!r)
		*ret = -1;
	return r < 0 ? r : 0;
}

/* -1: not a known one. */
static int convention(uint32_t kind, uint64_t flags)
{
	if (kind == MW_K_UNPICKLER)
		return MW_BY_SELF;
	if (flags & METH_METHOD)
		return flags & METH_FASTCALL ? MW_BY_METHOD : -1;
	if (flags & METH_FASTCALL)
		return MW_BY_FAST;
	return flags & METH_O ? MW_BY_OBJECT : -1;
}

static int add_method(struct search *search, const struct method *method, uint32_t kind)
{
	int how = convention(kind, method->flags);

	if (how < 0 || method->function == MW_IMAGE_SYMBOL) {
		mw_sites_refuse(search->sites, kind, method->function,
		                how < 0 ? MW_SITE_CONVENTION : MW_SITE_ELSEWHERE);
		return 0;
	}
	return mw_sites_add(search->sites, search->elf,
	                    (struct mw_site){.kind = kind,
	                                     .convention = (uint32_t)how,
	                                     .entry = method->function});
}

static int look_at(struct search *search, const struct mw_image_part *part, uint64_t at)
{
	struct method method;
	int r, kind;

	r = read_name(search, part, at, &method);
	if (r < 0)
		return r;
	if (r != NAME_LOAD && r != NAME_LOADS && r != NAME_FIND_CLASS && r != NAME_AUDIT)
		return 0;
	if (search->tables++ >= TABLES_MAX)
		return 0;
	r = find_kind(search, part, at, &method, (enum name)r, &kind);
	return r < 0 || kind < 0 ? r : add_method(search, &method, (uint32_t)kind);
}

/* A file that is big and no interpreter is not worth a word. */
static int is_pickles(const struct search *search, const struct mw_elf_dynamic *dynamic)
{
	struct mw_elf_export symbol;
	int r;

	if (search->sites->runtime)
		return 1;
	r = mw_elf_find_export(search->elf, dynamic, "PyInit__pickle", &symbol);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int mw_sites_methods(struct mw_python_sites *sites, const struct mw_elf *elf,
                     const struct mw_elf_dynamic *dynamic)
{
	struct search search = {.sites = sites, .elf = elf};
	struct mw_image image;
	int r;

	r = mw_image_read(elf, dynamic, &image);
	if (r == -EFBIG) {
		r = is_pickles(&search, dynamic);
		return r > 0 ? -EFBIG : r;
	}
	for (size_t i = 0; r >= 0 && i < image.count; i++) {
		const struct mw_image_part *part = &image.part[i];

		/* Every segment starts at some byte of a page, its variables at whole words. */
		for (uint64_t at = -part->vaddr & 7; r >= 0 && at + 32 <= part->size; at += 8)
			r = look_at(&search, part, at);
	}
	mw_image_free(&image);
	return r;
}
