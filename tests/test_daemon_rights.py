"""What the daemon and its helpers can still do when somebody has taken them over: what is in /proc, what the kernel
says to calls that they make, and what systemd makes of the unit."""
import functools
import os
import pickle
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import PROGRAM, ROOT
from daemon import PATIENCE, START, Made, Victim, has_ended, until
from hosts import systemd

UNIT = ROOT / "tools/modelwatch.service"
SCORE = 4.0  # of systemd-analyze security, at most: 10 is the worst
# By linux/capability.h.
DAC_READ_SEARCH, KILL, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF, CHECKPOINT_RESTORE = 2, 5, 12, 19, 21, 38, 39, 40
KEPT = {"modelwatch": {DAC_READ_SEARCH, KILL, SYS_PTRACE, PERFMON, BPF, CHECKPOINT_RESTORE},
        "modelwatch-cour": set(), "modelwatch-inve": {DAC_READ_SEARCH, SYS_PTRACE}}
# With nothing but zeros: one that gets through does nothing.
DENIED = {
    "modelwatch": ["mount", "unshare", "setns", "ptrace", "init_module", "kexec_load", "io_uring_setup", "setuid",
                   "process_vm_writev", "userfaultfd", "keyctl", "chroot", "reboot"],
    "modelwatch-cour": ["execve", "fork", "vfork", "bpf", "perf_event_open", "process_vm_readv", "open_by_handle_at",
                        "kill", "pidfd_open"],
    "modelwatch-inve": ["execve", "fork", "bpf", "kill", "process_vm_readv", "unlink", "rename", "mkdir", "bind", "truncate"],
}
NUMBERS = {"mount": 165, "unshare": 272, "setns": 308, "ptrace": 101, "init_module": 175, "kexec_load": 246,
           "io_uring_setup": 425, "setuid": 105, "process_vm_writev": 311, "userfaultfd": 323, "keyctl": 250, "chroot": 161,
           "reboot": 169, "execve": 59, "fork": 57, "vfork": 58, "bpf": 321, "perf_event_open": 298, "process_vm_readv": 310,
           "open_by_handle_at": 304, "kill": 62, "pidfd_open": 434, "unlink": 87, "rename": 82, "mkdir": 83, "bind": 49,
           "truncate": 76, "getppid": 110}
ENOSYS = 38
STATIC = "/usr/bin/python3.11"


@pytest.fixture(scope="module")
def whole(daemons, tmp_path_factory):
    """A daemon with both its helpers."""
    place = tmp_path_factory.mktemp("sinks")
    return daemons(config=[f"spool: {{path: {place}/spool.db}}",
                           f"sinks: [{{name: file, type: file, path: {place}/out.jsonl, inventory: true}}]"])


def status(pid, task=None):
    lines = Path(f"/proc/{pid}/task/{task or pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@functools.cache
def multi():
    """Whether one link for all probes of a file takes no CAP_SYS_ADMIN: kernels that have them, from 6.6 on."""
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())) >= (6, 6)


def kept(name):
    return KEPT[name] | ({SYS_ADMIN} if name == "modelwatch" and not multi() else set())


def capabilities(text):
    return {bit for bit in range(64) if int(text, 16) >> bit & 1}


def family(daemon):
    """The daemon and its helpers, by name."""
    pids = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    found = {Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in pids}
    return {"modelwatch": daemon.pid, **{name: pid for name, pid in found.items() if name in KEPT}}


def helpers_are_confined(daemon):
    found = family(daemon)
    return found.keys() == KEPT.keys() and all(status(pid)["Seccomp"] == "2" for name, pid in found.items()
                                               if name != "modelwatch")


def test_capabilities_are_what_is_needed(whole):
    until(lambda: helpers_are_confined(whole), PATIENCE, "its helpers are not there", whole)
    whole.settle()  # threads have started
    for name, pid in family(whole).items():
        for task in os.listdir(f"/proc/{pid}/task"):
            said = status(pid, task)
            assert capabilities(said["CapPrm"]) == capabilities(said["CapEff"]) == kept(name), name
            assert (said["CapInh"], said["CapAmb"]) == ("0" * 16, "0" * 16)
            assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2"), name


@pytest.mark.parametrize("name", KEPT)
def test_what_nobody_needs_fails(name, whole):
    """Called by a debugger, in its own process."""
    if not shutil.which("gdb"):
        pytest.skip("needs gdb")
    until(lambda: helpers_are_confined(whole), PATIENCE, "its helpers are not there", whole)
    words = []
    for call in ["getppid", *DENIED[name]]:
        words += ["-ex", f'printf "{call} %ld %d\\n", ((long (*)(long, ...))syscall)({NUMBERS[call]}, 0, 0, 0, 0, 0), '
                         "*((int *(*)(void))__errno_location)()"]
    done = subprocess.run(["gdb", "--batch", "-nx", "-p", str(family(whole)[name]), *words], capture_output=True, text=True)
    said = {call: (int(result), int(errno)) for call, result, errno in re.findall(r"^(\w+) (-?\d+) (\d+)$", done.stdout,
                                                                              re.MULTILINE)}
    assert said.pop("getppid", (0, 0))[0] > 0, done.stdout + done.stderr
    assert said == {call: (-1, ENOSYS) for call in DENIED[name]}
    whole.settle()  # and it goes on


def test_what_it_says_of_probes_after_the_start_holds(whole, tmp_path):
    """An interpreter that is new to it, with the rights that are left."""
    python = tmp_path / "python"
    if not os.path.exists(STATIC):
        pytest.skip(f"needs {STATIC}")
    shutil.copy(STATIC, python)
    since = whole.mark()
    stream = pickle.dumps(Made(f"{tmp_path}/made")).hex()
    process = subprocess.Popen([python, "-I", "-S", "-c", "import pickle, sys, time; time.sleep(1.5); "
                                "pickle.loads(bytes.fromhex(sys.argv[1]))", stream])
    assert process.wait(PATIENCE) == 0
    assert whole.wait_for(Victim(tmp_path, pid=process.pid), since)


def analyze(text, tmp_path):
    unit = tmp_path / "modelwatch.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={int(SCORE * 10)}", unit],
                          capture_output=True, text=True)
    return done.returncode, re.search(r"exposure level for \S+ ([\d.]+)", done.stdout)


def test_score(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    code, score = analyze(UNIT.read_text().replace("@BIN@", "/usr/bin"), tmp_path)
    if not score:
        pytest.skip("this systemd-analyze cannot look at a file")
    print(f"\nsystemd-analyze security: {score[1]} (at most {SCORE})")
    assert code == 0 and float(score[1]) <= SCORE


def installed(tmp_path, more=""):
    """The unit as it is installed, in a real systemd, whose watchdog is impatient."""
    reason = systemd.lacking() or (not shutil.which("nsenter") and "needs nsenter")
    if reason:
        pytest.skip(reason)
    programs = tmp_path / "data/bin"
    programs.mkdir(parents=True)
    for name in "modelwatch", "modelwatch-courier":
        shutil.copy(Path(PROGRAM).resolve().parent / name, programs)
    text = UNIT.read_text().replace("@BIN@", "/tmp/data/bin")
    drop_in = "[Unit]\nDefaultDependencies=no\n[Service]\nWatchdogSec=5\nTimeoutStartSec=120\n"
    return systemd.start_unit(tmp_path, "modelwatch.service", text, {"modelwatch.service.d/test.conf": drop_in + more})


@pytest.fixture
def unit(tmp_path):
    with installed(tmp_path) as running:
        yield running


@pytest.fixture
def refusing(tmp_path):
    """The same in the mode deny."""
    start = "ExecStart=\nExecStart=/tmp/data/bin/modelwatch daemon --foreground --mode=deny --alerts=/var/log/modelwatch/alerts\n"
    with installed(tmp_path, start) as running:
        yield running


def main_process(running):
    """Its number outside, once systemd has heard that it is up."""
    if systemd.first_process(running) is None:
        return None
    said = systemd.show(running, "modelwatch.service", "ActiveState", "MainPID")
    if said.get("ActiveState") != "active":
        return None
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            words = path.read_text()
        except OSError:
            continue
        if re.search(rf"^NSpid:\t(\d+)\t{said['MainPID']}$", words, re.MULTILINE) \
                and "\nName:\tmodelwatch\n" in "\n" + words and in_machine(running, path.parent):
            return int(path.parent.name)
    return None


def in_machine(running, process):
    return os.readlink(process / "ns/pid") == os.readlink(f"/proc/{systemd.first_process(running)}/ns/pid")


def test_the_unit_starts_and_is_watched(unit):
    """Type=notify, the sandbox, and a watchdog that starts it anew when it hangs."""
    until(lambda: main_process(unit), 3 * START, "the unit is not active", unit)
    pid = main_process(unit)
    said = status(pid)
    assert capabilities(said["CapEff"]) == kept("modelwatch")
    assert capabilities(said["CapBnd"]) == kept("modelwatch") | {NET_ADMIN, SYS_ADMIN}
    options = {line.split()[4]: line.split()[5] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()}
    assert "ro" in options["/"].split(",") and "rw" in options["/run/modelwatch"].split(",")
    os.kill(pid, signal.SIGSTOP)
    until(lambda: has_ended(pid), PATIENCE + START, "nobody ends it though it hangs", unit)
    until(lambda: main_process(unit) not in (None, pid), 3 * START, "it does not come again", unit)
    assert systemd.show(unit, "modelwatch.service", "NRestarts")["NRestarts"] == "1"


def pinned(running):
    folder = Path(f"/proc/{systemd.first_process(running)}/root/sys/fs/bpf/modelwatch")
    return [entry.name.split("-")[0] for entry in folder.iterdir()] if folder.exists() else []


def test_a_restart_leaves_what_is_refused_and_a_stop_does_not(refusing):
    """Who is told to end takes all of it away: the next one's would be the first again."""
    until(lambda: main_process(refusing), 3 * START, "the unit is not active", refusing)
    pid = main_process(refusing)
    assert pinned(refusing) == ["1"]
    assert systemd.control(refusing, "restart", "modelwatch.service") == 0
    until(lambda: main_process(refusing) not in (None, pid), 3 * START, "it does not come again", refusing)
    assert pinned(refusing) == ["2"]
    assert systemd.control(refusing, "stop", "modelwatch.service") == 0
    assert pinned(refusing) == []
