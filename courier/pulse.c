#include "pulse.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define EVERY_S 1

struct mw_pulse {
	void (*beat)(void *context);
	void *context;
	pthread_mutex_t lock;
	bool works;
};

static void *run(void *context)
{
	struct mw_pulse *pulse = context;

	for (;;) {
		sleep(EVERY_S);
		pthread_mutex_lock(&pulse->lock);
		if (pulse->works)
			pulse->beat(pulse->context);
		pthread_mutex_unlock(&pulse->lock);
	}
	return NULL;
}

int mw_pulse_start(void (*beat)(void *context), void *context, struct mw_pulse **ret)
{
	struct mw_pulse *pulse = calloc(1, sizeof(*pulse));
	pthread_t thread;
	int error;

	if (!pulse)
		return -ENOMEM;
	pulse->beat = beat;
	pulse->context = context;
	pthread_mutex_init(&pulse->lock, NULL);
	error = pthread_create(&thread, NULL, run, pulse);
	if (error) {
		free(pulse);
		return -error;
	}
	pthread_detach(thread);
	*ret = pulse;
	return 0;
}

static void set(struct mw_pulse *pulse, bool works)
{
	pthread_mutex_lock(&pulse->lock);
	pulse->works = works;
	pthread_mutex_unlock(&pulse->lock);
}

void mw_pulse_begin(struct mw_pulse *pulse)
{
	set(pulse, true);
}

void mw_pulse_end(struct mw_pulse *pulse)
{
	set(pulse, false);
}
