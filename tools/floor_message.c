#include "floor_message.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define PREFIX 4

static uint32_t big_endian(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

int mw_floor_letter_read(const struct mw_tracee *tracee, uint64_t address,
                         struct mw_floor_letter *ret)
{
	const struct mw_floor_message *m = &ret->message;
	size_t len;
	int error;

	ret->address = address;
	error = mw_tracee_read(tracee, address, &ret->message, sizeof(ret->message));
	if (error)
		return error;
	if (m->head_len <= PREFIX || m->head_len > MW_WIRE_HEAD || m->stack_len > MW_WIRE_STACK)
		return -EBADMSG;
	len = m->head_len + m->stack_len;
	ret->frame = calloc(1, len);
	if (!ret->frame)
		return -ENOMEM;
	error = mw_tracee_read(tracee, m->head, ret->frame, m->head_len);
	if (!error && big_endian(ret->frame) != len - PREFIX)
		error = -EBADMSG;
	if (!error) {
		/* The stack's end is a guess (a coroutine's stack may lie in the heap): what cannot
		 * be read is zeros. */
		mw_tracee_read_some(tracee, m->stack, ret->frame + m->head_len, m->stack_len);
		error = mw_wire_unpack(ret->frame + PREFIX, len - PREFIX, &ret->unpacked);
	}
	if (error)
		free(ret->frame);
	return error;
}

static int put(const struct mw_tracee *tracee, uint64_t address, const void *from, size_t len)
{
	struct iovec here = {(void *)(uintptr_t)from, len},
	             there = {(void *)(uintptr_t)address, len};
	ssize_t put = process_vm_writev(tracee->tid, &here, 1, &there, 1, 0);

	return put == (ssize_t)len ? 0 : put < 0 ? -errno : -EFAULT;
}

static int add(const struct mw_tracee *tracee, int fd)
{
	struct seccomp_notif_addfd added = {
	        .id = tracee->id, .srcfd = (uint32_t)fd, .newfd_flags = O_CLOEXEC};
	int number = ioctl(tracee->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &added);

	return number < 0 ? -errno : number;
}

int mw_floor_letter_reply(const struct mw_tracee *tracee, const struct mw_floor_letter *letter,
                          const struct mw_reply *reply, const int fds[static MW_WIRE_FDS])
{
	int32_t added[MW_WIRE_FDS];

	for (int i = 0; i < MW_WIRE_FDS; i++) {
		added[i] = fds[i] < 0 ? -1 : add(tracee, fds[i]);
		if (added[i] < -1)
			return added[i];
	}
	if (!mw_tracee_valid(tracee))
		return -ESRCH;
	if (fds[0] >= 0) {
		int error = put(tracee, letter->address + offsetof(struct mw_floor_message, fds),
		                added, sizeof(added));

		if (error)
			return error;
	}
	return put(tracee, letter->message.reply, reply, sizeof(*reply));
}

void mw_floor_letter_free(struct mw_floor_letter *letter)
{
	mw_wire_free(&letter->unpacked);
	free(letter->frame);
}
