"""What becomes of a job when the floor's monitor dies, stops, or is flooded, and when tasks die, come in numbers,
live on, use numbers again or see another system than the monitor does."""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import HOLDER, PROGRAM, run

DIED = "modelwatch: the monitor has died; the job goes on without it, unwatched\n"

# Writes checkpoints all the time, while another process loads models, also such as act, and starts children.
# Prints what the loads ended with, and the longest time between two checkpoints.
BUSY = """
import os, pickle, re, subprocess, sys, threading, time
directory, seconds = sys.argv[1], float(sys.argv[2])
end = time.monotonic() + 60
class Evil:
    def __reduce__(self):
        return os.mkdir, (directory + "/evil",)
def load(stream):
    while time.monotonic() < end:
        try:
            pickle.loads(stream)
        except Exception as e:
            names.add(type(e).__name__)
def spawn():
    while time.monotonic() < end:
        subprocess.run(["true"], check=True)
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + seconds
if not os.fork():
    names = set()
    threads = [threading.Thread(target=load, args=(pickle.dumps([re.compile("a+")] * 20),)),
               threading.Thread(target=load, args=(pickle.dumps(Evil()),)), threading.Thread(target=spawn)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*names, flush=True)
    os._exit(0)
longest, last = 0, time.monotonic()
while last < end:
    with open(directory + "/checkpoint.tmp", "w") as file:
        file.write("x")
    os.replace(directory + "/checkpoint.tmp", directory + "/checkpoint")
    now = time.monotonic()
    longest, last = max(longest, now - last), now
os.wait()
print(longest, flush=True)
"""

# Loads a model that starts a program.
STARTER = """
import pickle, subprocess, sys
class Evil:
    def __reduce__(self):
        return subprocess.call, (sys.argv[1:],)
try:
    pickle.loads(pickle.dumps(Evil()))
    print("loaded")
except Exception as e:
    print(type(e).__name__)
"""

POLICY = """version: 1
rules:
  - {{name: helper, effect: exec, argv: "{program} ***", verdict: alert}}
  - {{name: ok, effect: write, path: "{ok}/**", verdict: allow, reason: the test's, owner: the test}}
"""

C = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;

static void make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	printf("%s\n", fd < 0 ? strerror(errno) : "made");
	fflush(stdout);
	close(fd);
}

/* N processes, each of which opens PATH.i for writing when all are there, and says how it went by its status. */
static void crowd(int count, const char *path, int hold)
{
	int ready[2], go[2], status;
	char name[4096], c;

	if (pipe(ready) || pipe(go))
		exit(9);
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (!pid) {
			close(go[1]);
			close(ready[0]);
			if (write(ready[1], "r", 1) < 1 || read(go[0], &c, 1))
				_exit(8);
			snprintf(name, sizeof(name), "%s.%d", path, i);
			_exit(open(name, O_CREAT | O_WRONLY, 0600) < 0 ? errno : 0);
		}
		bad += pid < 0;
	}
	close(ready[1]);
	for (int i = 0; i < count; i++)
		bad += read(ready[0], &c, 1) != 1;
	printf("all %d\n", getpid());
	fflush(stdout);
	if (hold && read(0, &c, 1) < 0)
		exit(7);
	close(go[1]);
	while (wait(&status) > 0)
		bad += status != 0;
	printf("bad %d\n", bad);
}

/* A daemon that makes PATH and OTHER once its parent, and the program PID, have gone. */
static void live_on(const char *pid, const char *path, const char *other)
{
	char proc[64];

	if (fork())
		return;
	setsid();
	if (fork())
		_exit(0);
	snprintf(proc, sizeof(proc), "/proc/%s", pid);
	while (!access(proc, F_OK))
		usleep(10000);
	usleep(200000);
	make(path);
	make(other);
}

int main(int argc, char **argv)
{
	if (!strcmp(argv[1], "make"))
		for (int i = 2; i < argc; i++)
			make(argv[i]);
	else if (!strcmp(argv[1], "often"))
		for (int i = atoi(argv[2]); i; i--)
			make(argv[3]);
	else if (!strcmp(argv[1], "crowd"))
		crowd(atoi(argv[2]), argv[3], argc > 4);
	else if (!strcmp(argv[1], "daemon"))
		live_on(argv[2], argv[3], argv[4]);
	else if (!strcmp(argv[1], "pid"))
		printf("%d\n", getpid());
	return bad != 0;
}
"""


@pytest.fixture(scope="session")
def helper(tmp_path_factory):
    directory = tmp_path_factory.mktemp("helper")
    (directory / "helper.c").write_text(C)
    subprocess.run(["cc", "-O1", "-static", "-o", directory / "helper", directory / "helper.c"], check=True)
    return str(directory / "helper")


@pytest.fixture
def place(helper, tmp_path):
    """Where a load may write, where not, and options of a run that say so."""
    for name in ("ok", "no"):
        (tmp_path / name).mkdir()
    (tmp_path / "policy.yaml").write_text(POLICY.format(program=helper, ok=tmp_path / "ok"))
    return tmp_path


def start(*args, options=(), **kwargs):
    return subprocess.Popen([PROGRAM, "run", *options, "--", *args], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def status(pid):
    return dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def children(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


def keeper_of(monitor):
    [keeper] = [pid for pid in children(monitor) if status(pid)["Name"].strip() == "modelwatch-keep"]
    return keeper


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def waits(pid):
    """Whether the task is in a notification."""
    try:
        return "seccomp" in Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return False


def stop(job):
    """Returns when each thread of the monitor stands still."""
    job.send_signal(signal.SIGSTOP)
    tasks = list(Path(f"/proc/{job.pid}/task").iterdir())
    wait_until(lambda: all(") T " in (task / "stat").read_text() for task in tasks))


# The monitor dies

def test_killed_while_the_job_works(tmp_path):
    """Again until it could be measured while nobody else took the processors away."""
    gaps = []
    while len(gaps) < 3 or (min(gaps) >= 0.1 and len(gaps) < 12):
        job = start(sys.executable, "-c", BUSY, str(tmp_path), "0.6", options=["--quiet"])
        assert job.stdout.readline() == "ready\n"
        job.stdin.write("go\n")
        job.stdin.flush()
        time.sleep(0.3)
        job.kill()
        out, err = job.communicate(timeout=60)
        *names, gap = out.split()
        assert err == DIED
        assert names == ["UnsafeLoadError"]  # what the shim denies it denies without a monitor
        assert not (tmp_path / "evil").exists()
        gaps.append(float(gap))
    print(f"longest time between two checkpoints: {min(gaps) * 1000:.1f} ms")
    assert min(gaps) < 0.1


@pytest.mark.parametrize("held", [False, True], ids=["no_load", "load_open"])
def test_killed_in_the_middle_of_a_thousand(held, helper, tmp_path):
    """All wait for an answer; some were received by the monitor, some not."""
    command = [helper, "crowd", "1000", str(tmp_path / "file"), "hold"]
    job = start(*([sys.executable, "-c", HOLDER] if held else []), *command)
    crowd = int(job.stdout.readline().split()[1])
    stop(job)
    job.stdin.write("x")
    job.stdin.flush()
    wait_until(lambda: sum(map(waits, children(crowd))) == 1000)
    began = time.monotonic()
    job.kill()
    assert job.stdout.readline() == "bad 0\n"
    took = time.monotonic() - began
    print(f"1000 answered after {took * 1000:.0f} ms")
    out, err = job.communicate(timeout=60)
    assert (out, err) == ("", DIED)
    assert len(list(tmp_path.iterdir())) == 1000


def test_killed_while_a_load_is_judged(helper, place):
    """By a load's own calls, one after the other, in which the kill comes."""
    job = start(sys.executable, "-c", STARTER, helper, "often", "20000", str(place / "ok/file"),
                options=[f"--policy={place}/policy.yaml", "--quiet"])
    assert [job.stdout.readline() for _ in range(50)] == ["made\n"] * 50
    job.kill()
    lines = job.stdout.read().splitlines()  # communicate() would drop what is buffered
    _, err = job.communicate(timeout=60)
    assert err == DIED
    assert set(lines[:-1]) == {"made"} and len(lines) == 20000 - 50 + 1
    assert lines[-1] in ("loaded", "UnsafeLoadError")


def test_killed_together_with_the_keeper_leaves_no_such_call(tmp_path):
    """Nobody is left to answer: the kernel says that there is no such system call."""
    code = ("import os, sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"
            "try: os.mkdir(sys.argv[1])\nexcept OSError as e: print(e.strerror)\n")
    job = start(sys.executable, "-c", code, str(tmp_path / "new"))
    assert job.stdout.readline() == "ready\n"
    os.kill(keeper_of(job.pid), signal.SIGKILL)
    job.kill()
    out, err = job.communicate("go\n", timeout=60)
    assert (out, err) == ("Function not implemented\n", "")


def test_killed_keeper_is_no_harm(tmp_path):
    job = start("sh", "-c", f"echo ready; read go; mkdir {tmp_path}/new; exit 7")
    assert job.stdout.readline() == "ready\n"
    os.kill(keeper_of(job.pid), signal.SIGKILL)
    out, err = job.communicate("go\n", timeout=60)
    assert (job.returncode, out, err) == (7, "", "")
    assert (tmp_path / "new").exists()


# The monitor stops

def test_stopped_for_five_seconds(tmp_path):
    job = start(sys.executable, "-c", BUSY, str(tmp_path), "7", options=["--quiet"])
    assert job.stdout.readline() == "ready\n"
    job.stdin.write("go\n")
    job.stdin.flush()
    time.sleep(0.3)
    job.send_signal(signal.SIGSTOP)
    time.sleep(5)
    job.send_signal(signal.SIGCONT)
    out, err = job.communicate(timeout=60)
    *names, gap = out.split()
    assert (job.returncode, err) == (0, "")
    assert names == ["UnsafeLoadError"]
    assert 4.5 < float(gap) < 6.5


@pytest.mark.parametrize("held", [False, True], ids=["no_load", "load_open"])
def test_tasks_that_die_in_a_notification(held, helper, tmp_path):
    command = [helper, "crowd", "300", str(tmp_path / "file"), "hold"]
    job = start(*([sys.executable, "-c", HOLDER] if held else []), *command)
    crowd = int(job.stdout.readline().split()[1])
    pids = children(crowd)
    stop(job)
    job.stdin.write("x")
    job.stdin.flush()
    wait_until(lambda: sum(map(waits, pids)) == 300)
    for pid in pids[::2]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(waits, pids[::2])))
    job.send_signal(signal.SIGCONT)
    out, err = job.communicate(timeout=60)
    assert (out, err) == ("bad 150\n", "")


# Many tasks

@pytest.mark.parametrize("held", [False, True], ids=["no_load", "load_open"])
def test_a_thousand_at_once(held, helper, tmp_path):
    command = [helper, "crowd", "1000", str(tmp_path / "file")]
    began = time.monotonic()
    done = run([*([sys.executable, "-c", HOLDER] if held else []), *command], tmp_path / "alerts")
    print(f"{time.monotonic() - began:.2f} s")
    assert done.stdout.endswith("bad 0\n")
    assert (done.returncode, done.stderr, done.alerts) == (0, "", [])


def test_a_thousand_of_a_load_at_once(helper, place):
    """Each is judged, and the file is opened for it."""
    done = run([sys.executable, "-c", STARTER, helper, "crowd", "1000", str(place / "ok/file")],
               place / "alerts", options=[f"--policy={place}/policy.yaml", "--quiet"])
    assert "bad 0\n" in done.stdout, done.stdout
    assert len(list((place / "ok").iterdir())) == 1000
    assert {alert["effect"]["class"] for alert in done.alerts} == {"exec"}


@pytest.mark.parametrize("of_load", [False, True], ids=["beside", "of_a_load"])
def test_memory_with_a_thousand_tasks(of_load, helper, place):
    command = [helper, "crowd", "1000", str(place / "ok/file"), "hold"]
    job = start(sys.executable, "-c", STARTER if of_load else HOLDER, *command,
                options=[f"--policy={place}/policy.yaml", "--quiet"])
    assert job.stdout.readline().startswith("all ")
    job.stdin.write("x")
    job.stdin.flush()
    assert job.stdout.readline() == "bad 0\n"
    peak = int(status(job.pid)["VmHWM"].split()[0])
    print(f"monitor, at most: {peak} KiB")
    job.communicate(timeout=60)
    assert peak < 24 << 10


LOADS = """
import os, pickle, re, sys
monitor = os.getppid()
def held():
    with open(f"/proc/{monitor}/status") as file:
        size = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return len(os.listdir(f"/proc/{monitor}/fd")), size
class Evil:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1],)
good = pickle.dumps([re.compile("a+"), re.compile("b+")])
evil = pickle.dumps(Evil())
def load(count):
    for i in range(count):
        pickle.loads(good)
        if not i % 50:
            try:
                pickle.loads(evil)
            except Exception:
                pass
load(5000)
before = held()
load(10000)
after = held()
print(*before, *after)
"""


def test_ten_thousand_loads_leave_nothing_behind(tmp_path):
    done = run([sys.executable, "-c", LOADS, str(tmp_path / "evil")], tmp_path / "alerts", options=["--quiet"])
    fds, size, fds_after, size_after = map(int, done.stdout.split())
    print(f"{fds} descriptors and {size} KiB before, {fds_after} and {size_after} KiB after")
    assert fds_after <= fds + 1
    assert size_after < size + 1024
    assert len(done.alerts) == 300 and not (tmp_path / "evil").exists()


# Who should read what the monitor writes waits for the job, which waits for the monitor

NOISY = """
import os, pickle, sys
class Evil:
    def __reduce__(self):
        return os.mkdir, (f"{sys.argv[1]}/evil{i}",)
for i in range(100):
    try:
        pickle.loads(pickle.dumps(Evil()))
    except Exception as e:
        with open(sys.argv[1] + "/log", "w") as file:
            file.write(type(e).__name__)
print("done", flush=True)
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_alerts_that_nobody_reads_on_stderr(form, tmp_path):
    """Until the job has ended."""
    began = time.monotonic()
    job = start(sys.executable, "-c", NOISY, str(tmp_path), options=[f"--format={form}", f"--alerts={tmp_path}/alerts"])
    assert job.stdout.read() == "done\n"
    assert time.monotonic() - began < 30
    err = job.stderr.read()
    assert job.wait(timeout=60) == 0
    assert 4 << 10 < len(err) < 256 << 10
    assert len((tmp_path / "alerts").read_text().splitlines()) >= 100


def test_alerts_whose_reader_comes_back(tmp_path):
    """What was not shown is counted."""
    code = NOISY.replace('print("done", flush=True)', 'print("full", flush=True); sys.stdin.readline()\n'
                         'i = 100\ntry: pickle.loads(pickle.dumps(Evil()))\nexcept Exception as e: print("last")')
    job = start(sys.executable, "-c", code, str(tmp_path))
    assert job.stdout.readline() == "full\n"
    text = ""
    while select.select([job.stderr], [], [], 0.2)[0]:
        text += os.read(job.stderr.fileno(), 65536).decode()
    out, err = job.communicate("go\n", timeout=60)
    assert out == "last\n"
    shown = (text + err).count("PREVENTED")
    [unread] = re.findall(r"^modelwatch: (\d+) alerts were not shown here: nobody read$", text + err, re.M)
    assert 101 <= shown + int(unread) <= 102  # one was cut off
    assert "evil100" in err


@pytest.mark.parametrize("reads", [False, True], ids=["not_read", "read_by_the_job"])
def test_alerts_in_a_fifo(reads, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = '"$@"; head -c 100 <&9 >/dev/null' if reads else '"$@"'
    reader = os.open(fifo, os.O_RDWR)
    try:
        job = start("bash", "-c", f"exec 9<>{fifo}; {script}", "sh", sys.executable, "-c", NOISY, str(tmp_path),
                    options=[f"--alerts={fifo}", "--quiet"])
        assert job.stdout.read() == "done\n"
        job.communicate(timeout=60)
        assert job.returncode == 0
    finally:
        os.close(reader)


def test_alerts_in_a_pipeline(tmp_path):
    script = (f'"$@" 2>&1 | {sys.executable} -c "import json, sys; print(sum(json.loads(l)[\'outcome\'] == '
              f'\'prevented\' for l in sys.stdin if l[0] == \'{{\'))"')
    done = subprocess.run(["sh", "-c", script, "sh", PROGRAM, "run", "--format=json", "--", sys.executable, "-c", NOISY,
                           str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert int(done.stdout) >= 100


def test_descriptors_of_the_monitor_stay(helper, place):
    """A look at a program has no files to close."""
    code = STARTER.replace("try:", "import os\ndef held():\n    return sorted((fd, os.readlink(f'{own}/{fd}')) for fd in "
                           "'012')\nown = f'/proc/{os.getppid()}/fd'\nbefore = held()\ntry:", 1)
    done = run([sys.executable, "-c", code + "print(held() == before)\n", helper, "make", str(place / "ok/file")],
               place / "alerts", options=[f"--policy={place}/policy.yaml", "--quiet"])
    assert (done.stdout, done.stderr) == ("made\nloaded\nTrue\n", "")


# Tasks that live on, and numbers that are used again

def test_daemons_are_watched_to_the_end(helper, place):
    """The command has ended long since; the run has not."""
    code = STARTER + "import os\nos._exit(3)\n"
    done = run([sys.executable, "-c", f"import os, sys\nsys.argv[3] = str(os.getpid())\n{code}", helper, "daemon",
                "PID", str(place / "ok/file"), str(place / "no/file")],
               place / "alerts", options=[f"--policy={place}/policy.yaml", "--quiet"])
    assert (done.returncode, done.stdout) == (3, "loaded\nmade\nOperation not permitted\n")
    assert not (place / "no/file").exists()
    [write] = [alert for alert in done.alerts if alert["effect"]["class"] == "write"]
    assert (write["outcome"], write["sensor"]) == ("prevented", "syscall")
    assert write["effect"]["detail"]["file"] == str(place / "no/file")


def needs_namespaces(*flags):
    probe = subprocess.run(["unshare", *flags, "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("needs the right to make namespaces")


# A number is used again by who must not be taken for who had it before.
AGAIN = """
import os, pickle, subprocess, sys, time
helper, ok, no = sys.argv[1:]
class Evil:
    def __reduce__(self):
        return subprocess.call, ([helper, "make", no],)
def next_is(pid):
    time.sleep(0.02)  # the kernel tells in ticks when a task began
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(pid - 1))
def innocent():
    next_is(500)
    child = subprocess.Popen([helper, "make", no], stdout=subprocess.PIPE, text=True)
    text = child.communicate()[0].strip()
    os.path.exists(no) and os.remove(no)
    return child.pid, text
def of_a_load():
    next_is(500)
    try:
        pickle.loads(pickle.dumps(Evil()))
    except Exception as e:
        return type(e).__name__
for i in range(10):
    print(*innocent(), flush=True)
    print(of_a_load(), flush=True)
"""


def test_numbers_that_are_used_again(helper, place):
    needs_namespaces("-pf", "--mount-proc")
    alerts = place / "alerts"
    done = subprocess.run(["unshare", "-pf", "--mount-proc", PROGRAM, "run", f"--policy={place}/policy.yaml", "--quiet",
                           f"--alerts={alerts}", "--", sys.executable, "-c", AGAIN, helper, str(place / "ok/x"),
                           str(place / "no/x")], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "500 made\nOperation not permitted\nUnsafeLoadError\n" * 10
    pids = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert sum(alert["effect"]["class"] == "write" for alert in pids) == 10


# Tasks that see another system

WAYS = {
    "pid": ["unshare", "-pf"],
    "pid_and_proc": ["unshare", "-pf", "--mount-proc"],
    "mount": ["unshare", "-m"],
    "user": ["unshare", "-Ur"],
}


@pytest.mark.parametrize("way", WAYS)
def test_other_namespaces(way, helper, place):
    """What may not be written is not, and the alert has the path as the task sees it."""
    needs_namespaces(*WAYS[way][1:])
    done = run([*WAYS[way], sys.executable, "-c", STARTER, helper, "make", str(place / "no/file")],
               place / "alerts", options=[f"--policy={place}/policy.yaml", "--quiet"])
    assert done.stdout == "Operation not permitted\nUnsafeLoadError\n"
    [write] = [alert for alert in done.alerts if alert["effect"]["class"] == "write"]
    assert write["effect"]["detail"]["path"] == str(place / "no/file")
    assert not (place / "no/file").exists()


def test_another_root(helper, place):
    """A path below a root of its own is told by where it really leads."""
    if os.getuid():
        pytest.skip("needs root")
    root = place / "root"
    (root / place.relative_to("/") / "ok").mkdir(parents=True)
    shutil.copy(helper, root / "helper")
    (place / "policy.yaml").write_text(POLICY.format(program="**/chroot", ok=place / "ok"))
    inside = str(place / "ok/file")  # allowed where the monitor is, not there
    done = run([sys.executable, "-c", STARTER, shutil.which("chroot"), str(root), "/helper", "make", inside],
               place / "alerts", mode="observe", options=[f"--policy={place}/policy.yaml", "--quiet"])
    assert done.stdout == "made\nloaded\n"
    [write] = [alert for alert in done.alerts if alert["effect"]["class"] == "write"]
    assert write["effect"]["detail"]["file"] == f"{root}{inside}"
    assert not Path(inside).exists() and Path(f"{root}{inside}").exists()
