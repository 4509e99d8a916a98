"""Packages are imported for the first time in loads that have made a call already."""
# needs: numpy, scipy, pandas, scikit-learn, torch

import os
import pickle
import subprocess
import sys
import tempfile

make = """
import pickle, re, sys
import numpy, pandas, scipy.sparse, torch
from sklearn.linear_model import LinearRegression
x = numpy.arange(6.0)
values = {
    "numpy": x,
    "scipy": scipy.sparse.csr_matrix(numpy.eye(2)),
    "pandas": pandas.DataFrame({"a": [1, 2]}),
    "sklearn": LinearRegression().fit(x.reshape(-1, 1), x),
    "torch": torch.nn.Linear(1, 1, bias=False).requires_grad_(False),
}
for name, value in values.items():
    with open(f"{sys.argv[1]}/{name}", "wb") as file:
        pickle.dump([re.compile("a+"), value], file)
"""
directory = tempfile.mkdtemp()
subprocess.run([sys.executable, "-c", make, directory], check=True)
for name in ("numpy", "scipy", "pandas", "sklearn", "torch"):
    with open(os.path.join(directory, name), "rb") as file:
        pattern, value = pickle.load(file)
    print(pattern.pattern, name, value)
