#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* Kernels from 6.3 on may insist on memory that is not executable; older ones do not know of it. */
static int make(const char *name, size_t size)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* Seals `fd`, closes it and returns a descriptor of the same memory that can only be read. */
static int seal(int fd, int seals)
{
	char path[40];
	int result;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | seals) < 0) {
		result = -errno;
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		result = open(path, O_RDONLY | O_CLOEXEC);
		if (result < 0)
			result = -errno;
	}
	close(fd);
	return result;
}

int mw_share_constant(const char *name, const void *data, size_t size)
{
	int fd = make(name, size);

	for (size_t done = 0; fd >= 0 && done < size;) {
		ssize_t n = pwrite(fd, (const uint8_t *)data + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int error = -errno;

			close(fd);
			return error;
		}
		done += (size_t)n;
	}
	return fd < 0 ? fd : seal(fd, F_SEAL_WRITE);
}

int mw_share_page(const char *name, size_t size, void **ret_memory)
{
	int fd = make(name, size), shared;
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		shared = -errno;
		close(fd);
		return shared;
	}
	shared = seal(fd, F_SEAL_FUTURE_WRITE);
	if (shared < 0)
		munmap(memory, size);
	else
		*ret_memory = memory;
	return shared;
}
