/* To be preloaded before faketime, which knows POSIX' waits and not C11's: librdkafka waits by
 * these until some time of faketime's clock, which would be hours by the real one. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

/* glibc's C11 and POSIX types are the same. */
__attribute__((visibility("default"))) int cnd_timedwait(cnd_t *condition, mtx_t *mutex,
                                                         const struct timespec *end)
{
	int error =
	        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, end);

	return error == ETIMEDOUT ? thrd_timedout : error ? thrd_error : thrd_success;
}
