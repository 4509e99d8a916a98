/* Speaking to the monitor by a system call that the floor hands to it. The instruction stands in
 * the shim's own code: the monitor takes these calls from nowhere else. */
#include "floor.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "shim.h"

#if defined(__x86_64__)
static long call(long number, long a, long b, long c)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
	                 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;

	__asm__ volatile("svc #0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
	                 : "memory");
	return x0;
}
#else
#error "no system call for this architecture"
#endif

long mw_floor_tell(enum mw_tell command, uint64_t argument)
{
	long result;

	do
		result = call(SYS_prctl, MW_FLOOR_CALL, command, (long)argument);
	while (result == -EINTR);
	return result;
}

int mw_floor_send(const struct mw_record *record, const uint8_t *head, size_t len,
                  struct mw_reply *ret, int *fds)
{
	struct mw_floor_message message = {
	        .head = (uintptr_t)head,
	        .head_len = len,
	        .stack = (uintptr_t)record->stack,
	        .stack_len = record->stack_len,
	        .reply = (uintptr_t)ret,
	        .fds = {-1, -1},
	};
	long result = mw_floor_tell(MW_TELL_RECORD, (uintptr_t)&message);

	if (result < 0)
		return (int)result;
	ret->id[sizeof(ret->id) - 1] = '\0';
	ret->title[sizeof(ret->title) - 1] = '\0';
	if (fds)
		memcpy(fds, message.fds, sizeof(message.fds));
	return ret->magic == MW_REPLY_MAGIC ? 0 : -EPROTO;
}

void mw_floor_close(const struct mw_load *load)
{
	if (load->floored)
		mw_floor_tell(MW_TELL_CLOSE, load->id);
}

bool mw_floor_watches(void)
{
	const struct mw_thread *thread = &mw_thread;

	if (!mw_process.floor)
		return false;
	if (thread->scope)
		return true;
	for (const struct mw_load *load = thread->load; load; load = load->outer)
		if (load->floored)
			return true;
	return false;
}

void mw_floor_birth(enum mw_floor_birth birth)
{
	if (mw_floor_watches())
		mw_floor_tell(MW_TELL_BIRTH, birth);
}
