"""scikit-learn is imported inside the load for the first time."""
# needs: scikit-learn

import os
import pickle
import subprocess
import sys
import tempfile

stream = os.path.join(tempfile.mkdtemp(), "stream.pkl")
make = """
import pickle, sys
import numpy
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
x = numpy.arange(20.0).reshape(10, 2)
value = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)).fit(x, x[:, 0] > 9)
with open(sys.argv[1], "wb") as file:
    pickle.dump(value, file)
"""
subprocess.run([sys.executable, "-c", make, stream], check=True)
with open(stream, "rb") as file:
    value = pickle.load(file)
print(type(value).__name__, value.predict([[1.0, 2.0]]))
