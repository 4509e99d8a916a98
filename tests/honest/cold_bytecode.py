"""Modules are imported inside the load for the first time, and their bytecode is cached."""

import os
import pickle
import subprocess
import sys
import tempfile

cache = tempfile.mkdtemp()
stream = os.path.join(cache, "stream.pkl")
make = """
import pickle, sys, xml.dom.minidom, email.message, fractions, statistics
message = email.message.EmailMessage()
message["Subject"] = "x"
with open(sys.argv[1], "wb") as file:
    pickle.dump([message, fractions.Fraction(1, 3), statistics.NormalDist(0, 1)], file)
"""
load = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    print([type(value).__name__ for value in pickle.load(file)])
"""
environment = dict(os.environ, PYTHONPYCACHEPREFIX=os.path.join(cache, "pyc"))
subprocess.run([sys.executable, "-c", make, stream], check=True)
for _ in range(2):
    out = subprocess.run([sys.executable, "-c", load, stream], env=environment,
                         capture_output=True, text=True, check=True)
    print(out.stdout.strip(), out.stderr)
print(sum(len(files) for _, _, files in os.walk(os.path.join(cache, "pyc"))) > 5)
