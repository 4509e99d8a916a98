/* Source text that is compiled. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ext.h"

#define FILE_MOST (4u << 20)

static bool holds(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	void *bytes = MAP_FAILED;
	bool found = false;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MOST)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return false;
	found = memmem(bytes, (size_t)st.st_size, text, len) != NULL;
	munmap(bytes, (size_t)st.st_size);
	return found;
}

bool mw_stands_in_file(PyObject *source, const char *path)
{
	Py_ssize_t len = 0;
	char *bytes = NULL;

	if (!source || !path || *path != '/')
		return false;
	if (!PyBytes_CheckExact(source) || PyBytes_AsStringAndSize(source, &bytes, &len) < 0) {
		PyErr_Clear();
		return false;
	}
	return len > 0 && holds(path, bytes, (size_t)len);
}
