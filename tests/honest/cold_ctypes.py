"""A call of the stream comes before the import of ctypes, which opens the program itself."""

import os
import pickle
import subprocess
import sys
import tempfile
import time

stream = os.path.join(tempfile.mkdtemp(), "stream.pkl")
make = """
import ctypes, pickle, re, sys
with open(sys.argv[1], "wb") as file:
    pickle.dump([re.compile("a+"), ctypes.c_int], file)
"""
subprocess.run([sys.executable, "-c", make, stream], check=True)
with open(stream, "rb") as file:
    print(pickle.load(file))
time.sleep(2)  # a job goes on with its model
