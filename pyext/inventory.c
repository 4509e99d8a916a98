/* Loads that have ended, for the inventory: only called while the monitor wants to hear of them. */
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "ext.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Which file it is, so that nobody takes another one for it that has its name or its descriptor by
 * then. */
static void identify(struct mw_load *load)
{
	struct stat st;

	load->ino = 0;
	if (load->fd >= 0 ? fstat(load->fd, &st) : !load->path[0] || stat(load->path, &st))
		return;
	load->dev = major(st.st_dev) << 20 | (minor(st.st_dev) & 0xfffff);
	load->ino = st.st_ino;
}

/* Described now: later the stream has had its say about the objects that are asked. Bytes without a
 * file are in the inventory only when somebody had to be told of them, and are described then. */
void mw_inventory_open(struct mw_load *load)
{
	void *outer;

	if (load->outer)
		return;
	load->began = now_ns();
	load->weights_only = MW_NOT_KNOWN;
	load->ino = 0;
	if (load->file && PyBytes_CheckExact((PyObject *)load->file))
		return;
	outer = mw_enter();
	mw_describe(load);
	identify(load);
	mw_leave(outer);
}

void mw_inventory_close(struct mw_load *load, bool raised)
{
	uint64_t now = now_ns();

	if (load->slot || (load->described && load->path[0]))
		mw_shim->loaded(load, now > load->began ? now - load->began : 0, raised);
}
