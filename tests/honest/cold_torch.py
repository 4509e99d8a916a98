"""torch is imported inside the load for the first time."""
# needs: torch

import os
import pickle
import subprocess
import sys
import tempfile

stream = os.path.join(tempfile.mkdtemp(), "stream.pkl")
make = """
import pickle, sys
import torch
value = torch.nn.Linear(2, 2)
with open(sys.argv[1], "wb") as file:
    pickle.dump(value, file)
"""
subprocess.run([sys.executable, "-c", make, stream], check=True)
with open(stream, "rb") as file:
    value = pickle.load(file)
print(type(value).__name__)
