#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python_parts.h"

#define NOTES_MAX (1u << 20)
#define STAPSDT 3

/* As core/regs.h numbers them. */
static const char *const registers[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

struct notes {
	struct mw_python_sites *sites;
	const struct mw_elf *elf;
	uint64_t base;              /* where .stapsdt.base is linked now; 0: the file has none */
	uint64_t semaphores;        /* where .probes is, which has them all ... */
	struct mw_elf_table probes; /* ... and how large */
};

/* "%rdi" */
static bool parse_register(const char *text, size_t len, uint8_t *ret)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		if (len != strlen(registers[i]) + 1 || *text != '%' ||
		    memcmp(registers[i], text + 1, len - 1))
			continue;
		*ret = (uint8_t)i;
		return true;
	}
	return false;
}

/* "(%rbp)", with a number before it where it is not 0. The text goes on with a space or its end. */
static bool parse_memory(const char *text, size_t len, struct mw_usdt_arg *ret)
{
	size_t digits = strcspn(text, "( ");
	char *end = (char *)text;
	long distance = 0;

	if (digits && (isdigit((unsigned char)*text) || *text == '-'))
		distance = strtol(text, &end, 10);
	if (end != text + digits || distance < INT32_MIN || distance > INT32_MAX)
		return false;
	ret->in_memory = true;
	ret->distance = (int32_t)distance;
	text += digits + 1;
	len -= digits;
	return len > 2 && text[len - 2] == ')' && parse_register(text, len - 2, &ret->reg);
}

/* "8@%rdi" or "8@-16(%rbp)", where the 8 is its size, negative if signed. */
static bool parse_argument(const char *text, size_t len, struct mw_usdt_arg *ret)
{
	*ret = (struct mw_usdt_arg){0};
	if (len && *text == '-')
		text++, len--;
	if (len < 4 || memcmp(text, "8@", 2))
		return false;
	return parse_register(text + 2, len - 2, &ret->reg) || parse_memory(text + 2, len - 2, ret);
}

static bool parse_arguments(const char *text, struct mw_usdt_arg ret[static 2])
{
	for (size_t i = 0; i < 2; i++) {
		size_t len;

		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (!parse_argument(text, len, &ret[i]))
			return false;
		text += len;
	}
	return true;
}

/* The kernel counts it up in every process: nothing else may lie there. Returns whether it is one,
 * and where in the file. */
static bool find_semaphore(const struct notes *notes, uint64_t vaddr, uint64_t *ret)
{
	const struct mw_elf_load *load = mw_elf_load_at(notes->elf, vaddr);

	if (!load || !(load->flags & PF_W) || vaddr < notes->semaphores ||
	    vaddr - notes->semaphores >= notes->probes.size)
		return false;
	*ret = vaddr - load->vaddr + load->offset;
	return !(*ret % sizeof(uint16_t));
}

static int add_audit(const struct notes *notes, const uint64_t addresses[static 3],
                     const char *arguments)
{
	/* What was linked before (prelink) moved, and the note did not. */
	uint64_t moved = notes->base ? notes->base - addresses[1] : 0;
	struct mw_site site = {.kind = MW_K_SYS_AUDIT, .convention = MW_BY_USDT};
	bool known = parse_arguments(arguments, site.usdt_arg);

	site.entry = addresses[0] + moved;
	if (known &&
	    (!addresses[2] || find_semaphore(notes, addresses[2] + moved, &site.semaphore)))
		return mw_sites_add(notes->sites, notes->elf, site);
	mw_sites_refuse(notes->sites, site.kind, site.entry,
	                known ? MW_SITE_SEMAPHORE : MW_SITE_CONVENTION);
	return 0;
}

/* Description: the instruction, .stapsdt.base as it was linked, the semaphore; then provider, name
 * and arguments, each ended by a NUL. */
static int read_note(const struct notes *notes, const char *text, size_t len)
{
	uint64_t addresses[3];
	const char *name, *arguments, *end = text + len;

	if (len < sizeof(addresses))
		return 0;
	memcpy(addresses, text, sizeof(addresses));
	text += sizeof(addresses);
	name = memchr(text, 0, (size_t)(end - text));
	arguments = name ? memchr(name + 1, 0, (size_t)(end - name - 1)) : NULL;
	if (!arguments || !memchr(arguments + 1, 0, (size_t)(end - arguments - 1)))
		return 0;
	if (strcmp(text, "python") || strcmp(name + 1, "audit"))
		return 0;
	return add_audit(notes, addresses, arguments + 1);
}

static size_t padded(uint32_t len)
{
	return ((size_t)len + 3) & ~(size_t)3;
}

static int read_notes(const struct notes *notes, const char *text, size_t len)
{
	Elf64_Nhdr header;
	int r;

	for (size_t at = 0; len - at >= sizeof(header);) {
		memcpy(&header, text + at, sizeof(header));
		at += sizeof(header);
		if (padded(header.n_namesz) > len - at ||
		    header.n_descsz > len - at - padded(header.n_namesz))
			return 0;
		if (header.n_type == STAPSDT && header.n_namesz == sizeof("stapsdt") &&
		    !memcmp(text + at, "stapsdt", sizeof("stapsdt"))) {
			r = read_note(notes, text + at + padded(header.n_namesz), header.n_descsz);
			if (r < 0)
				return r;
		}
		at += padded(header.n_namesz) + padded(header.n_descsz);
		if (at > len)
			return 0;
	}
	return 0;
}

int mw_sites_usdt(struct mw_python_sites *sites, const struct mw_elf *elf)
{
	struct notes notes = {.sites = sites, .elf = elf};
	struct mw_elf_table section, base;
	uint64_t vaddr;
	char *text;
	int r;

	r = mw_elf_find_section(elf, ".note.stapsdt", &vaddr, &section);
	if (r < 0 || !section.size || section.size > NOTES_MAX)
		return r == -ENOENT ? 0 : r;
	r = mw_elf_find_section(elf, ".stapsdt.base", &notes.base, &base);
	if (!r || r == -ENOENT)
		r = mw_elf_find_section(elf, ".probes", &notes.semaphores, &notes.probes);
	if (r < 0 && r != -ENOENT)
		return r;
	text = malloc(section.size);
	if (!text)
		return -ENOMEM;
	r = mw_elf_read_at(elf, section.offset, text, section.size);
	if (!r)
		r = read_notes(&notes, text, section.size);
	free(text);
	return r == -EFAULT ? 0 : r;
}
