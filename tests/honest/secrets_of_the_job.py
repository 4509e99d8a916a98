"""The job reads its secrets outside loads, in another thread during one, and in its own file object."""

import os
import pickle
import tempfile
import threading

os.chdir(tempfile.mkdtemp())
ENVIRONMENT = "/proc/self/environ"


def secret():
    with open(ENVIRONMENT, "rb") as file:
        return b"PATH=" in file.read()


class Store:
    """Opens its credentials when it is first read from, as clients of object stores do."""

    def __init__(self, path):
        self.path, self.file = path, None

    def opened(self):
        if self.file is None:
            print("credentials:", secret())
            self.file = open(self.path, "rb")
        return self.file

    def read(self, n=-1):
        return self.opened().read(n)

    def readinto(self, buffer):
        return self.opened().readinto(buffer)

    def readline(self):
        return self.opened().readline()


class Slow:
    """Waits in the middle of its own load for what the other thread does meanwhile."""

    def __getstate__(self):
        return {"x": 1}

    def __setstate__(self, state):
        inside.set()
        done.wait()
        self.__dict__.update(state)


inside, done, answers = threading.Event(), threading.Event(), []


def other_thread():
    inside.wait()
    answers.append(secret())
    done.set()


with open("model.pkl", "wb") as file:
    pickle.dump({"weights": list(range(2000))}, file)
print(secret(), len(pickle.load(Store("model.pkl"))["weights"]), secret())
thread = threading.Thread(target=other_thread)
thread.start()
print(pickle.loads(pickle.dumps(Slow())).x, answers)
thread.join()
