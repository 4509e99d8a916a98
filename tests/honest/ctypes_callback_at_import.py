"""A package beside the program makes a callback of ctypes at its first import, in a load."""

import os
import subprocess
import sys
import tempfile

directory = tempfile.mkdtemp(dir="/var/tmp")
os.mkdir(directory + "/booster")
with open(directory + "/booster/__init__.py", "w") as file:
    file.write("""
import ctypes
callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(print)
class Model: pass
""")
with open(directory + "/main.py", "w") as file:
    file.write("""
import pickle, time
print(type(pickle.loads(b"\\x80\\x04\\x8c\\x07booster\\x8c\\x05Model\\x93)\\x81.")).__name__)
time.sleep(2)  # a job goes on with its model
""")
subprocess.run([sys.executable, directory + "/main.py"], check=True)
