#include <errno.h>
#include <string.h>

#include "python_parts.h"

#define READER "_ZN6caffe29serialize19PyTorchStreamReader"
#define PARSE_IVALUE "_ZN5torch3jit9Unpickler12parse_ivalueEv"

struct found {
	struct mw_python_sites *sites;
	const struct mw_elf *elf;
	int r;
};

static bool begins(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* Constructors are C1 to C3 and destructors D0 to D2, a complete object's and a base's, which are
 * mostly one function. An inheriting constructor (CI) is none of the reader's own. */
static void add_reader(void *userdata, const struct mw_elf_export *symbol, const char *rest)
{
	struct found *found = userdata;
	struct mw_site site = {.convention = MW_BY_THIS, .entry = symbol->value};
	bool opens = rest[0] == 'C' && rest[1] >= '1' && rest[1] <= '3';
	bool closes = rest[0] == 'D' && rest[1] >= '0' && rest[1] <= '2';

	if (found->r < 0 || (!opens && !closes))
		return;
	site.kind = opens ? MW_K_READER_OPEN : MW_K_READER_CLOSE;
	/* Either ABI of std::string, and only as the first argument. */
	site.takes_path = opens && (begins(rest + 2, "ERKNSt7__cxx1112basic_stringIcSt11char_"
	                                             "traitsIcESaIcEE") ||
	                            begins(rest + 2, "ERKSs"));
	found->r = mw_sites_add(found->sites, found->elf, site);
}

int mw_sites_torch(struct mw_python_sites *sites, const struct mw_elf *elf,
                   const struct mw_elf_dynamic *dynamic)
{
	struct found found = {sites, elf, 0};
	struct mw_elf_export symbol;
	int r;

	r = mw_elf_find_export(elf, dynamic, PARSE_IVALUE, &symbol);
	if (r == -ENOENT)
		r = 0;
	else if (!r)
		r = mw_sites_add(sites, elf,
		                 (struct mw_site){.kind = MW_K_TORCHSCRIPT,
		                                  .convention = MW_BY_THIS,
		                                  .entry = symbol.value});
	if (r < 0)
		return r;
	/* The constructors cannot be looked up: what they take differs between versions. */
	r = mw_elf_find_export(elf, dynamic, READER "D1Ev", &symbol);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = mw_elf_each_export(elf, dynamic, READER, add_reader, &found);
	return found.r < 0 ? found.r : r;
}
