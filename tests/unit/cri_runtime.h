/* A container runtime for tests: answers the Container Runtime Interface at a socket, well or
 * badly, in a process of its own. */
#ifndef MW_TESTS_CRI_RUNTIME_H
#define MW_TESTS_CRI_RUNTIME_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

#define CRI_HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CRI_UID "5a3e2b9c-0d4f-4a6b-9c8e-7f1a2b3c4d5e"

enum cri_how {
	CRI_TELLS,         /* all, with the pod's names among the container's labels */
	CRI_TELLS_PLAINLY, /* without such labels: the pod has to be asked for */
	CRI_TELLS_MUCH,    /* 200 KiB of labels before those */
	CRI_KNOWS_NOT,     /* the container */
	CRI_CANNOT,        /* answer such questions */
	CRI_FAILS,
	CRI_ANSWERS_OTHER, /* about another container */
	CRI_HAS_NO_POD,
	CRI_SAYS_NONSENSE, /* where a message should be */
	CRI_SAYS_TOO_MUCH, /* with half a megabyte that nobody asks for */
	CRI_SAYS_PARTS,    /* with very many empty labels */
	CRI_COMPRESSES,
	CRI_BREAKS_OFF, /* in the middle of a message */
	/* These do not speak HTTP/2. */
	CRI_HANGS_UP,
	CRI_IS_SILENT,
	CRI_IS_SLOW, /* a byte of a frame each 50 ms */
	CRI_SENDS_NOISE,
	CRI_PINGS, /* for ever, and does not listen */
};

#define MESSAGE_MAX (2u << 20)

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t len, sent;
};

static struct {
	enum cri_how how;
	int fd;
	char method[64];
	struct message message;
	char asked[128]; /* what the question names */
	const char *status;
	bool is_done;
} now;

static void add_bytes(struct message *m, const void *bytes, size_t len)
{
	if (m->len + len > MESSAGE_MAX)
		_exit(1);
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static void add_number(struct message *m, size_t n)
{
	uint8_t byte;

	do {
		byte = (uint8_t)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
		add_bytes(m, &byte, 1);
		n >>= 7;
	} while (n);
}

static void add(struct message *m, unsigned int field, const void *bytes, size_t len)
{
	add_number(m, field << 3 | 2);
	add_number(m, len);
	add_bytes(m, bytes, len);
}

static void add_text(struct message *m, unsigned int field, const char *text)
{
	add(m, field, text, strlen(text));
}

static void add_label(struct message *m, const char *key, const char *value)
{
	static struct message label;

	label.len = 0;
	add_text(&label, 1, key);
	add_text(&label, 2, value);
	add(m, 12, label.bytes, label.len);
}

static void add_labels(struct message *m)
{
	if (now.how == CRI_TELLS_MUCH)
		for (int i = 0; i < 2000; i++)
			add_label(m, "example.org/what-a-long-name-this-label-has",
			          "and its value is just as long, if not longer than that");
	if (now.how == CRI_TELLS_PLAINLY || now.how == CRI_HAS_NO_POD)
		return;
	add_label(m, "io.kubernetes.pod.name", "train-0");
	add_label(m, "io.kubernetes.pod.namespace", "ml");
	add_label(m, "io.kubernetes.pod.uid", CRI_UID);
}

/* The parts that are asked for, under their numbers, amid some that are not. */
static void fill_container(struct message *m)
{
	static const uint8_t empty_label[] = {12 << 3 | 2, 0};
	static uint8_t much[1u << 19];
	static struct message part, status;

	status.len = part.len = 0;
	add_text(&status, 1, now.how == CRI_ANSWERS_OTHER ? "f00d" : now.asked);
	add_text(&part, 1, "trainer");
	add(&status, 2, part.bytes, part.len);
	add_text(&status, 9, "sha256:0123");
	part.len = 0;
	add_text(&part, 1, "reg.example/train:1");
	add(&status, 8, part.bytes, part.len);
	add_labels(&status);
	add_text(&status, 14, "/var/log/x");
	if (now.how == CRI_SAYS_TOO_MUCH)
		add(&status, 15, much, sizeof(much));
	for (int i = 0; now.how == CRI_SAYS_PARTS && i < 100000; i++)
		add_bytes(&status, empty_label, sizeof(empty_label));
	add(m, 1, status.bytes, status.len);
}

static void fill_list(struct message *m)
{
	static struct message container;

	container.len = 0;
	add_text(&container, 1, CRI_HEX);
	add_text(&container, 2, "the-sandbox");
	add(m, 1, container.bytes, container.len);
}

static void fill_pod(struct message *m)
{
	static struct message metadata, status;

	metadata.len = status.len = 0;
	add_text(&metadata, 1, "train-0");
	add_text(&metadata, 2, CRI_UID);
	add_text(&metadata, 3, "ml");
	add_text(&status, 1, strcmp(now.asked, "the-sandbox") ? "no" : now.asked);
	add(&status, 2, metadata.bytes, metadata.len);
	add(m, 1, status.bytes, status.len);
}

static void fill(struct message *m)
{
	if (now.how == CRI_SAYS_NONSENSE) {
		add_bytes(m, "\x0a\xff\xff\xff\xff\x0f", 6);
	} else if (!strcmp(now.method, "ContainerStatus")) {
		fill_container(m);
	} else if (!strcmp(now.method, "Version")) {
		add_text(m, 1, "0.1.0");
		add_text(m, 2, "containerd");
	} else if (!strcmp(now.method, "ListContainers")) {
		fill_list(m);
	} else if (!strcmp(now.method, "PodSandboxStatus")) {
		fill_pod(m);
	}
}

/* A byte that says whether it is compressed, and four of length. */
static void frame(struct message *m)
{
	size_t len;

	m->sent = 0;
	m->len = 5;
	fill(m);
	len = m->len - 5;
	m->bytes[0] = now.how == CRI_COMPRESSES;
	for (int i = 0; i < 4; i++)
		m->bytes[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	if (now.how == CRI_BREAKS_OFF)
		m->len -= 4;
}

#define TEXT(name, value)                                                                          \
	{                                                                                          \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value),                \
		        NGHTTP2_NV_FLAG_NONE                                                       \
	}

static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *context)
{
	const nghttp2_nv trailer = TEXT("grpc-status", "0");
	struct message *m = source->ptr;
	size_t left = m->len - m->sent, n = left < size ? left : size;

	(void)context;
	memcpy(to, m->bytes + m->sent, n);
	m->sent += n;
	if (n == left) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, stream, &trailer, 1);
	}
	return (ssize_t)n;
}

static const char *status_of(void)
{
	switch (now.how) {
	case CRI_KNOWS_NOT:
		return "5";
	case CRI_CANNOT:
		return "12";
	case CRI_FAILS:
		return "13";
	case CRI_HAS_NO_POD:
		return strcmp(now.method, "ContainerStatus") && strcmp(now.method, "Version")
		               ? "5"
		               : NULL;
	default:
		return NULL;
	}
}

static void answer(nghttp2_session *session, int32_t stream)
{
	const char *status = status_of();
	const nghttp2_nv headers[] = {TEXT(":status", "200"),
	                              TEXT("content-type", "application/grpc"),
	                              TEXT("grpc-status", status ? status : "")};
	const nghttp2_data_provider body = {.source.ptr = &now.message,
	                                    .read_callback = read_message};

	if (status) {
		nghttp2_submit_response(session, stream, headers, 3, NULL);
		return;
	}
	frame(&now.message);
	nghttp2_submit_response(session, stream, headers, 2, &body);
}

static int take_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *context)
{
	static const char service[] = "/runtime.v1.RuntimeService/";

	(void)session, (void)f, (void)flags, (void)context;
	if (name_len == 5 && !memcmp(name, ":path", 5)) {
		if (value_len < strlen(service) || memcmp(value, service, strlen(service)) != 0)
			_exit(1);
		snprintf(now.method, sizeof(now.method), "%.*s", (int)(value_len - strlen(service)),
		         (const char *)value + strlen(service));
	}
	return 0;
}

/* The identifier is the last text of every question that has one. */
static int take_question(nghttp2_session *session, uint8_t flags, int32_t stream,
                         const uint8_t *bytes, size_t len, void *context)
{
	size_t start = !strcmp(now.method, "ListContainers") ? 9 : 7;

	(void)session, (void)flags, (void)stream, (void)context;
	snprintf(now.asked, sizeof(now.asked), "%.*s", len > start ? (int)(len - start) : 0,
	         (const char *)bytes + start);
	return 0;
}

static int take_frame(nghttp2_session *session, const nghttp2_frame *f, void *context)
{
	(void)context;
	if (f->hd.stream_id && f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		answer(session, f->hd.stream_id);
	return 0;
}

static int take_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
	(void)session, (void)stream, (void)error, (void)context;
	now.is_done = true;
	return 0;
}

static nghttp2_session *open_session(void)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;

	if (nghttp2_session_callbacks_new(&callbacks))
		_exit(1);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, take_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_question);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, take_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, take_close);
	if (nghttp2_session_server_new(&session, callbacks, NULL))
		_exit(1);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
	return session;
}

static bool send_all(const uint8_t *bytes, size_t len)
{
	ssize_t n = 0;

	for (; len && n >= 0; bytes += n, len -= (size_t)n) {
		n = send(now.fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0)
			return false;
	}
	return true;
}

static void converse(void)
{
	nghttp2_session *session = open_session();
	const uint8_t *bytes;
	uint8_t in[16384];
	ssize_t n;

	now.is_done = false;
	for (;;) {
		while ((n = nghttp2_session_mem_send(session, &bytes)) > 0)
			if (!send_all(bytes, (size_t)n))
				break;
		n = now.is_done ? 0 : recv(now.fd, in, sizeof(in), 0);
		if (n <= 0 || nghttp2_session_mem_recv(session, in, (size_t)n) < 0)
			break;
	}
	nghttp2_session_del(session);
}

static void send_slowly(void)
{
	static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
	size_t i = 0;

	do
		usleep(50000);
	while (send(now.fd, &settings[i++ % sizeof(settings)], 1, MSG_NOSIGNAL) > 0);
}

static void ping(void)
{
	static const uint8_t pings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, /* its settings, first */
	                                0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};

	send_all(pings, 9);
	while (send_all(pings + 9, sizeof(pings) - 9))
		;
}

static void serve(void)
{
	static char noise[4096];
	char byte;

	switch (now.how) {
	case CRI_HANGS_UP:
		break;
	case CRI_IS_SILENT:
		while (recv(now.fd, &byte, 1, 0) > 0)
			;
		break;
	case CRI_IS_SLOW:
		send_slowly();
		break;
	case CRI_SENDS_NOISE:
		memset(noise, '~', sizeof(noise));
		send_all((const uint8_t *)noise, sizeof(noise));
		break;
	case CRI_PINGS:
		ping();
		break;
	default:
		converse();
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		abort();
	return fd;
}

/* Starts one that listens at `path`; it ends with this process. Returns its process. */
static pid_t cri_start(const char *path, enum cri_how how)
{
	int listener = listen_at(path);
	pid_t pid = fork();

	if (pid) {
		close(listener);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	now.how = how;
	while ((now.fd = accept(listener, NULL, NULL)) >= 0) {
		serve();
		close(now.fd);
	}
	_exit(1);
}

static void cri_stop(pid_t runtime, const char *path)
{
	kill(runtime, SIGKILL);
	waitpid(runtime, NULL, 0);
	unlink(path);
}

#endif
