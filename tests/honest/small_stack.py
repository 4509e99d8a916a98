"""Loads with cold imports on threads with the smallest stacks, and in deep recursion."""

import pickle
import threading

threading.stack_size(32768 * 4)


class Nested:
    def __init__(self, depth):
        self.depth = depth

    def __reduce__(self):
        return pickle.loads, (pickle.dumps(Nested(self.depth - 1) if self.depth else 1),)


def load():
    pickle.loads(pickle.dumps([1]))
    print(pickle.loads(b"\x80\x04\x8c\x09fractions\x8c\x08Fraction\x93K\x01K\x02\x86R."))


thread = threading.Thread(target=load)
thread.start()
thread.join()
print(pickle.loads(pickle.dumps(Nested(20))))
