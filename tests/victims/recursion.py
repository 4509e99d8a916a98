"""Loads in loads fifty deep, and recursion that comes to its limit inside of them."""
import pickle
import sys
import threading

from victim import SECONDS, outcome, victim

ROUNDS = 80 * SECONDS
DEPTH = 50


class Nested:
    """Loads the next one by what Python calls, not by the stream alone."""

    def __init__(self, depth):
        self.depth = depth

    def __reduce__(self):
        return again, (pickle.dumps(Nested(self.depth - 1) if self.depth else self.depth),)


def again(stream):
    return [pickle.loads(stream)]


class Endless:
    def __setstate__(self, state):
        endless(state["n"])


def endless(number):
    return endless(number + 1) + pickle.loads(STREAM)


class EndlessLoads:
    def __reduce__(self):
        return endless_loads, (0,)


def endless_loads(number):
    return pickle.loads(LOADS)


def endless_object():
    made = Endless()
    made.n = 1
    return made


def lists(depth):
    return b"(" * depth + b"l" * depth + b"."


STREAM = pickle.dumps(1)
LOADS = pickle.dumps(EndlessLoads())
NESTED = pickle.dumps(Nested(DEPTH))
ENDLESS = pickle.dumps(endless_object())
LISTS = lists(5000)


def work(add):
    add(pickle.loads(NESTED), DEPTH + 1)
    add(outcome(pickle.loads, ENDLESS), 1)
    add(outcome(pickle.loads, LOADS), 100)
    add(len(pickle.loads(LISTS)), 1)


with victim() as total:
    sys.setrecursionlimit(400)
    for number in range(ROUNDS):
        work(total.add)
        threading.stack_size(512 << 10)
        thread = threading.Thread(target=work, args=(total.add,))
        thread.start()
        thread.join()
