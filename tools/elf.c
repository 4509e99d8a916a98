#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define SEGMENTS_MAX 64
#define CHUNK 65536

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

static bool inside(const struct mw_elf *elf, uint64_t offset, uint64_t len)
{
	return offset <= elf->size && len <= elf->size - offset;
}

int mw_elf_read_at(const struct mw_elf *elf, uint64_t offset, void *buf, size_t len)
{
	if (!inside(elf, offset, len))
		return -EFAULT;
	return elf->read(elf->userdata, offset, buf, len);
}

static void add_segment(struct mw_elf *elf, const Elf64_Phdr *segment)
{
	if (!inside(elf, segment->p_offset, segment->p_filesz) ||
	    segment->p_filesz > UINT64_MAX - segment->p_vaddr)
		return;
	if (segment->p_type == PT_LOAD && elf->load_count < MW_ELF_LOADS_MAX) {
		elf->loads[elf->load_count++] = (struct mw_elf_load){
		        .vaddr = segment->p_vaddr,
		        .offset = segment->p_offset,
		        .size = segment->p_filesz,
		        .flags = segment->p_flags,
		};
	} else if (segment->p_type == PT_GNU_EH_FRAME) {
		elf->frames_vaddr = segment->p_vaddr;
		elf->frames = (struct mw_elf_table){segment->p_offset, segment->p_filesz};
	} else if (segment->p_type == PT_DYNAMIC) {
		elf->dynamic = (struct mw_elf_table){segment->p_offset, segment->p_filesz};
	}
}

static int read_segments(struct mw_elf *elf, const Elf64_Ehdr *header)
{
	Elf64_Phdr segments[SEGMENTS_MAX];
	size_t count = header->e_phnum;
	int r;

	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	if (count > SEGMENTS_MAX)
		count = SEGMENTS_MAX;
	r = mw_elf_read_at(elf, header->e_phoff, segments, count * sizeof(Elf64_Phdr));
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		add_segment(elf, &segments[i]);
	return 0;
}

static int read_section(const struct mw_elf *elf, const Elf64_Ehdr *header, size_t i,
                        Elf64_Shdr *ret)
{
	uint64_t at = i * sizeof(Elf64_Shdr);

	if (!inside(elf, header->e_shoff, at))
		return -EFAULT;
	return mw_elf_read_at(elf, header->e_shoff + at, ret, sizeof(Elf64_Shdr));
}

static int use_symbols(struct mw_elf *elf, const Elf64_Ehdr *header, const Elf64_Shdr *section)
{
	Elf64_Shdr names;
	int r;

	if (section->sh_entsize != sizeof(Elf64_Sym) || section->sh_link >= header->e_shnum)
		return 0;
	r = read_section(elf, header, section->sh_link, &names);
	if (r < 0)
		return r;
	if (names.sh_type != SHT_STRTAB || !inside(elf, names.sh_offset, names.sh_size) ||
	    !inside(elf, section->sh_offset, section->sh_size))
		return 0;
	elf->symbols = (struct mw_elf_table){section->sh_offset, section->sh_size};
	elf->names = (struct mw_elf_table){names.sh_offset, names.sh_size};
	return 0;
}

/* .symtab has everything .dynsym has, so it wins. A file without sections only has no names. */
static int read_sections(struct mw_elf *elf, const Elf64_Ehdr *header)
{
	Elf64_Shdr section;
	int r;

	if (header->e_shentsize != sizeof(Elf64_Shdr) || !inside(elf, header->e_shoff, 0))
		return 0;
	for (size_t i = 0; i < header->e_shnum; i++) {
		r = read_section(elf, header, i, &section);
		if (r == -EFAULT)
			return 0;
		if (r < 0)
			return r;
		if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM)
			continue;
		r = use_symbols(elf, header, &section);
		if (r < 0 && r != -EFAULT)
			return r;
		if (section.sh_type == SHT_SYMTAB && elf->symbols.offset == section.sh_offset)
			return 0;
	}
	return 0;
}

int mw_elf_open(struct mw_elf *ret, mw_elf_read_fn *read, void *userdata, uint64_t size)
{
	struct mw_elf elf = {.read = read, .userdata = userdata, .size = size};
	Elf64_Ehdr header;
	int r;

	r = mw_elf_read_at(&elf, 0, &header, sizeof(header));
	if (r < 0)
		return r == -EFAULT ? -ENOEXEC : r;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != MACHINE)
		return -ENOEXEC;
	r = read_segments(&elf, &header);
	if (r < 0)
		return r == -EFAULT ? -ENOEXEC : r;
	r = read_sections(&elf, &header);
	if (r < 0)
		return r;
	*ret = elf;
	return 0;
}

int mw_elf_vaddr(const struct mw_elf *elf, uint64_t offset, uint64_t *ret)
{
	for (size_t i = 0; i < elf->load_count; i++) {
		const struct mw_elf_load *load = &elf->loads[i];

		if (!(load->flags & PF_X) || offset < load->offset ||
		    offset - load->offset >= load->size)
			continue;
		*ret = load->vaddr + (offset - load->offset);
		return 0;
	}
	return -ENOENT;
}

const struct mw_elf_load *mw_elf_load_at(const struct mw_elf *elf, uint64_t vaddr)
{
	for (size_t i = 0; i < elf->load_count; i++)
		if (vaddr >= elf->loads[i].vaddr &&
		    vaddr - elf->loads[i].vaddr < elf->loads[i].size)
			return &elf->loads[i];
	return NULL;
}

int mw_elf_read(const struct mw_elf *elf, uint64_t vaddr, void *buf, size_t len)
{
	for (size_t i = 0; i < elf->load_count; i++) {
		const struct mw_elf_load *load = &elf->loads[i];
		uint64_t at = vaddr - load->vaddr;

		if (vaddr >= load->vaddr && at <= load->size && len <= load->size - at)
			return mw_elf_read_at(elf, load->offset + at, buf, len);
	}
	return -EFAULT;
}

/* A function that starts later is the more exact name; of several names of one function the
 * global one is the one in the documentation. */
static void offer(struct mw_elf_symbol *query, const Elf64_Sym *symbol)
{
	uint32_t rank = ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL ? 2 : 1;

	if (query->vaddr < symbol->st_value || query->vaddr - symbol->st_value >= symbol->st_size)
		return;
	if (query->rank && (symbol->st_value < query->value ||
	                    (symbol->st_value == query->value && rank <= query->rank)))
		return;
	query->rank = rank;
	query->value = symbol->st_value;
	query->name_offset = symbol->st_name;
}

static void scan(const Elf64_Sym *symbols, size_t n, struct mw_elf_symbol *queries, size_t count)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t q = 0; q < count; q++) {
		low = queries[q].vaddr < low ? queries[q].vaddr : low;
		high = queries[q].vaddr > high ? queries[q].vaddr : high;
	}
	for (size_t i = 0; i < n; i++) {
		if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC ||
		    symbols[i].st_shndx == SHN_UNDEF || symbols[i].st_value > high ||
		    (symbols[i].st_value < low && low - symbols[i].st_value >= symbols[i].st_size))
			continue;
		for (size_t q = 0; q < count; q++)
			offer(&queries[q], &symbols[i]);
	}
}

/* An unreadable or unterminated name is cut where it can be read no further. */
static int read_name(const struct mw_elf *elf, struct mw_elf_symbol *query)
{
	size_t len = sizeof(query->name) - 1;
	int r;

	if (query->name_offset >= elf->names.size)
		return 0;
	if (len > elf->names.size - query->name_offset)
		len = (size_t)(elf->names.size - query->name_offset);
	r = mw_elf_read_at(elf, elf->names.offset + query->name_offset, query->name, len);
	if (r < 0)
		len = 0;
	query->name[len] = 0;
	return r;
}

int mw_elf_find_symbols(const struct mw_elf *elf, struct mw_elf_symbol *symbols, size_t count)
{
	Elf64_Sym chunk[CHUNK / sizeof(Elf64_Sym)];
	const size_t max = sizeof(chunk) / sizeof(chunk[0]);
	uint64_t total = elf->symbols.size / sizeof(Elf64_Sym);
	size_t n;
	int r;

	if (total > MW_ELF_SYMBOLS_MAX)
		total = MW_ELF_SYMBOLS_MAX;
	for (size_t i = 0; i < count; i++) {
		symbols[i].rank = 0;
		symbols[i].name[0] = 0;
	}
	for (uint64_t done = 0; done < total; done += n) {
		n = total - done < max ? (size_t)(total - done) : max;
		r = mw_elf_read_at(elf, elf->symbols.offset + done * sizeof(Elf64_Sym), chunk,
		                   n * sizeof(Elf64_Sym));
		if (r < 0)
			return r;
		scan(chunk, n, symbols, count);
	}
	for (size_t i = 0; i < count; i++) {
		r = symbols[i].rank ? read_name(elf, &symbols[i]) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
