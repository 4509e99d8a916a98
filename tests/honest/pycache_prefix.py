"""Cold imports with the bytecode in a directory of its own, and where none may be written."""

import os
import subprocess
import sys
import tempfile

directory = tempfile.mkdtemp(dir="/var/tmp")
os.mkdir(directory + "/lib.v1.2")
with open(directory + "/lib.v1.2/shapes.py", "w") as file:
    file.write("class Point: pass\n")
main = """
import pickle
print(type(pickle.loads(b"\\x80\\x04\\x8c\\x06shapes\\x8c\\x05Point\\x93)\\x81.")).__name__)
print(pickle.loads(b"\\x80\\x04\\x8c\\x09fractions\\x8c\\x08Fraction\\x93K\\x01K\\x02\\x86R."))
"""
base = {**os.environ, "PYTHONPATH": directory + "/lib.v1.2"}
for more in ({"PYTHONPYCACHEPREFIX": directory + "/cache.d"}, {"PYTHONDONTWRITEBYTECODE": "1"}, {"PYTHONOPTIMIZE": "2"}, {}):
    subprocess.run([sys.executable, "-c", main], check=True, env={**base, **more})
