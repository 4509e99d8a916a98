"""A library gets ready as CUDA does, in a load that has made a call: devices, memory and threads of its own, which
work on when the load is over, and the user's name."""
# needs: ctypes

import os
import pickle
import re
import subprocess
import sys
import tempfile
import time

C = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static int event, bell;

/* Sleeps until it is rung for, then works with files of its own. */
static void *serve(void *argument)
{
	const char *path = argument;
	uint64_t one = 1;
	int fd;

	pthread_setname_np(pthread_self(), "cuda-worker");
	while (read(event, &one, sizeof(one)) == sizeof(one)) {
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		close(fd);
		unlink(path);
		if (fd < 0 || write(bell, &one, sizeof(one)) < 0)
			break;
	}
	return NULL;
}

static int shares(void)
{
	int fd = memfd_create("cuda", MFD_CLOEXEC);
	char name[64];
	void *at;

	if (fd < 0 || ftruncate(fd, 1 << 20))
		return -1;
	at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -1;
	/* As OpenMP registers itself. */
	snprintf(name, sizeof(name), "/__KMP_REGISTERED_LIB_%d_%d", getpid(), getuid());
	fd = shm_open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, 1024) || shm_unlink(name))
		return -1;
	close(fd);
	return 0;
}

static int opens_devices(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	close(fd);
	return fd < 0 ? -1 : 0;
}

int ring(void)
{
	uint64_t one = 1;

	return write(event, &one, sizeof(one)) == 8 && read(bell, &one, sizeof(one)) == 8;
}

int start_up(const char *library, char *path)
{
	pthread_t thread;

	event = eventfd(0, EFD_CLOEXEC);
	bell = eventfd(0, EFD_CLOEXEC);
	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, serve, path))
			return -1;
	if (!dlopen(library, RTLD_NOW | RTLD_GLOBAL) || !getpwuid(getuid()))
		return -2;
	return shares() ? -3 : opens_devices() ? -4 : ring();
}
"""
PYTHON = """
import ctypes, os, tempfile
_directory = os.path.dirname(__file__)
_library = ctypes.CDLL(_directory + "/libstartup.so")
_path = ctypes.create_string_buffer(tempfile.mktemp().encode())
_more = (_directory + "/libmore.so").encode()
_ring = _library.ring
ready = _library.start_up(_more, _path)

class Model:
    def __setstate__(self, state):
        self.answer = _ring()
"""
MAKE = """
import pickle, re, sys
class Model:
    pass
Model.__module__ = "startup"
sys.modules["startup"] = sys.modules["__main__"]
model = Model()
model.x = 1
sys.stdout.buffer.write(pickle.dumps([re.compile("a+"), model]))
"""


def build(directory):
    for name, source in (("startup", C), ("more", "int size(void) { return 1; }")):
        file = f"{directory}/{name}.c"
        with open(file, "w") as out:
            out.write(source)
        subprocess.run(["cc", "-shared", "-fPIC", "-pthread", "-o", f"{directory}/lib{name}.so", file], check=True)
    with open(f"{directory}/startup.py", "w") as out:
        out.write(PYTHON)
    stream = subprocess.run([sys.executable, "-c", MAKE], stdout=subprocess.PIPE, check=True).stdout
    with open(f"{directory}/stream", "wb") as out:
        out.write(stream)


if len(sys.argv) == 1:
    directory = tempfile.mkdtemp()  # kept: a package is still there when somebody looks at what it did
    build(directory)
    environment = {**os.environ, "PYTHONPATH": directory, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, __file__, directory], env=environment)
    sys.exit(done.returncode)

with open(sys.argv[1] + "/stream", "rb") as file:
    pattern, model = pickle.load(file)
import startup

print(pattern.pattern, startup.ready, model.answer, startup._ring())
time.sleep(2)  # a job goes on with its model
