"""npy and npz files with objects, and pandas pickles."""
# needs: numpy, pandas

import os
import tempfile

import numpy
import pandas

os.chdir(tempfile.mkdtemp())
numpy.save("o.npy", numpy.array([{"a": 1}, None], object), allow_pickle=True)
print(numpy.load("o.npy", allow_pickle=True))
numpy.savez("z.npz", a=numpy.arange(3))
print(numpy.load("z.npz")["a"])
pandas.Series([1, 2]).to_pickle("s.pkl.gz")
print(list(pandas.read_pickle("s.pkl.gz")))
