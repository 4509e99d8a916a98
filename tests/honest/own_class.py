"""A class of the user own program, and one of a module beside it."""

import os
import pickle
import sys
import tempfile

sys.path.insert(0, tempfile.mkdtemp())
with open(os.path.join(sys.path[0], "beside.py"), "w") as module:
    module.write("class Point:\n    def __init__(self, x):\n        self.x = x\n")
import beside


class Model:
    def __init__(self):
        self.weights = [1, 2, 3]

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.loaded = True


model, point = pickle.loads(pickle.dumps((Model(), beside.Point(4))))
print(model.weights, model.loaded, point.x)
