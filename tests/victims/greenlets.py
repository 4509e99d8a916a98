"""Loads of many greenlets at once, which leave each other's stacks in the middle of a load."""
# needs: greenlet
import io
import pickle
import random

import greenlet

from victim import SECONDS, Asks, asking, victim

ROUNDS = 25 * SECONDS
AT_ONCE = 48
QUESTIONS = 6
hub = greenlet.getcurrent()


class Slow(io.BytesIO):
    """A file whose every read is a switch."""

    def read(self, size=-1):
        hub.switch("read")
        return super().read(size)

    def readline(self, size=-1):
        hub.switch("readline")
        return super().readline(size)

    def readinto(self, buffer):
        hub.switch("readinto")
        return super().readinto(buffer)


def by_questions(name, deep):
    def ask(pid):
        answer = hub.switch(pid)
        if deep and pid == 2:
            return pickle.loads(pickle.dumps((by_questions(name, deep - 1), answer)))
        return answer
    return Asks(asking(*range(QUESTIONS)), ask).load()


def by_reads(name):
    return pickle.load(Slow(pickle.dumps([name, {"a": b"b" * 200}, "c" * 300], name % 5)))


def work(name):
    return by_reads(name) if name % 3 == 0 else by_questions(name, name % 3)


def loads_of(name):
    return 1 if name % 3 == 0 else 1 + 2 * (name % 3)


with victim() as total:
    dice = random.Random(5)
    for _ in range(ROUNDS):
        alive = {name: greenlet.greenlet(work) for name in range(AT_ONCE)}
        given_up = set(dice.sample(range(AT_ONCE), 5))
        started = set()
        while alive:
            name = dice.choice(sorted(alive))
            one = alive[name]
            if name in given_up and name in started and dice.random() < 0.2:
                one.throw(greenlet.GreenletExit)
                del alive[name]
                total.add(name, 0)
                continue
            said = one.switch(name) if name not in started else one.switch((name, "answer"))
            started.add(name)
            if one.dead:
                del alive[name]
                total.add((name, said), loads_of(name))
