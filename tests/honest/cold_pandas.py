"""pandas is imported inside the load for the first time."""
# needs: pandas

import os
import pickle
import subprocess
import sys
import tempfile

stream = os.path.join(tempfile.mkdtemp(), "stream.pkl")
make = """
import pickle, sys
import pandas
value = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
with open(sys.argv[1], "wb") as file:
    pickle.dump(value, file)
"""
subprocess.run([sys.executable, "-c", make, stream], check=True)
with open(stream, "rb") as file:
    value = pickle.load(file)
print(value.shape)
