#include "python_lines.h"

#include <errno.h>

/* Kinds of entry from 3.11 on; those below have columns only and stay on the line. */
enum {
	ENTRY_LINE_0 = 10, /* and 1 and 2: so many lines on */
	ENTRY_NO_COLUMNS = 13,
	ENTRY_LONG = 14,
	ENTRY_NO_LINE = 15,
};

#define NO_LINE_310 (-128)

/* A line that no table can reach without overflow on the way: a table has less than 2^32 entries,
 * each of which moves it by less than 2^32. */
static int as_line(int64_t line)
{
	return line >= 0 && line <= INT32_MAX ? (int)line : -ENOENT;
}

/* What is missing of the table may decide; where all of it is there, nothing does. */
static int at_end(const struct mw_python_table *table, int otherwise)
{
	return table->len < table->whole ? -ENODATA : otherwise;
}

/* 3.9: pairs of how many bytes and then lines to go on. The last line goes on to the end. */
static int from_lnotab(const struct mw_python_table *table, uint32_t lasti)
{
	int64_t line = table->first_line;
	uint64_t address = 0;

	for (size_t i = 0; i + 1 < table->len; i += 2) {
		address += table->bytes[i];
		if (address > lasti)
			return as_line(line);
		line += (int8_t)table->bytes[i + 1];
	}
	return at_end(table, as_line(line));
}

/* 3.10: pairs of lines to go on, and how many bytes that line has. */
static int from_pairs(const struct mw_python_table *table, uint32_t lasti)
{
	int64_t line = table->first_line;
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < table->len; i += 2) {
		int8_t delta = (int8_t)table->bytes[i + 1];

		if (delta != NO_LINE_310)
			line += delta;
		end += table->bytes[i];
		if (end > lasti)
			return delta == NO_LINE_310 ? -ENOENT : as_line(line);
	}
	return at_end(table, -ENOENT);
}

/* A number of 6 bits a byte, least first, bit 6 says that there is more; its lowest bit is the
 * sign. Returns the bytes used, 0 when they end before it does or it is longer than any line. */
static size_t read_signed(const uint8_t *bytes, size_t len, int64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len && i < 6; i++) {
		value |= (uint64_t)(bytes[i] & 0x3f) << (6 * i);
		if (bytes[i] & 0x40)
			continue;
		*ret = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
		return i + 1;
	}
	return 0;
}

/* How many lines an entry goes on by. Returns 0, or -ENODATA when it is not all there. */
static int entry_lines(const uint8_t *entry, size_t len, int64_t *ret)
{
	unsigned kind = entry[0] >> 3 & 15;

	*ret = 0;
	if (kind >= ENTRY_LINE_0 && kind < ENTRY_NO_COLUMNS)
		*ret = kind - ENTRY_LINE_0;
	else if (kind == ENTRY_NO_COLUMNS || kind == ENTRY_LONG)
		return read_signed(entry + 1, len - 1, ret) ? 0 : -ENODATA;
	return 0;
}

/* 3.11: entries of several bytes, of which only the first has bit 7. */
static int from_entries(const struct mw_python_table *table, uint32_t lasti)
{
	int64_t line = table->first_line, delta;
	uint64_t end = 0;
	size_t i = 0;

	while (i < table->len) {
		const uint8_t *entry = table->bytes + i;

		if (entry_lines(entry, table->len - i, &delta) < 0)
			break;
		line += delta;
		end += ((entry[0] & 7) + 1) * 2;
		if (end > lasti)
			return (entry[0] >> 3 & 15) == ENTRY_NO_LINE ? -ENOENT : as_line(line);
		do
			i++;
		while (i < table->len && !(table->bytes[i] & 0x80));
	}
	return at_end(table, -ENOENT);
}

int mw_python_line(const struct mw_python_table *table, int32_t lasti)
{
	if (lasti < 0)
		return as_line(table->first_line);
	if (table->version < 0x030a)
		return from_lnotab(table, (uint32_t)lasti);
	if (table->version < 0x030b)
		return from_pairs(table, (uint32_t)lasti);
	return from_entries(table, (uint32_t)lasti);
}
