"""Signals every millisecond, whose handlers load and walk the stack while a load is open."""
import faulthandler
import os
import pickle
import signal

from victim import SECONDS, Asks, asking, victim

ROUNDS = 230 * SECONDS
STREAM = pickle.dumps({"in": ["a", "handler"], "n": range(3)})
WANTED = repr(pickle.loads(STREAM))
wrong = []


def handler(number, frame):
    """How often it is called is not the same twice: only what went wrong counts."""
    result = repr(Asks(asking(1), lambda pid: pickle.loads(STREAM)).load()[1])
    if result != WANTED:
        wrong.append(result)


def ask(pid):
    """Some time for signals to come in."""
    return sum(i * i for i in range(3000)) + pid


with victim() as total, open(os.devnull, "w") as nowhere:
    faulthandler.enable(file=nowhere)
    faulthandler.register(signal.SIGPROF, file=nowhere, all_threads=False)
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    for number in range(ROUNDS):
        total.add(Asks(asking(*range(8), around=[number]), ask).load())
        total.add(pickle.loads(STREAM))
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    total.add(wrong, 0)
