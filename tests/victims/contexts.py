"""Loads on stacks that makecontext() made, while others are open on the stack that was left."""
# needs: native
import io
import pickle
import threading

import mwcontext

from victim import SECONDS, Asks, asking, outcome, victim

ROUNDS = 1400 * SECONDS
STREAM = pickle.dumps({"on": "another stack", "n": [1, 2, 3]})


def fails():
    return pickle.loads(b"\x80\x04K")


def nested(depth):
    """A load on this stack, in the middle of which the next one goes on elsewhere."""
    def ask(pid):
        if pid == 1 and depth:
            return mwcontext.run(lambda: nested(depth - 1), depth % 2)
        if pid == 2:
            return outcome(mwcontext.run, fails, depth % 2)
        return pickle.loads(STREAM)
    return Asks(asking(0, 1, 2, 3), ask).load()


def work(add):
    for number in range(ROUNDS // 4):
        add(nested(number % 8), 4 * (number % 8 + 1))
        add(mwcontext.run(lambda: pickle.load(io.BytesIO(STREAM)), number % 2))


with victim() as total:
    work(total.add)
    thread = threading.Thread(target=work, args=(total.add,))
    thread.start()
    thread.join()
