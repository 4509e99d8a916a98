"""fork, vfork and posix_spawn inside of loads and around them."""
import os
import pickle
import subprocess
import sys

from victim import SECONDS, Asks, asking, victim

ROUNDS = 9 * SECONDS
STREAM = pickle.dumps(list(range(50)))
SELF = [sys.executable, "-S", "-E", "-c", "import pickle; print(pickle.loads(b'\\x80\\x04K\\x07.'))"]


def status(pid):
    """Of a child; negative when a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fork(deep):
    """The child ends in the middle of the load that it was born in, after loads of its own."""
    pid = os.fork()
    if pid:
        return status(pid)
    code = sum(pickle.loads(STREAM)) % 100
    if deep:
        code += fork(deep - 1)
    os._exit(code % 128)


def fork_and_return():
    """The child finishes its parent's load, and one that has not begun."""
    pid = os.fork()
    return status(pid) if pid else "child"


def answers(pid):
    return {
        0: lambda: fork(0),
        1: lambda: fork(2),
        2: lambda: status(os.posix_spawn("/bin/true", ["true"], {})),
        3: lambda: subprocess.run(["/bin/sh", "-c", "exit 3"]).returncode,
        4: lambda: subprocess.run(SELF, capture_output=True).stdout,
        5: lambda: os.system("exit 5"),
        6: lambda: status(os.spawnv(os.P_NOWAIT, "/bin/true", ["true"])),
        7: fork_and_return,
    }[pid]()


with victim() as total:
    for number in range(ROUNDS):
        result = Asks(asking(*range(8), around=[number]), answers).load()
        if "child" in result:
            os._exit(sum(pickle.loads(STREAM)) % 100)
        total.add(result)
        total.add((fork(1), subprocess.run(["/bin/true"]).returncode), 0)
