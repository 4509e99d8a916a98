#include "zip.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Sizes and fields of the records (APPNOTE.TXT 6.3.10, 4.3.12 to 4.3.16). */
#define END_SIZE 22u
#define END_MAGIC 0x06054b50u
#define END_COMMENT_MAX 65535u
#define LOCATOR_SIZE 20u
#define LOCATOR_MAGIC 0x07064b50u
#define END64_SIZE 56u
#define END64_MAGIC 0x06064b50u
#define ENTRY_SIZE 46u
#define ENTRY_MAGIC 0x02014b50u
#define LOCAL_SIZE 30u
#define LOCAL_MAGIC 0x04034b50u
#define WINDOW 8192u

struct archive {
	int fd;
	uint64_t size;
};

struct entry {
	uint32_t crc;
	uint64_t size; /* uncompressed */
	uint64_t at;   /* of its local header */
	uint16_t method, name_len, extra_len, comment_len;
};

/* The entries of a directory, one after the other. */
struct walk {
	uint64_t at, left;
	struct entry entry;
	uint64_t name_at;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

uint32_t mw_crc32(const uint8_t *data, size_t len)
{
	uint32_t table[256], crc = UINT32_MAX;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
	}
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
	return ~crc;
}

/* All of `len` bytes at `at`, or -EBADMSG. */
static int read_at(const struct archive *a, uint64_t at, void *out, size_t len)
{
	size_t got = 0;

	if (at > a->size || len > a->size - at)
		return -EBADMSG;
	while (got < len) {
		ssize_t n = pread(a->fd, (uint8_t *)out + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		got += (size_t)n;
	}
	return 0;
}

/* The record is the last thing in the file but for a comment, which is nearly always empty. */
static int find_end(const struct archive *a, uint64_t *ret, uint8_t end[static END_SIZE])
{
	uint8_t window[WINDOW] = {0};
	uint64_t lowest =
	        a->size > END_SIZE + END_COMMENT_MAX ? a->size - END_SIZE - END_COMMENT_MAX : 0;
	uint64_t top = a->size;

	while (top >= lowest + END_SIZE) {
		uint64_t from = top - lowest > WINDOW ? top - WINDOW : lowest;
		size_t len = (size_t)(top - from);
		int error = read_at(a, from, window, len);

		if (error)
			return error;
		for (size_t i = len - END_SIZE + 1; i-- > 0;) {
			if (get32(window + i) != END_MAGIC)
				continue;
			memcpy(end, window + i, END_SIZE);
			*ret = from + i;
			return 0;
		}
		if (from == lowest)
			break;
		top = from + END_SIZE - 1;
	}
	return -EBADMSG;
}

/* Where the directory starts and how many entries it says it has. */
static int find_directory(const struct archive *a, uint64_t *ret, uint64_t *ret_count)
{
	uint8_t end[END_SIZE], locator[LOCATOR_SIZE], end64[END64_SIZE];
	uint64_t at;
	int error = find_end(a, &at, end);

	if (error)
		return error;
	*ret_count = get16(end + 10);
	*ret = get32(end + 16);
	if (at < LOCATOR_SIZE || read_at(a, at - LOCATOR_SIZE, locator, LOCATOR_SIZE) ||
	    get32(locator) != LOCATOR_MAGIC)
		return 0;
	error = read_at(a, get64(locator + 8), end64, END64_SIZE);
	if (error)
		return error;
	if (get32(end64) != END64_MAGIC)
		return -EBADMSG;
	*ret_count = get64(end64 + 32);
	*ret = get64(end64 + 48);
	return 0;
}

/* A size of 4 GiB or more stands elsewhere, and is none that a stream in memory has. */
static void parse_entry(const uint8_t raw[static ENTRY_SIZE], struct entry *ret)
{
	ret->method = get16(raw + 10);
	ret->crc = get32(raw + 16);
	ret->size = get32(raw + 24);
	ret->name_len = get16(raw + 28);
	ret->extra_len = get16(raw + 30);
	ret->comment_len = get16(raw + 32);
	ret->at = get32(raw + 42);
}

static int start_walk(const struct archive *a, struct walk *ret)
{
	int error = find_directory(a, &ret->at, &ret->left);

	if (ret->left > MW_ZIP_ENTRIES)
		ret->left = MW_ZIP_ENTRIES;
	return error;
}

static bool next_entry(const struct archive *a, struct walk *walk)
{
	uint8_t raw[ENTRY_SIZE];

	if (!walk->left || read_at(a, walk->at, raw, ENTRY_SIZE) || get32(raw) != ENTRY_MAGIC)
		return false;
	parse_entry(raw, &walk->entry);
	walk->left--;
	walk->name_at = walk->at + ENTRY_SIZE;
	walk->at = walk->name_at + walk->entry.name_len + walk->entry.extra_len +
	           walk->entry.comment_len;
	return true;
}

static bool is_preferred(const char *name)
{
	size_t len = strlen(name);

	return len >= 8 && !strcmp(name + len - 8, "data.pkl") &&
	       (len == 8 || name[len - 9] == '/');
}

static int read_name(const struct archive *a, uint64_t at, uint16_t len, char *ret, size_t ret_size)
{
	size_t kept = len < ret_size - 1 ? len : ret_size - 1;
	int error = read_at(a, at, ret, kept);

	if (error)
		return error;
	ret[kept] = '\0';
	return strlen(ret) == kept && kept ? 0 : -EBADMSG;
}

int mw_zip_find(int fd, uint64_t size, const uint8_t *data, uint64_t len, char *ret,
                size_t ret_size)
{
	const struct archive a = {fd, size};
	struct walk walk = {0};
	char name[512];
	uint32_t crc = 0;
	bool hashed = false, found = false;
	int error = start_walk(&a, &walk);

	if (error)
		return error;
	while (next_entry(&a, &walk)) {
		const struct entry *entry = &walk.entry;

		if (entry->size == len && !hashed) {
			crc = mw_crc32(data, (size_t)len);
			hashed = true;
		}
		if (entry->size != len || entry->crc != crc ||
		    read_name(&a, walk.name_at, entry->name_len, name, sizeof(name)) ||
		    (found && !is_preferred(name)))
			continue;
		found = true;
		strncpy(ret, name, ret_size - 1);
		ret[ret_size - 1] = '\0';
		if (is_preferred(name))
			break;
	}
	return found ? 0 : -ENOENT;
}

/* Behind its local header, whose name and extra field may be others than the directory's. */
static int find_bytes(const struct archive *a, const struct entry *entry, uint64_t *ret_at)
{
	uint8_t local[LOCAL_SIZE];
	int error = read_at(a, entry->at, local, LOCAL_SIZE);

	if (error)
		return error;
	*ret_at = entry->at + LOCAL_SIZE + get16(local + 26) + get16(local + 28);
	if (get32(local) != LOCAL_MAGIC || *ret_at > a->size || entry->size > a->size - *ret_at)
		return -EBADMSG;
	return 0;
}

int mw_zip_pickle(int fd, uint64_t size, uint64_t *ret_at, uint64_t *ret_len)
{
	const struct archive a = {fd, size};
	struct walk walk = {0};
	char name[512];
	int error = start_walk(&a, &walk);

	if (error)
		return error;
	while (next_entry(&a, &walk)) {
		if (read_name(&a, walk.name_at, walk.entry.name_len, name, sizeof(name)) ||
		    !is_preferred(name))
			continue;
		*ret_len = walk.entry.size;
		return walk.entry.method ? -ENOENT : find_bytes(&a, &walk.entry, ret_at);
	}
	return -ENOENT;
}
