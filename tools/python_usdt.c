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
	uint64_t base; /* where .stapsdt.base is linked now; 0: the file has none */
};

/* One argument: "8@%rdi", where the 8 is its size, negative if signed. */
static int8_t parse_argument(const char *text, size_t len)
{
	if (len > 1 && *text == '-')
		text++, len--;
	if (len < 4 || memcmp(text, "8@%", 3))
		return -1;
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		if (strlen(registers[i]) == len - 3 && !memcmp(registers[i], text + 3, len - 3))
			return (int8_t)i;
	return -1;
}

static void parse_arguments(const char *text, int8_t ret[static 2])
{
	for (size_t i = 0; i < 2; i++) {
		size_t len;

		text += strspn(text, " ");
		len = strcspn(text, " ");
		ret[i] = parse_argument(text, len);
		text += len;
	}
}

static int add_audit(const struct notes *notes, const uint64_t addresses[static 3],
                     const char *arguments)
{
	/* What was linked before (prelink) moved, and the note did not. */
	uint64_t moved = notes->base ? notes->base - addresses[1] : 0;
	struct mw_site site = {.kind = MW_K_USDT_AUDIT, .convention = MW_BY_USDT};
	const struct mw_elf_load *load;

	site.entry = addresses[0] + moved;
	parse_arguments(arguments, site.usdt_arg);
	if (addresses[2]) {
		load = mw_elf_load_at(notes->elf, addresses[2] + moved);
		if (!load || !(load->flags & PF_W)) {
			mw_sites_refuse(notes->sites, site.kind, site.entry, MW_SITE_SEMAPHORE);
			return 0;
		}
		site.semaphore = addresses[2] + moved - load->vaddr + load->offset;
	}
	return mw_sites_add(notes->sites, notes->elf, site);
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
