"""An object that is shared between processes makes itself a lock when it is loaded."""

import multiprocessing
import pickle


class Counter:
    def __init__(self):
        self.value = 1

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.lock = multiprocessing.Lock()


again = pickle.loads(pickle.dumps(Counter()))
with again.lock:
    print(again.value)
