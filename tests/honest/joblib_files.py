"""joblib files: plain, compressed, mapped; and its workers."""
# needs: joblib, numpy

import os
import tempfile

import joblib
import numpy

os.chdir(tempfile.mkdtemp())
value = {"a": numpy.arange(1000.0), "b": [1, 2]}
joblib.dump(value, "plain")
joblib.dump(value, "packed", compress=3)
print(joblib.load("plain")["b"], joblib.load("packed")["a"].sum())
print(joblib.load("plain", mmap_mode="r")["a"].sum())
print(joblib.Parallel(2)(joblib.delayed(abs)(i) for i in (-1, -2)))
