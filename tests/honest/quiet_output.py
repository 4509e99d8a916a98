"""Objects that write to the null device, stored with their open file: by dill, and by their own class."""
# needs: dill

import os
import pickle

import dill


class Progress:
    def __init__(self):
        self.out = open(os.devnull, "w")

    def __getstate__(self):
        return {}

    def __setstate__(self, state):
        self.__init__()


class Quiet:
    def __reduce__(self):
        return open, (os.devnull, "w")


with open(os.devnull, "w") as file:
    again = dill.loads(dill.dumps(file))
print(again.name, again.mode, again.write("nothing"))
again.close()
quiet = pickle.loads(pickle.dumps(Quiet()))
print(quiet.name)
quiet.close()
progress = pickle.loads(pickle.dumps(Progress()))
print(progress.out.write("nothing"))
progress.out.close()
