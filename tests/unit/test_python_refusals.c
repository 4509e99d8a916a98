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

static void has_pickle(bool usdt)
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
	assert_int_equal(site(MW_K_USDT_AUDIT) != NULL, usdt);
	assert_int_equal(file.sites.count, 5 + usdt);
	assert_int_equal(file.sites.refused_count, 0);
	assert_false(file.sites.wants_pickle);
	if (!usdt)
		return;
	assert_int_equal(site(MW_K_USDT_AUDIT)->usdt_arg[0], 5);
	assert_int_equal(site(MW_K_USDT_AUDIT)->usdt_arg[1], 4);
	assert_int_not_equal(site(MW_K_USDT_AUDIT)->semaphore, 0);
}

/* Relocations with their addends beside them, packed ones, and none. */
static void every_way_to_relocate(void **state)
{
	(void)state;
	find_in("library");
	has_pickle(true);
	assert_int_equal(file.sites.version, 0x030b);
	assert_int_not_equal(file.sites.runtime, 0);
	assert_int_equal(site(MW_K_UNPICKLER)->body_count, 4);
	assert_int_equal(site(MW_K_UNPICKLER)->offset, site(MW_K_UNPICKLER)->entry);
	find_in("packed");
	has_pickle(false);
	find_in("program");
	has_pickle(true);
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
	assert_int_equal(file.sites.count, 5);
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
	load("library");
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

static void arguments_of_a_usdt(void **state)
{
	static const struct {
		const char *text;
		int8_t arg[2];
	} cases[] = {
	        {"8@%r12 8@%rax", {12, 0}}, {"-8@%rdi 8@%r8", {5, 8}}, {"4@%di 8@(%r9)", {-1, -1}},
	        {"8@(%r8) 8@%r9", {-1, 9}}, {"8@%rdi", {5, -1}},       {"", {-1, -1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text;

		load("library");
		text = (char *)the("8@%rdi 8@%rsi", 14);
		assert_in_range(strlen(cases[i].text), 0, 13);
		memset(text, 0, 14);
		memcpy(text, cases[i].text, strlen(cases[i].text));
		assert_int_equal(find(), 0);
		assert_non_null(site(MW_K_USDT_AUDIT));
		assert_int_equal(site(MW_K_USDT_AUDIT)->usdt_arg[0], cases[i].arg[0]);
		assert_int_equal(site(MW_K_USDT_AUDIT)->usdt_arg[1], cases[i].arg[1]);
	}
}

/* What was linked again to another place keeps its notes as they were. */
static void usdt_that_was_moved(void **state)
{
	struct mw_elf_table section;
	uint64_t words[3], vaddr, entry, semaphore;
	uint8_t *note;

	(void)state;
	find_in("library");
	entry = site(MW_K_USDT_AUDIT)->entry;
	semaphore = site(MW_K_USDT_AUDIT)->semaphore;
	assert_int_equal(mw_elf_find_section(&file.elf, ".note.stapsdt", &vaddr, &section), 0);
	assert_int_equal(vaddr, 0);
	note = file.bytes + section.offset + 20;
	memcpy(words, note, sizeof(words));
	assert_int_equal(words[0], entry);
	for (size_t i = 0; i < 3; i++)
		words[i] += 0x10000;
	memcpy(note, words, sizeof(words));
	assert_int_equal(find(), 0);
	assert_int_equal(site(MW_K_USDT_AUDIT)->entry, entry);
	assert_int_equal(site(MW_K_USDT_AUDIT)->semaphore, semaphore);
	words[2] += 0x100000;
	memcpy(note, words, sizeof(words));
	assert_int_equal(find(), 0);
	assert_int_equal(refusal(MW_K_USDT_AUDIT), MW_SITE_SEMAPHORE);
}

/* Whichever read fails, that is the answer, and nothing is half done. */
static void read_errors(void **state)
{
	static const char *const names[] = {"library", "packed", "program", "torch", "torch-sysv"};
	static const struct mw_python_sites none;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
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
	        cmocka_unit_test(arguments_of_a_usdt),
	        cmocka_unit_test(usdt_that_was_moved),
	        cmocka_unit_test(read_errors),
	        cmocka_unit_test(large_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
