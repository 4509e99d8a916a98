#include "floor_evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int where(const struct mw_tracee *tracee, uint64_t *ret_sp, uint64_t *ret_pc)
{
	char text[512], *space;
	int fd = mw_tracee_open(tracee, "syscall", O_RDONLY);
	ssize_t len;

	if (fd < 0)
		return fd;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return -ESRCH;
	text[len] = '\0';
	/* "number a0 a1 a2 a3 a4 a5 sp pc": the last two. */
	space = strrchr(text, ' ');
	if (space) {
		*space = '\0';
		*ret_pc = strtoull(space + 1, NULL, 16);
		space = strrchr(text, ' ');
	}
	if (!space)
		return -EBADMSG;
	*ret_sp = strtoull(space + 1, NULL, 16);
	return 0;
}

uint64_t mw_floor_stack_pointer(const struct mw_tracee *tracee)
{
	uint64_t sp, pc;

	return where(tracee, &sp, &pc) ? 0 : sp;
}

int mw_floor_evidence(const struct mw_tracee *tracee, struct mw_floor_evidence *ret)
{
	uint64_t sp, pc;
	int error = where(tracee, &sp, &pc);

	if (error)
		return error;
	ret->regs = (struct mw_regs){{0}};
	ret->regs.r[MW_REGS_SP] = sp;
	ret->regs.r[MW_REGS_PC] = pc;
	ret->stack_len = (uint32_t)mw_tracee_read_some(tracee, sp, ret->stack, MW_FLOOR_STACK);
	return 0;
}
