"""Artifacts that are empty, a directory, a device, sparse and huge."""

import os
import pickle
import tempfile

os.chdir(tempfile.mkdtemp())
open("empty", "w").close()
os.mkdir("directory")
with open("sparse", "wb") as file:
    file.write(pickle.dumps("small"))
    file.truncate(10 << 30)
for path in ("empty", "directory", "/dev/zero", "/dev/null", "sparse", "missing"):
    try:
        with open(path, "rb") as file:
            print(path, pickle.load(file))
    except Exception as error:
        print(path, type(error).__name__)
