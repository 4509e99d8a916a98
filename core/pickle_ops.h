/* The opcodes of the pickle machine and how their arguments lie in the stream. */
#ifndef MW_CORE_PICKLE_OPS_H
#define MW_CORE_PICKLE_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mw_pickle_op {
	uint8_t code;
	const char *name;          /* "REDUCE"; NULL for a byte that is no opcode */
	uint64_t at, end;          /* of the opcode with its arguments */
	uint64_t text, text_len;   /* first text or byte argument */
	uint64_t text2, text2_len; /* second line of GLOBAL and INST */
	uint64_t number;           /* integer argument (two's complement) */
	bool plain; /* a number that came as text is only digits: every reader takes it alike */
};

/* Decodes the opcode at `at`. False at the end of the bytes, in the middle of an opcode that is cut
 * off, or at a byte that is none: then alone `ret` has no name. Fields that the opcode does not use
 * are not set. */
bool mw_pickle_decode(const uint8_t *data, size_t len, uint64_t at, struct mw_pickle_op *ret);

#endif
