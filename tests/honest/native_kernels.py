"""A library with native kernels that gets ready when its first model is loaded: it generates code and
opens another of its libraries, as oneDNN and MKL do, registers itself like OpenMP, asks the name service
and, where there is one, nvidia-modprobe, as CUDA does."""
# needs: ctypes

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time

C = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int generates(void)
{
	static const unsigned char code[] =
#ifdef __x86_64__
	        {0xb8, 42, 0, 0, 0, 0xc3};
#else
	        {0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};
#endif
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -1;
	memcpy(page, code, sizeof(code));
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC))
		return -1;
	__builtin___clear_cache((char *)page, (char *)page + sizeof(code));
	return ((int (*)(void))page)();
}

static void registers(void)
{
	char name[64];
	int fd = open("/dev/null", O_WRONLY);

	close(fd);
	snprintf(name, sizeof(name), "/dev/shm/__KMP_REGISTERED_LIB_%d_%d", getpid(), getuid());
	fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
	close(fd);
	unlink(name);
}

static void looks_up(void)
{
	struct sockaddr_un address = {AF_UNIX, "/run/systemd/userdb/io.systemd.Multiplexer"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
}

static void makes_devices(const char *program)
{
	char *const argv[] = {"nvidia-modprobe", "-c", "0", "-u", NULL};
	pid_t pid;

	if (*program && !posix_spawn(&pid, program, NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

int warm_up(const char *library, const char *program)
{
	void *more = dlopen(library, RTLD_NOW);
	int (*size)(void) = more ? (int (*)(void))dlsym(more, "size") : NULL;

	registers();
	looks_up();
	makes_devices(program);
	return size ? generates() + size() : -1;
}
"""
PYTHON = """
import ctypes, os, pickle, shutil
_directory = os.path.dirname(__file__)
_warm_up = ctypes.CDLL(_directory + "/libkernels.so").warm_up
_more = (_directory + "/libmore.so").encode()
_program = (shutil.which("nvidia-modprobe") or "").encode()

class Model:
    def __init__(self):
        self.answer = 0

    def __getstate__(self):
        return {}

    def __setstate__(self, state):
        self.answer = _warm_up(_more, _program)
"""


def build(directory):
    for name, source in (("kernels", C), ("more", "int size(void) { return 1; }")):
        file = f"{directory}/{name}.c"
        with open(file, "w") as out:
            out.write(source)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", f"{directory}/lib{name}.so", file], check=True)
    with open(f"{directory}/kernels.py", "w") as out:
        out.write(PYTHON)


if "kernels" not in sys.argv:
    directory = tempfile.mkdtemp()  # kept: a package is still there when somebody looks at what it did
    build(directory)
    environment = {**os.environ, "PYTHONPATH": directory, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, __file__, "kernels"], env=environment)
    sys.exit(done.returncode)

import kernels

print(pickle.loads(pickle.dumps(kernels.Model())).answer)
time.sleep(2)  # a job goes on with its model
