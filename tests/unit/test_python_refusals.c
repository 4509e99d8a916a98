/* Files made for it: what is found in each, and what a changed byte does to that. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/elf_dynamic.h"
#include "../../tools/python_sites.h"

#define SEEDS "tests/fuzz/seeds/python_sites/"
#define FILE_MAX 16384

/* A file in memory. After `reads` more reads everything fails; a negative number is never there. */
struct file {
	uint8_t bytes[FILE_MAX];
	size_t size;
	long reads;
	struct mw_elf elf;
	struct mw_python_sites sites;
};

static struct file file;

static int read_file(void *userdata, uint64_t offset, void *buf, size_t len)
{
	struct file *f = userdata;

	if (!f->reads)
		return -EIO;
	f->reads--;
	assert_true(offset <= f->size && len <= f->size - offset);
	memcpy(buf, f->bytes + offset, len);
	return 0;
}

static void load(const char *name)
{
	char path[256];
	FILE *in;

	snprintf(path, sizeof(path), SEEDS "%s", name);
	in = fopen(path, "r");
	assert_non_null(in);
	file.size = fread(file.bytes, 1, sizeof(file.bytes), in);
	fclose(in);
	assert_in_range(file.size, 64, sizeof(file.bytes) - 1);
	file.reads = -1;
}

static int find(void)
{
	int r;

	r = mw_elf_open(&file.elf, read_file, &file, file.size);
	return r < 0 ? r : mw_python_sites(&file.elf, &file.sites);
}

static void find_in(const char *name)
{
	load(name);
	assert_int_equal(find(), 0);
}

static const struct mw_site *site(uint32_t kind)
{
	for (uint32_t i = 0; i < file.sites.count; i++)
		if (file.sites.site[i].kind == kind)
			return &file.sites.site[i];
	return NULL;
}

/* Why it was refused; -1: it was not. */
static int refusal(uint32_t kind)
{
	for (uint32_t i = 0; i < file.sites.refused_count; i++)
		if (file.sites.refused[i].kind == kind)
			return (int)file.sites.refused[i].why;
	return -1;
}

static void has_pickle(void)
{
	static const uint32_t expected[][2] = {
	        {MW_K_PICKLE_LOAD, MW_BY_FAST}, {MW_K_PICKLE_LOADS, MW_BY_FAST},
	        {MW_K_UNPICKLER, MW_BY_SELF},   {MW_K_FIND_CLASS, MW_BY_METHOD},
	        {MW_K_SYS_AUDIT, MW_BY_FAST},
	};

	for (size_t i = 0; i < 5; i++) {
		assert_non_null(site(expected[i][0]));
		assert_int_equal(site(expected[i][0])->convention, expected[i][1]);
	}
	assert_int_equal(file.sites.count, 5);
	assert_int_equal(file.sites.refused_count, 0);
	assert_false(file.sites.wants_pickle);
}

/* Relocations with their addends beside them, packed ones, and none. */
static void every_way_to_relocate(void **state)
{
	(void)state;
	find_in("library");
	has_pickle();
	assert_int_equal(file.sites.version, 0x030b);
	assert_int_not_equal(file.sites.runtime, 0);
	assert_int_equal(site(MW_K_UNPICKLER)->body_count, 4);
	assert_int_equal(site(MW_K_UNPICKLER)->offset, site(MW_K_UNPICKLER)->entry);
	find_in("packed");
	has_pickle();
	find_in("program");
	has_pickle();
	assert_int_equal(file.sites.runtime, 0);
	assert_int_equal(site(MW_K_UNPICKLER)->entry - site(MW_K_UNPICKLER)->offset, 0x400000);
}

static void has_torch(void)
{
	size_t opens = 0, paths = 0;

	assert_int_equal(file.sites.count, 4);
	assert_non_null(site(MW_K_TORCHSCRIPT));
	assert_non_null(site(MW_K_READER_CLOSE));
	for (uint32_t i = 0; i < file.sites.count; i++) {
		assert_int_equal(file.sites.site[i].convention, MW_BY_THIS);
		opens += file.sites.site[i].kind == MW_K_READER_OPEN;
		paths += file.sites.site[i].takes_path;
	}
	assert_int_equal(opens, 2);
	assert_int_equal(paths, 1);
}

static void either_hash_table(void **state)
{
	(void)state;
	find_in("torch");
	has_torch();
	find_in("torch-sysv");
	has_torch();
}

/* Past an endbr64 there is nothing on the stack yet. */
static void is_put_behind_endbr64(void **state)
{
	(void)state;
	find_in("packed");
	assert_memory_equal(file.bytes + site(MW_K_UNPICKLER)->entry, "\xf3\x0f\x1e\xfa", 4);
	assert_int_equal(site(MW_K_UNPICKLER)->offset, site(MW_K_UNPICKLER)->entry + 4);
}

/* How _pickle.Unpickler.load() begins, and what becomes of it. */
static void first_instructions(void **state)
{
	static const struct {
		const char *code;
		size_t len;
		int why; /* -1: a site */
		bool slow;
	} cases[] = {
	        {"\x55", 1, -1, false},
	        {"\x41\x57", 2, -1, false},
	        {"\x90", 1, -1, false},
	        {"\x48\x83\xec\x08", 4, -1, true},
	        {"\xf3\x0f\x1e\xfa\x55", 5, -1, false},
	        {"\x0f\x1f\x44\x00\x00\x55", 6, MW_SITE_NOP5, false},
	        {"\xf3\x0f\x1e\xfa\x0f\x1f\x44\x00\x00\x55", 10, MW_SITE_NOP5, false},
	        {"\xcc", 1, MW_SITE_TRAP, false},
	        {"\x0f\x05", 2, MW_SITE_TRAP, false},
	};

	(void)state;
	find_in("library");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t at;

		find_in("library");
		at = site(MW_K_UNPICKLER)->offset;
		memcpy(file.bytes + at, cases[i].code, cases[i].len);
		assert_int_equal(find(), 0);
		assert_int_equal(refusal(MW_K_UNPICKLER), cases[i].why);
		assert_int_equal(site(MW_K_UNPICKLER) != NULL, cases[i].why < 0);
		if (cases[i].why < 0)
			assert_int_equal(site(MW_K_UNPICKLER)->slow, cases[i].slow);
		assert_false(file.sites.wants_pickle);
	}
}

/* The only place in the file with these bytes. */
static uint8_t *the(const void *bytes, size_t len)
{
	uint8_t *found = memmem(file.bytes, file.size, bytes, len);

	assert_non_null(found);
	assert_null(memmem(found + 1, file.size - (size_t)(found + 1 - file.bytes), bytes, len));
	return found;
}

/* A table may point anywhere. */
static void is_the_start_of_a_function(void **state)
{
	uint64_t relocation[2] = {R_X86_64_RELATIVE};

	(void)state;
	find_in("library");
	relocation[1] = site(MW_K_FIND_CLASS)->entry;
	the(relocation, sizeof(relocation))[8] += 1;
	assert_int_equal(find(), 0);
	assert_int_equal(refusal(MW_K_FIND_CLASS), MW_SITE_ELSEWHERE);
	assert_null(site(MW_K_FIND_CLASS));
	assert_int_equal(file.sites.count, 4);
}

static void is_called_in_a_known_way(void **state)
{
	static const uint32_t flags = 0x282;

	(void)state;
	load("library");
	memcpy(the(&flags, 4), "\x80\0", 2);
	assert_int_equal(find(), 0);
	assert_int_equal(site(MW_K_FIND_CLASS)->convention, MW_BY_FAST);
	load("library");
	memcpy(the(&flags, 4), "\x03\0", 2);
	assert_int_equal(find(), 0);
	assert_int_equal(refusal(MW_K_FIND_CLASS), MW_SITE_CONVENTION);
}

/* marshal's load() has another argument, and where nothing documents it another neighbour. */
static void marshal_is_not_taken(void **state)
{
	(void)state;
	load("library");
	memcpy(the("fix_imports", 11), "allow_code=", 11);
	assert_int_equal(find(), 0);
	assert_null(site(MW_K_PICKLE_LOAD));
	assert_non_null(site(MW_K_PICKLE_LOADS));
	assert_int_equal(file.sites.refused_count, 0);
	load("library");
	*the("load($module", 12) = 0;
	assert_int_equal(find(), 0);
	assert_non_null(site(MW_K_PICKLE_LOAD));
	memcpy(the("dumps", 6), "dum_s", 6);
	assert_int_equal(find(), 0);
	assert_null(site(MW_K_PICKLE_LOAD));
}

static void tables_need_their_neighbours(void **state)
{
	(void)state;
	load("packed");
	memcpy(the("addaudithook", 12), "addauditbook", 12);
	assert_int_equal(find(), 0);
	assert_null(site(MW_K_SYS_AUDIT));
	load("library");
	*the("find_class\0", 11) = 'F';
	assert_int_equal(find(), 0);
	assert_null(site(MW_K_UNPICKLER));
	assert_null(site(MW_K_FIND_CLASS));
	assert_true(file.sites.wants_pickle);
}

/* The header of the section with the notes. */
static Elf64_Shdr *notes_header(void)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)file.bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(file.bytes + header->e_shoff);

	for (size_t i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_type == SHT_NOTE && !sections[i].sh_addr)
			return &sections[i];
	fail();
	return NULL;
}

#define NOTE_HEAD (sizeof(Elf64_Nhdr) + sizeof("stapsdt"))
#define NOTE_NAMES (NOTE_HEAD + 3 * sizeof(uint64_t))

/* Where the instruction is, .stapsdt.base, and the semaphore. */
static uint64_t *note_addresses(void)
{
	return (uint64_t *)(file.bytes + notes_header()->sh_offset + NOTE_HEAD);
}

/* Gives the library in which sys.audit() is not found a note with other names, `len` bytes. */
static void load_note(const char *names, size_t len)
{
	Elf64_Shdr *section;
	uint8_t *note;

	load("usdt");
	section = notes_header();
	file.size = (file.size + 7) & ~(size_t)7;
	assert_in_range(len, 0, sizeof(file.bytes) - file.size - NOTE_NAMES - 4);
	note = file.bytes + file.size;
	memset(note, 0, NOTE_NAMES + len + 4);
	memcpy(note, file.bytes + section->sh_offset, NOTE_NAMES);
	memcpy(note + NOTE_NAMES, names, len);
	((Elf64_Nhdr *)note)->n_descsz = (uint32_t)(NOTE_NAMES - NOTE_HEAD + len);
	section->sh_offset = file.size;
	section->sh_size = (NOTE_NAMES + len + 3) & ~(size_t)3;
	file.size += section->sh_size;
}

/* Why python:audit is refused in the file as it is now; -1: it is not. */
static int usdt_refusal(void)
{
	assert_int_equal(find(), 0);
	assert_int_equal(site(MW_K_SYS_AUDIT) != NULL, refusal(MW_K_SYS_AUDIT) < 0);
	return refusal(MW_K_SYS_AUDIT);
}

static void usdt_in_place_of_sys_audit(void **state)
{
	uint64_t at;

	(void)state;
	find_in("library");
	at = site(MW_K_SYS_AUDIT)->offset;
	memcpy(file.bytes + at, "\x0f\x1f\x44\x00\x00", 5);
	assert_int_equal(find(), 0);
	assert_int_equal(refusal(MW_K_SYS_AUDIT), MW_SITE_NOP5);
	assert_int_equal(site(MW_K_SYS_AUDIT)->convention, MW_BY_USDT);
	load("usdt");
	assert_int_equal(usdt_refusal(), -1);
	assert_int_equal(file.sites.count, 5);
	assert_int_equal(site(MW_K_SYS_AUDIT)->convention, MW_BY_USDT);
	assert_int_equal(site(MW_K_SYS_AUDIT)->body_count, 0);
	assert_int_equal(site(MW_K_SYS_AUDIT)->entry, note_addresses()[0]);
	assert_int_equal(site(MW_K_SYS_AUDIT)->usdt_arg[0].reg, 5);
	assert_int_equal(site(MW_K_SYS_AUDIT)->usdt_arg[1].reg, 4);
	assert_int_not_equal(site(MW_K_SYS_AUDIT)->semaphore, 0);
}

/* Elsewhere than on a nop of one byte the probe would break what is there. */
static void usdt_is_a_nop(void **state)
{
	static const struct {
		const char *code;
		size_t len;
		int why; /* -1: a site */
	} cases[] = {
	        {"\x90", 1, -1},
	        {"\x90\x0f\x1f\x44\x00\x00", 6, -1},
	        {"\x0f\x1f\x44\x00\x00", 5, MW_SITE_NOP5},
	        {"\x66\x90", 2, MW_SITE_TRAP},
	        {"\x0f\x1f\x00", 3, MW_SITE_TRAP},
	        {"\x55", 1, MW_SITE_TRAP},
	        {"\xf3\x0f\x1e\xfa\x90", 5, MW_SITE_TRAP},
	        {"\xcc", 1, MW_SITE_TRAP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		load("usdt");
		assert_int_equal(usdt_refusal(), -1);
		memcpy(file.bytes + site(MW_K_SYS_AUDIT)->offset, cases[i].code, cases[i].len);
		assert_int_equal(usdt_refusal(), cases[i].why);
	}
}

static void arguments_of_a_usdt(void **state)
{
	static const struct {
		const char *text;
		struct mw_usdt_arg arg[2];
	} cases[] = {
	        {"8@%r12 8@%rax", {{.reg = 12}, {.reg = 0}}},
	        {"-8@%rdi  8@%r8 4@%eax", {{.reg = 5}, {.reg = 8}}},
	        {"8@-72(%rbp) 8@104(%rsp)", {{-72, 6, true}, {104, 7, true}}},
	        {"8@(%r8) 8@0(%r15)", {{0, 8, true}, {0, 15, true}}},
	        {"8@%r8 8@-2147483648(%r9)", {{.reg = 8}, {INT32_MIN, 9, true}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char names[64] = "python\0audit";

		strcpy(names + 13, cases[i].text);
		load_note(names, 13 + strlen(cases[i].text) + 1);
		assert_int_equal(usdt_refusal(), -1);
		for (size_t j = 0; j < 2; j++) {
			const struct mw_usdt_arg *arg = &site(MW_K_SYS_AUDIT)->usdt_arg[j];

			assert_int_equal(arg->reg, cases[i].arg[j].reg);
			assert_int_equal(arg->in_memory, cases[i].arg[j].in_memory);
			assert_int_equal(arg->distance, cases[i].arg[j].distance);
		}
	}
}

static void arguments_that_are_not_known(void **state)
{
	static const char *const second[] = {
	        "",
	        "8@",
	        "8@%",
	        "8@%rip",
	        "8@%RSI",
	        "8@%esi",
	        "4@%rsi",
	        "-4@%esi",
	        "8@$10",
	        "8@8",
	        "8@8(",
	        "8@(%r9",
	        "8@()",
	        "8@(r9)",
	        "8@(%r9)x",
	        "8@-(%r9)",
	        "8@+8(%r9)",
	        "8@--8(%r9)",
	        "8@0x8(%r9)",
	        "8@x(%r9)",
	        "8@ (%r9)",
	        "8@x+8(%rip)",
	        "8@(%r9,%r8,8)",
	        "8@8(%r9%r8)",
	        "8@(%\xff\x01)",
	        "8@\t(%r9)",
	        "8@2147483648(%r9)",
	        "8@99999999999999999999(%r9)",
	        "@%rsi",
	        "-",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		char names[64] = "python\0audit\0008@%rdi ";

		strcpy(names + 20, second[i]);
		load_note(names, 20 + strlen(second[i]) + 1);
		assert_int_equal(usdt_refusal(), MW_SITE_CONVENTION);
	}
}

/* Of another provider or event, or cut off. */
static void notes_of_others(void **state)
{
	static const struct {
		const char *names;
		size_t len;
	} cases[] = {
	        {"perl\0audit\0008@%rdi 8@%rsi", 25},
	        {"python\0line\0008@%rdi 8@%rsi", 26},
	        {"python\0audit\0008@%rdi 8@%rsi", 26},
	        {"python\0audit", 12},
	        {"python\0audit", 13},
	        {"python", 7},
	        {"python", 6},
	        {"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		load_note(cases[i].names, cases[i].len);
		assert_int_equal(find(), 0);
		assert_null(site(MW_K_SYS_AUDIT));
		assert_int_equal(file.sites.count, 4);
		assert_int_equal(file.sites.refused_count, 0);
	}
}

/* What was linked again to another place keeps its notes as they were. */
static void usdt_that_was_moved(void **state)
{
	struct mw_site was;

	(void)state;
	load("usdt");
	assert_int_equal(usdt_refusal(), -1);
	was = *site(MW_K_SYS_AUDIT);
	for (size_t i = 0; i < 3; i++)
		note_addresses()[i] += 0x10000;
	assert_int_equal(usdt_refusal(), -1);
	assert_int_equal(site(MW_K_SYS_AUDIT)->entry, was.entry);
	assert_int_equal(site(MW_K_SYS_AUDIT)->offset, was.offset);
	assert_int_equal(site(MW_K_SYS_AUDIT)->semaphore, was.semaphore);
}

/* The kernel writes to it: it has to be one. There may be none. */
static void semaphore_of_a_usdt(void **state)
{
	static const int64_t elsewhere[] = {-2, -1, 1, 2, 8, 0x100000, INT64_MAX, INT64_MIN};

	(void)state;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		load("usdt");
		note_addresses()[2] += (uint64_t)elsewhere[i];
		assert_int_equal(usdt_refusal(), MW_SITE_SEMAPHORE);
	}
	load("usdt");
	memcpy(the(".probes", 8), ".probed", 8);
	assert_int_equal(usdt_refusal(), MW_SITE_SEMAPHORE);
	load("usdt");
	note_addresses()[2] = 0;
	assert_int_equal(usdt_refusal(), -1);
	assert_int_equal(site(MW_K_SYS_AUDIT)->semaphore, 0);
}

/* Whichever read fails, that is the answer, and nothing is half done. */
static void read_errors(void **state)
{
	static const char *const names[] = {"library", "packed",     "program",
	                                    "torch",   "torch-sysv", "usdt"};
	static const struct mw_python_sites none;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int r = -EIO;

		load(names[i]);
		for (long reads = 0; r < 0; reads++) {
			file.reads = reads;
			file.sites = none;
			r = find();
			if (r >= 0)
				break;
			assert_int_equal(r, -EIO);
			assert_memory_equal(&file.sites, &none, sizeof(none));
			assert_in_range(reads, 0, 2000);
		}
		assert_true(file.sites.count >= 4);
	}
}

/* A segment larger than may be read: an interpreter's is an error, any other's is not. */
static void large_variables(void **state)
{
	(void)state;
	load("library");
	assert_int_equal(mw_elf_open(&file.elf, read_file, &file, file.size), 0);
	for (size_t i = 0; i < file.elf.load_count; i++)
		if (file.elf.loads[i].flags & PF_W)
			file.elf.loads[i].size = 17u << 20;
	assert_int_equal(mw_python_sites(&file.elf, &file.sites), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_way_to_relocate),
	        cmocka_unit_test(either_hash_table),
	        cmocka_unit_test(is_put_behind_endbr64),
	        cmocka_unit_test(first_instructions),
	        cmocka_unit_test(is_the_start_of_a_function),
	        cmocka_unit_test(is_called_in_a_known_way),
	        cmocka_unit_test(marshal_is_not_taken),
	        cmocka_unit_test(tables_need_their_neighbours),
	        cmocka_unit_test(usdt_in_place_of_sys_audit),
	        cmocka_unit_test(usdt_is_a_nop),
	        cmocka_unit_test(arguments_of_a_usdt),
	        cmocka_unit_test(arguments_that_are_not_known),
	        cmocka_unit_test(notes_of_others),
	        cmocka_unit_test(usdt_that_was_moved),
	        cmocka_unit_test(semaphore_of_a_usdt),
	        cmocka_unit_test(read_errors),
	        cmocka_unit_test(large_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
