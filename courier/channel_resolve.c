#include "channel_parts.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A question to the resolver, which cannot be told when to give up: it is asked by a thread of its
 * own, and who lets go last frees. */
struct question {
	atomic_int holders;
	int answered; /* an eventfd */
	struct mw_address address;
	int result;
	struct addrinfo *list;
};

static int ask(const struct mw_address *address, int flags, struct addrinfo **ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	                               .ai_flags = flags | AI_NUMERICSERV};

	return getaddrinfo(address->host, address->port, &hints, ret);
}

static void let_go(struct question *question)
{
	if (atomic_fetch_sub(&question->holders, 1) > 1)
		return;
	if (question->list)
		freeaddrinfo(question->list);
	close(question->answered);
	free(question);
}

static void *asking(void *argument)
{
	struct question *question = argument;

	question->result = ask(&question->address, 0, &question->list);
	eventfd_write(question->answered, 1);
	let_go(question);
	return NULL;
}

static struct question *start(const struct mw_address *address)
{
	struct question *question = calloc(1, sizeof(*question));
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	if (!question)
		return NULL;
	question->holders = 2;
	question->address = *address;
	question->answered = eventfd(0, EFD_CLOEXEC);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = question->answered < 0 ||
	        pthread_create(&thread, &attributes, asking, question) != 0;
	pthread_attr_destroy(&attributes);
	if (!error)
		return question;
	if (question->answered >= 0)
		close(question->answered);
	free(question);
	return NULL;
}

static int answer(int result, const char **why)
{
	if (!result)
		return 0;
	*why = gai_strerror(result);
	return result == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
}

int mw_resolve(const struct mw_address *address, const struct mw_wait *wait, struct addrinfo **ret,
               const char **why)
{
	struct question *question;
	int error;

	*ret = NULL;
	error = ask(address, AI_NUMERICHOST, ret);
	if (error != EAI_NONAME)
		return answer(error, why);
	question = start(address);
	if (!question)
		return -ENOMEM;
	error = mw_wait_on(wait, question->answered, POLLIN);
	if (!error) {
		error = answer(question->result, why);
		*ret = question->list;
		question->list = NULL;
	}
	let_go(question);
	return error;
}
