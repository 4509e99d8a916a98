/* What a container runtime may send: as an answer by gRPC, and as the message in one. Names that
 * come of it are text within their bounds. The first byte says which, and about what. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/cri_message.h"
#include "../../tools/grpc.h"
#include "../../tools/text.h"

/* Of the seeds, which a containerd has said. */
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t size)
{
	char clean[512];
	size_t len = strnlen(text, size);

	if (len == size)
		abort();
	mw_utf8_clean(text, len, clean, sizeof(clean));
	if (strcmp(clean, text) != 0)
		abort();
}

static void take_message(enum mw_cri_question question, const uint8_t *data, size_t size)
{
	struct mw_cri_names names = {.id = ID, .sandbox = ID}, before = names;

	if (mw_cri_take(question, data, size, &names)) {
		if (memcmp(&names, &before, sizeof(names)) != 0)
			abort();
		return;
	}
	check(names.state.name, sizeof(names.state.name));
	check(names.state.image, sizeof(names.state.image));
	check(names.state.pod, sizeof(names.state.pod));
	check(names.state.namespace, sizeof(names.state.namespace));
	check(names.state.uid, sizeof(names.state.uid));
	if (strnlen(names.sandbox, sizeof(names.sandbox)) == sizeof(names.sandbox))
		abort();
}

static bool say(struct mw_grpc *call)
{
	const uint8_t *bytes;
	size_t len = 0;

	do
		if (mw_grpc_output(call, &bytes, &len))
			return false;
	while (len);
	return true;
}

/* In pieces, as a socket may give them. */
static void take_call(size_t piece, const uint8_t *data, size_t size)
{
	const uint8_t *bytes;
	struct mw_grpc *call;
	bool goes_on;
	size_t len;

	if (mw_grpc_new("/a.B/C", ID, strlen(ID), &call))
		return;
	goes_on = say(call);
	for (; goes_on && size; data += len, size -= len) {
		len = size < piece ? size : piece;
		goes_on = !mw_grpc_input(call, data, len) && say(call);
	}
	if (!mw_grpc_answer(call, &bytes, &len)) {
		if (len > MW_GRPC_ANSWER)
			abort();
		take_message(MW_CRI_CONTAINER, bytes, len);
	}
	mw_grpc_free(call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] < MW_CRI_QUESTIONS)
		take_message((enum mw_cri_question)data[0], data + 1, size - 1);
	else
		take_call(data[0], data + 1, size - 1);
	return 0;
}
