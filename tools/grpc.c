#include "grpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "buffer.h"

#define PREFIX 5 /* of a message: whether it is compressed, and its length, big end first */

/* Of those that gRPC has for a call's end. */
enum { GRPC_OK = 0, GRPC_NOT_FOUND = 5, GRPC_UNIMPLEMENTED = 12 };

struct mw_grpc {
	nghttp2_session *session;
	int32_t stream;
	uint8_t asked[PREFIX + MW_GRPC_ASKED];
	size_t asked_len, sent, heard;
	struct mw_buffer answer; /* with its prefix */
	int status;              /* -1: not told */
	bool is_ok;              /* to HTTP */
	bool is_closed;
};

static ssize_t read_asked(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
                          uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct mw_grpc *call = source->ptr;
	size_t left = call->asked_len - call->sent, n = left < size ? left : size;

	(void)session;
	(void)stream;
	(void)context;
	memcpy(to, call->asked + call->sent, n);
	call->sent += n;
	if (n == left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static bool is(const uint8_t *bytes, size_t len, const char *text)
{
	return len == strlen(text) && !memcmp(bytes, text, len);
}

static int number_of(const uint8_t *digits, size_t len)
{
	int n = 0;

	if (!len || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return -1;
		n = n * 10 + digits[i] - '0';
	}
	return n;
}

static int take_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *context)
{
	struct mw_grpc *call = context;

	(void)session;
	(void)flags;
	if (frame->hd.stream_id != call->stream)
		return 0;
	if (is(name, name_len, ":status"))
		call->is_ok = is(value, value_len, "200");
	else if (is(name, name_len, "grpc-status"))
		call->status = number_of(value, value_len);
	return 0;
}

static int take_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                     size_t len, void *context)
{
	struct mw_grpc *call = context;

	(void)session;
	(void)flags;
	if (stream != call->stream)
		return 0;
	return mw_buffer_add(&call->answer, bytes, len, PREFIX + MW_GRPC_ANSWER) < 0
	               ? NGHTTP2_ERR_CALLBACK_FAILURE
	               : 0;
}

static int take_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
	struct mw_grpc *call = context;

	(void)session;
	if (stream != call->stream)
		return 0;
	call->is_closed = true;
	if (error != NGHTTP2_NO_ERROR)
		call->is_ok = false;
	return 0;
}

static int open_session(struct mw_grpc *call)
{
	nghttp2_session_callbacks *callbacks;
	int error = nghttp2_session_callbacks_new(&callbacks);

	if (error)
		return error;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, take_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, take_close);
	error = nghttp2_session_client_new(&call->session, callbacks, call);
	nghttp2_session_callbacks_del(callbacks);
	return error;
}

#define TEXT(name, value)                                                                          \
	{                                                                                          \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value),                \
		        NGHTTP2_NV_FLAG_NONE                                                       \
	}

static int submit(struct mw_grpc *call, const char *path)
{
	const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
	const nghttp2_nv headers[] = {TEXT(":method", "POST"),
	                              TEXT(":scheme", "http"),
	                              TEXT(":path", path),
	                              TEXT(":authority", "localhost"),
	                              TEXT("content-type", "application/grpc"),
	                              TEXT("te", "trailers")};
	const nghttp2_data_provider body = {.source.ptr = call, .read_callback = read_asked};
	int error = nghttp2_submit_settings(call->session, NGHTTP2_FLAG_NONE, settings, 1);

	if (error)
		return error;
	call->stream = nghttp2_submit_request(call->session, NULL, headers,
	                                      sizeof(headers) / sizeof(*headers), &body, NULL);
	return call->stream < 0 ? call->stream : 0;
}

int mw_grpc_new(const char *path, const void *message, size_t len, struct mw_grpc **ret)
{
	struct mw_grpc *call;

	if (len > MW_GRPC_ASKED)
		return -E2BIG;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->status = -1;
	call->asked_len = PREFIX + len;
	call->asked[3] = (uint8_t)(len >> 8);
	call->asked[4] = (uint8_t)len;
	if (len)
		memcpy(call->asked + PREFIX, message, len);
	if (open_session(call) || submit(call, path)) {
		mw_grpc_free(call);
		return -ENOMEM;
	}
	*ret = call;
	return 0;
}

void mw_grpc_free(struct mw_grpc *call)
{
	if (!call)
		return;
	nghttp2_session_del(call->session);
	free(call->answer.data);
	free(call);
}

int mw_grpc_output(struct mw_grpc *call, const uint8_t **ret, size_t *ret_len)
{
	ssize_t len = nghttp2_session_mem_send(call->session, ret);

	*ret_len = len > 0 ? (size_t)len : 0;
	return len < 0 ? -EPROTO : 0;
}

static int error_of(ssize_t error)
{
	return error == NGHTTP2_ERR_NOMEM              ? -ENOMEM
	       : error == NGHTTP2_ERR_CALLBACK_FAILURE ? -EFBIG
	                                               : -EPROTO;
}

int mw_grpc_input(struct mw_grpc *call, const uint8_t *bytes, size_t len)
{
	ssize_t taken;

	call->heard += len;
	if (call->heard > MW_GRPC_HEARD)
		return -EFBIG;
	taken = nghttp2_session_mem_recv(call->session, bytes, len);
	if (taken < 0)
		return error_of(taken);
	/* The library goes on to the end of what it was given, unless it was told something that
	 * ends the session. */
	return (size_t)taken == len || call->is_closed ? 0 : -EPROTO;
}

static int take_message(const struct mw_buffer *answer, const uint8_t **ret, size_t *ret_len)
{
	const uint8_t *bytes = (const uint8_t *)answer->data;
	size_t len;

	if (answer->len < PREFIX || bytes[0])
		return -EPROTO;
	len = (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | bytes[4];
	if (len != answer->len - PREFIX)
		return -EPROTO;
	*ret = bytes + PREFIX;
	*ret_len = len;
	return 0;
}

int mw_grpc_answer(const struct mw_grpc *call, const uint8_t **ret, size_t *ret_len)
{
	if (!call->is_closed)
		return -EAGAIN;
	if (!call->is_ok)
		return -EPROTO;
	switch (call->status) {
	case GRPC_OK:
		return take_message(&call->answer, ret, ret_len);
	case GRPC_NOT_FOUND:
		return -ENOENT;
	case GRPC_UNIMPLEMENTED:
		return -ENOSYS;
	default:
		return call->status < 0 ? -EPROTO : -EIO;
	}
}
