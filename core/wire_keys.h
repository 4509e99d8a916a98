/* The keys of a record's map on the wire (docs/protocol.md). Numbers are never reused: 43-45
 * and 51 were what the process had decided. */
#ifndef MW_CORE_WIRE_KEYS_H
#define MW_CORE_WIRE_KEYS_H

enum mw_key {
	MW_KEY_VERSION = 0,
	MW_KEY_KIND = 1,
	MW_KEY_TID = 2,
	MW_KEY_ALERT = 3,
	/* load */
	MW_KEY_ID = 10,
	MW_KEY_ORIGIN = 11,
	MW_KEY_ENTRY = 12,
	MW_KEY_PATH = 13,
	MW_KEY_FD = 14,
	MW_KEY_DATA = 15,
	MW_KEY_DATA_LEN = 16,
	MW_KEY_START = 17,
	MW_KEY_TELL = 18,
	MW_KEY_TELL_EXACT = 19,
	MW_KEY_IMPORTING = 20,
	MW_KEY_AFTER = 21,
	MW_KEY_DEPTH = 22,
	MW_KEY_GLOBALS = 23,
	MW_KEY_SEEN = 24,
	MW_KEY_SCOPE = 25,
	MW_KEY_SP = 26,
	MW_KEY_CALLED = 27,
	MW_KEY_DEV = 28,
	MW_KEY_INO = 29,
	/* how it went */
	MW_KEY_DURATION = 30,
	MW_KEY_RAISED = 31,
	MW_KEY_WEIGHTS_ONLY = 32,
	MW_KEY_LOST = 33,
	/* effect */
	MW_KEY_CLASS = 40,
	MW_KEY_CAUSE = 41,
	MW_KEY_SENSOR = 42,
	MW_KEY_FACTS = 46,
	MW_KEY_NUMBER = 47,
	MW_KEY_OP = 48,
	MW_KEY_TARGET = 49,
	MW_KEY_TARGET2 = 50,
	MW_KEY_ARGV = 52,
	MW_KEY_ARGV_CUT = 53,
	MW_KEY_FILE = 54,
	MW_KEY_FILE2 = 55,
	MW_KEY_OWNER = 56,
	/* stacks */
	MW_KEY_FRAMES = 60,
	MW_KEY_INSIDE = 61,
	MW_KEY_REGS = 62,
	MW_KEY_STACK = 63, /* last: its bytes follow outside the packed part */
	MW_KEY_MAX = 64
};

#endif
