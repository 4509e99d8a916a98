"""numpy is imported inside the load for the first time."""
# needs: numpy

import os
import pickle
import subprocess
import sys
import tempfile

stream = os.path.join(tempfile.mkdtemp(), "stream.pkl")
make = """
import pickle, sys
import numpy
value = {"a": numpy.arange(5), "b": numpy.float32(2), "c": numpy.array([{}, 1], object)}
with open(sys.argv[1], "wb") as file:
    pickle.dump(value, file)
"""
subprocess.run([sys.executable, "-c", make, stream], check=True)
with open(stream, "rb") as file:
    value = pickle.load(file)
print(value)
