#include "hasher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STACK (256 << 10)
/* A file that was changed just before it was hashed may change once more within one tick of the
 * clock that its times are taken from, and look the same. */
#define SETTLED_MS 100
#define AWAIT_MS 2
#define GIVE_UP_MS 300

enum stage { FREE, WAITING, RUNNING, FINISHED };

struct job {
	enum stage stage;
	uint64_t number; /* order of asking */
	int fd;
	struct stat status;
	struct mw_digest digest;
	bool settled; /* may be remembered */
};

struct mw_hasher {
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	pthread_t thread;
	bool running, stopping;
	bool stuck; /* the thread did not end */
	struct mw_sha256_watch watch;
	int event;
	uint64_t last;
	uint64_t looked,
	        reads; /* the job that ran when somebody looked last, and its reads by then */
	int64_t since; /* and since when it was there, ms */
	struct job job[MW_HASHER_JOBS];
};

int mw_hasher_new(struct mw_hasher **ret)
{
	struct mw_hasher *hasher = calloc(1, sizeof(*hasher));
	pthread_condattr_t attributes;
	int event = hasher ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	if (event < 0) {
		int error = hasher ? -errno : -ENOMEM;

		free(hasher);
		return error;
	}
	hasher->event = event;
	pthread_mutex_init(&hasher->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&hasher->work, &attributes);
	pthread_cond_init(&hasher->idle, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret = hasher;
	return 0;
}

static int64_t ms_of(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void compute(int fd, const struct stat *status, struct mw_sha256_watch *watch,
                    struct mw_digest *ret, bool *settled)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*settled = ms_of(now) - ms_of(status->st_ctim) > SETTLED_MS;
	ret->state = mw_sha256_file(fd, status, watch, ret->sha256) ? MW_DIGEST_UNAVAILABLE
	                                                            : MW_DIGEST_DONE;
}

static struct job *first_waiting(struct mw_hasher *hasher)
{
	struct job *first = NULL;

	for (size_t i = 0; i < MW_HASHER_JOBS; i++) {
		struct job *job = &hasher->job[i];

		if (job->stage == WAITING && (!first || job->number < first->number))
			first = job;
	}
	return first;
}

/* Called with the lock held, and back with it. */
static void run(struct mw_hasher *hasher, struct job *job)
{
	struct mw_digest digest = {.job = job->number};
	const uint64_t one = 1;
	bool settled = false;

	job->stage = RUNNING;
	pthread_mutex_unlock(&hasher->lock);
	compute(job->fd, &job->status, &hasher->watch, &digest, &settled);
	close(job->fd);
	pthread_mutex_lock(&hasher->lock);
	job->digest = digest;
	job->settled = settled;
	job->stage = FINISHED;
	while (write(hasher->event, &one, sizeof(one)) < 0 && errno == EINTR)
		; /* any other failure: it is full, and so readable */
}

static void *work(void *argument)
{
	struct mw_hasher *hasher = argument;
	struct job *job;

	pthread_mutex_lock(&hasher->lock);
	for (;;) {
		job = first_waiting(hasher);
		if (job)
			run(hasher, job);
		else if (hasher->stopping)
			break;
		else
			pthread_cond_wait(&hasher->work, &hasher->lock);
	}
	hasher->running = false;
	pthread_cond_broadcast(&hasher->idle);
	pthread_mutex_unlock(&hasher->lock);
	return NULL;
}

static bool start(struct mw_hasher *hasher)
{
	pthread_attr_t attributes;

	if (hasher->running)
		return true;
	if (hasher->stopping)
		return false;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	hasher->running = !pthread_create(&hasher->thread, &attributes, work, hasher);
	pthread_attr_destroy(&attributes);
	return hasher->running;
}

/* Called with the lock held. */
static void await_end(struct mw_hasher *hasher, int patience_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += patience_ms / 1000;
	until.tv_nsec += patience_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	while (hasher->running)
		if (pthread_cond_timedwait(&hasher->idle, &hasher->lock, &until) == ETIMEDOUT)
			return;
}

void mw_hasher_stop(struct mw_hasher *hasher, int patience_ms)
{
	bool started;

	pthread_mutex_lock(&hasher->lock);
	hasher->stopping = true;
	started = hasher->running;
	pthread_cond_signal(&hasher->work);
	await_end(hasher, patience_ms);
	atomic_store(&hasher->watch.cancel, true);
	await_end(hasher, GIVE_UP_MS);
	hasher->stuck = hasher->running;
	pthread_mutex_unlock(&hasher->lock);
	if (started && hasher->stuck)
		pthread_detach(hasher->thread);
	else if (started)
		pthread_join(hasher->thread, NULL);
}

/* A thread that hangs in a dead file system keeps its memory. */
void mw_hasher_free(struct mw_hasher *hasher)
{
	if (!hasher || hasher->stuck)
		return;
	close(hasher->event);
	pthread_cond_destroy(&hasher->work);
	pthread_cond_destroy(&hasher->idle);
	pthread_mutex_destroy(&hasher->lock);
	free(hasher);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The job that hashes this file, or has; or one that may be used for it, emptied: a free one, else
 * the one that ended longest ago. NULL when all are waiting. */
static struct job *find(struct mw_hasher *hasher, const struct stat *status)
{
	struct job *best = NULL;

	for (size_t i = 0; i < MW_HASHER_JOBS; i++) {
		struct job *job = &hasher->job[i];
		bool usable = job->stage == WAITING || job->stage == RUNNING || job->settled;

		if (job->stage != FREE && usable && is_same(&job->status, status))
			return job;
		if ((job->stage == FREE || job->stage == FINISHED) &&
		    (!best || job->number < best->number))
			best = job;
	}
	if (best)
		*best = (struct job){.status = *status};
	return best;
}

static void enqueue(struct mw_hasher *hasher, struct job *job, int fd)
{
	job->digest.state = MW_DIGEST_UNAVAILABLE;
	job->fd = start(hasher) ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	if (job->fd < 0)
		return;
	job->number = job->digest.job = ++hasher->last;
	job->digest.state = MW_DIGEST_PENDING;
	job->stage = WAITING;
	pthread_cond_signal(&hasher->work);
}

void mw_hasher_ask(struct mw_hasher *hasher, int fd, const struct stat *status,
                   struct mw_digest *ret)
{
	struct job *job;

	ret->state = MW_DIGEST_UNAVAILABLE;
	pthread_mutex_lock(&hasher->lock);
	job = find(hasher, status);
	if (job && job->stage == FREE && status->st_size <= MW_HASHER_INLINE) {
		compute(fd, status, NULL, &job->digest, &job->settled);
		job->number = ++hasher->last;
		job->stage = FINISHED;
	} else if (job && job->stage == FREE) {
		enqueue(hasher, job, fd);
	}
	if (job)
		*ret = job->digest;
	pthread_mutex_unlock(&hasher->lock);
}

static struct job *running(struct mw_hasher *hasher)
{
	for (size_t i = 0; i < MW_HASHER_JOBS; i++)
		if (hasher->job[i].stage == RUNNING)
			return &hasher->job[i];
	return NULL;
}

int64_t mw_hasher_stalled(struct mw_hasher *hasher, int64_t now_ms, dev_t *ret_dev)
{
	uint64_t reads = atomic_load(&hasher->watch.reads), number;
	struct job *job;

	pthread_mutex_lock(&hasher->lock);
	job = running(hasher);
	number = job ? job->number : 0;
	if (job)
		*ret_dev = job->status.st_dev;
	pthread_mutex_unlock(&hasher->lock);
	if (number != hasher->looked || reads != hasher->reads)
		hasher->since = now_ms;
	hasher->looked = number;
	hasher->reads = reads;
	return number ? now_ms - hasher->since : 0;
}

int mw_hasher_fd(const struct mw_hasher *hasher)
{
	return hasher->event;
}

static void look_up(struct mw_hasher *hasher, uint64_t number, struct mw_digest *ret)
{
	*ret = (struct mw_digest){.state = MW_DIGEST_UNAVAILABLE};
	pthread_mutex_lock(&hasher->lock);
	for (size_t i = 0; i < MW_HASHER_JOBS; i++)
		if (hasher->job[i].stage != FREE && hasher->job[i].number == number)
			*ret = hasher->job[i].digest;
	if (hasher->stuck && ret->state == MW_DIGEST_PENDING)
		ret->state = MW_DIGEST_UNAVAILABLE;
	pthread_mutex_unlock(&hasher->lock);
}

void mw_hasher_result(struct mw_hasher *hasher, uint64_t number, struct mw_digest *ret)
{
	uint64_t ended;

	while (read(hasher->event, &ended, sizeof(ended)) > 0)
		; /* one read empties it */
	look_up(hasher, number, ret);
}

/* The descriptor is left alone: it tells of other jobs too. */
void mw_hasher_await(struct mw_hasher *hasher, int patience_ms, struct mw_digest *digest)
{
	const struct timespec pause = {.tv_nsec = AWAIT_MS * 1000000L};
	uint64_t number = digest->job;

	for (int waited = 0; waited < patience_ms; waited += AWAIT_MS) {
		nanosleep(&pause, NULL);
		look_up(hasher, number, digest);
		if (digest->state != MW_DIGEST_PENDING)
			return;
	}
}
