/* The pickle machine on any bytes: a query is decoded from the first of them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"posix system", "builtins getattr", "m C", "a b"};
	struct mw_str seen[2];
	struct mw_pickle_query query = {.seen = seen, .count = 2};
	struct mw_pickle_answer answer;
	uint8_t *stream;

	if (size < 4)
		return 0;
	for (int i = 0; i < 2; i++) {
		const char *name = names[data[i] % 4];

		seen[i] = (struct mw_str){name, (uint32_t)strlen(name)};
	}
	query.count = data[0] >> 6 & 1 ? 2 : 1;
	query.total = data[2] & 15;
	query.tell = data[3] & 127;
	query.tell_exact = data[3] >> 7;
	query.importing = data[2] >> 7;
	query.fetching = data[2] >> 6 & 1;
	query.cut = data[2] >> 5 & 1;
	if (data[2] >> 4 & 1)
		query.hint = (struct mw_str){"system", 6};
	query.len = size - 4;
	stream = malloc(query.len + 1); /* of its own, so that a read behind its end is caught */
	if (!stream)
		return 0;
	memcpy(stream, data + 4, query.len);
	query.data = stream;
	mw_pickle_locate(&query, &answer);
	mw_pickle_called_directly(&query);
	free(stream);
	return 0;
}
