"""Programs under the floor that are no script of tests/honest/: tools, programs without libc, and what they
print is compared in parts. While they run, another thread of the job has a load open that has made a call, so
that the monitor is asked who they are."""
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from conftest import HOLDER, run
from interpreters import find

HONEST = Path(__file__).parent / "honest"

def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


def quiet(command, tmp_path, **kwargs):
    """The result of a command beside a load, of which there was no alert."""
    result = run([sys.executable, "-c", HOLDER, *command], tmp_path / "alerts", **kwargs)
    assert result.alerts == [], result.stderr
    return result


def same(command, tmp_path, **kwargs):
    """The same, and all is as it is without modelwatch."""
    bare = subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)
    result = quiet(command, tmp_path, **kwargs)
    assert (result.returncode, result.stdout, result.stderr) == (
        bare.returncode, bare.stdout, bare.stderr)
    return result


def compiled(tmp_path, source, *options):
    (tmp_path / "program.c").write_text(source)
    subprocess.run(["cc", "-O1", "-o", tmp_path / "program", tmp_path / "program.c", *options], check=True)
    return str(tmp_path / "program")


def test_strace_starts_and_attaches(tmp_path):
    needs("strace")
    log = str(tmp_path / "log")
    script = (f"strace -f -e trace=openat,execve,mkdir -o {log} sh -c 'mkdir {tmp_path}/made; cat /dev/null' &&"
              f"grep -c 'mkdir(.*= 0' {log} && sleep 30 & sleeper=$!; sleep 0.5;"
              f"strace -p $sleeper -o {log}2 & sleep 0.5; kill $sleeper; wait; grep -c SIGTERM {log}2")
    result = quiet(["sh", "-c", script], tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "made").exists()


def test_gdb_starts_and_attaches(tmp_path):
    needs("gdb")
    program = compiled(tmp_path, """
#include <stdio.h>
#include <unistd.h>
volatile int rounds = 1000;
int work(int x)
{
	FILE *file = fopen("/dev/null", "w");
	fclose(file);
	return x + 1;
}
int main(void)
{
	for (int i = 0; i < rounds; i = work(i))
		usleep(10000);
	return puts("done") < 0;
}
""", "-g")
    gdb = ["gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off"]
    started = quiet([*gdb, "-ex", "break work", "-ex", "run", "-ex", "bt", "-ex", "delete",
                     "-ex", "set var rounds = 3", "-ex", "continue", program], tmp_path)
    assert "#1 " in started.stdout and "main ()" in started.stdout, started.stderr
    assert "done" in started.stdout and "exited normally" in started.stdout
    script = (f"{program} >{tmp_path}/out & sleep 0.3; {' '.join(gdb[:4])} -iex 'set debuginfod enabled off'"
              " -p $! -ex 'set var rounds = 3' -ex detach; wait $!")
    attached = quiet(["sh", "-c", script], tmp_path)
    assert attached.returncode == 0, attached.stderr
    assert (tmp_path / "out").read_text() == "done\n"


def test_pip_installs(tmp_path):
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "def answer():\n    return 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/entry_points.txt", "[console_scripts]\ntiny = tiny:answer\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    target = tmp_path / "installed"
    result = quiet([sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet",
                    "--disable-pip-version-check", "--root-user-action=ignore", "--target", str(target),
                    str(wheel)], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (target / "bin" / "tiny").exists()
    code = f"import sys; sys.path.insert(0, {str(target)!r}); import tiny; print(tiny.answer())"
    assert same([sys.executable, "-c", code], tmp_path).stdout == "42\n"


# As the Go runtime does: threads by clone, no libc in between, a child by vfork.
STATIC = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int tid = -1;

static int work(void *name)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_CREAT | O_WRONLY, 0600);

	syscall(SYS_write, fd, "x", 1);
	syscall(SYS_close, fd);
	syscall(SYS_exit, 0);
	return 0;
}

int main(int argc, char **argv)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *const command[] = {"/bin/echo", "child", NULL};
	int status, n = 0;
	pid_t pid;

	clone(work, stack + 65536,
	      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
	              CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
	      argv[1], (int *)&tid, NULL, (int *)&tid);
	while ((n = tid))
		syscall(SYS_futex, &tid, FUTEX_WAIT, n, NULL, NULL, 0);
	pid = vfork();
	if (!pid) {
		execve(command[0], command, NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	printf("%d %d\n", access(argv[1], F_OK), status);
	return unlink(argv[1]);
}
"""


def test_static_program_with_threads_of_its_own(tmp_path):
    program = compiled(tmp_path, STATIC, "-static")
    assert same([program, str(tmp_path / "file")], tmp_path).stdout == "child\n0 0\n"


# A sandbox of its own: no directories, and a listener, which the kernel refuses where there is one.
SANDBOX = r"""
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, code};
	FILE *file;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	printf("%d\n", mkdir(argv[1], 0700) < 0 ? errno : 0);
	file = fopen(argv[1], "w");
	printf("%d\n", file && !fclose(file) && !unlink(argv[1]));
	return 0;
}
"""


def test_program_with_a_filter_of_its_own(tmp_path):
    program = compiled(tmp_path, SANDBOX)
    assert same([program, str(tmp_path / "file")], tmp_path).stdout == "18\n1\n"


def test_bubblewrap(tmp_path):
    needs("bwrap")
    command = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/mnt",
               "--unshare-pid", "--die-with-parent", "sh", "-c", "echo made >/mnt/x; mkdir /mnt/y; ls /mnt; "
               "touch /usr/x 2>/dev/null || echo refused"]
    if subprocess.run(command, capture_output=True, timeout=60).returncode:
        pytest.skip("bubblewrap does not work here")
    assert same(command, tmp_path).stdout == "x\ny\nrefused\n"


# As liburing's users: a ring where there are rings, else the plain call.
URING = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char params[120] = {0};
	int ring = (int)syscall(425, 8, params);
	int fd = ring < 0 && errno != ENOSYS ? -1 : open(argv[1], O_CREAT | O_WRONLY, 0600);

	fprintf(stderr, "%s\n", ring < 0 ? strerror(errno) : "ring");
	return fd < 0 || write(fd, "x", 1) != 1 || unlink(argv[1]);
}
"""


def test_program_that_does_without_rings(tmp_path):
    result = quiet([compiled(tmp_path, URING), str(tmp_path / "file")], tmp_path)
    assert (result.returncode, result.stderr) == (0, "Function not implemented\n")


CHILDREN = r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int bad = 0, status;

	for (int i = 0; i < 10000; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(i % 100 ? 0 : close(open(argv[1], O_CREAT | O_WRONLY, 0600)) != 0);
		bad += pid < 0 || waitpid(pid, &status, 0) < 0 || status;
	}
	printf("%d\n", bad);
	return 0;
}
"""


def test_ten_thousand_children(tmp_path):
    assert same([compiled(tmp_path, CHILDREN), str(tmp_path / "file")], tmp_path).stdout == "0\n"


def test_a_thousand_programs(tmp_path):
    script = "i=0; while [ $i -lt 1000 ]; do /bin/true || echo no; i=$((i+1)); done; echo $i"
    assert same(["sh", "-c", script], tmp_path).stdout == "1000\n"


INDUCTOR = """
import os, tempfile
os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()
import torch
@torch.compile
def f(x):
    return torch.sin(x) + x * 2
print(f(torch.arange(2.0)))
"""


def test_torch_compiles(tmp_path):
    """By its C++ backend, which starts compilers and workers and loads what they made."""
    if not importlib.util.find_spec("torch"):
        pytest.skip("needs torch")
    result = quiet([sys.executable, "-c", INDUCTOR], tmp_path)
    assert (result.returncode, result.stdout) == (0, "tensor([0.0000, 2.8415])\n")


ORDINARY = ("http_service", "work_beside_a_load", "programs_beside_a_load", "multiprocess", "databases", "cold_ctypes")


def as_nobody(program, nobody, *before):
    """Compares a program of tests/honest/, run by a user with no rights."""
    become, modelwatch = nobody
    python = find("debian-3.11")
    if not python:
        pytest.skip("needs the system's Python 3.11")
    with tempfile.TemporaryDirectory(prefix="modelwatch-nobody-") as directory:
        os.chmod(directory, 0o777)
        shutil.copy(HONEST / f"{program}.py", directory)
        job = [*before, *python.argv, f"{directory}/{program}.py"]
        watch = [modelwatch, "run", "--floor=require", f"--alerts={directory}/alerts", "--"]
        # The clone may lie where only its owner may go: what multiprocessing spawns goes to where it was started.
        bare, result = (subprocess.run([*become, *command], capture_output=True, text=True, timeout=120, cwd=directory)
                        for command in (job, [*watch, *job]))
        assert Path(f"{directory}/alerts").read_text() == "", result.stderr
    assert (result.returncode, result.stdout, result.stderr) == (0, bare.stdout, bare.stderr)


@pytest.mark.parametrize("program", ORDINARY)
def test_ordinary_user(program, nobody):
    as_nobody(program, nobody)


@pytest.mark.parametrize("how", ["-Ur", "-Urm", "-Urpf --mount-proc"])
def test_ordinary_user_in_namespaces(how, nobody):
    unshare = ["unshare", *how.split()]
    if subprocess.run([*nobody[0], *unshare, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make user namespaces")
    as_nobody("native_start_up_after_a_call", nobody, *unshare)
