/* Questions to the pickle machine, for its tests, and streams that several of them need. */
#ifndef MW_TESTS_PICKLE_ASK_H
#define MW_TESTS_PICKLE_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/pickle.h"

struct ask {
	const char *stream;
	size_t len;
	const char *seen[16];
	uint64_t total; /* 0: as many as seen */
	int64_t tell;   /* 0: not known */
	bool importing, fetching;
	bool reads_ahead; /* tell is a lower bound */
	bool cut;
	const char *hint;
};

#define STREAM(text) .stream = (text), .len = sizeof(text) - 1

static inline struct mw_pickle_query query(const struct ask *a, struct mw_str seen[16])
{
	struct mw_pickle_query q = {.data = (const uint8_t *)a->stream,
	                            .len = a->len,
	                            .seen = seen,
	                            .tell = a->tell ? a->tell : -1,
	                            .tell_exact = a->tell && !a->reads_ahead,
	                            .cut = a->cut,
	                            .importing = a->importing,
	                            .fetching = a->fetching};

	if (a->hint)
		q.hint = (struct mw_str){a->hint, (uint32_t)strlen(a->hint)};
	while (q.count < 16 && a->seen[q.count]) {
		seen[q.count] =
		        (struct mw_str){a->seen[q.count], (uint32_t)strlen(a->seen[q.count])};
		q.count++;
	}
	q.total = a->total ? a->total : q.count;
	return q;
}

static inline struct mw_pickle_answer locate(struct ask a)
{
	struct mw_str seen[16];
	struct mw_pickle_query q = query(&a, seen);
	struct mw_pickle_answer answer;

	assert_int_equal(mw_pickle_locate(&q, &answer), 0);
	return answer;
}

static inline bool direct(struct ask a)
{
	struct mw_str seen[16];
	struct mw_pickle_query q = query(&a, seen);

	return mw_pickle_called_directly(&q);
}

#define SYSTEM0 "cposix\nsystem\np0\n(Vtouch x\np1\ntp2\nRp3\n."
#define SYSTEM2                                                                                    \
	"\x80\x02"                                                                                 \
	"cposix\nsystem\nq\x00X\x07\x00\x00\x00touch xq\x01\x85q\x02Rq\x03."
#define SYSTEM4                                                                                    \
	"\x80\x04\x95\x22\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x07touch "  \
	"x\x94"                                                                                    \
	"\x85\x94R\x94."
#define TWICE                                                                                      \
	"\x80\x02"                                                                                 \
	"](cposix\nsystem\nq\x00U\x01"                                                             \
	"a\x85Rh\x00U\x01"                                                                         \
	"b\x85Re."

#endif
