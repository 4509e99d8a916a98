"""Streams inside gzip, bz2, lzma and zip files."""

import bz2
import gzip
import lzma
import os
import pickle
import tempfile
import zipfile

os.chdir(tempfile.mkdtemp())
value = {"a": list(range(1000))}
for module in (gzip, bz2, lzma):
    with module.open("stream", "wb") as file:
        pickle.dump(value, file)
    with module.open("stream") as file:
        print(pickle.load(file) == value)
with zipfile.ZipFile("z.zip", "w") as archive:
    archive.writestr("data.pkl", pickle.dumps(value))
with zipfile.ZipFile("z.zip") as archive, archive.open("data.pkl") as file:
    print(pickle.load(file) == value)
