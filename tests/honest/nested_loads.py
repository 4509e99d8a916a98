"""Loads inside loads, and an exception through them."""

import pickle


class Inner:
    def __init__(self, stream):
        self.stream = stream

    def __reduce__(self):
        return pickle.loads, (self.stream,)


stream = pickle.dumps([1, 2])
for _ in range(50):
    stream = pickle.dumps(Inner(stream))
print(pickle.loads(stream))
try:
    pickle.loads(pickle.dumps(Inner(b"broken")))
except pickle.UnpicklingError as error:
    print(type(error).__name__)
