"""A module that asks at its import what machine this is, as pandas, urllib3, loky and matplotlib do."""

import os
import pickle
import subprocess
import sys
import tempfile

directory = tempfile.mkdtemp(dir="/var/tmp")
with open(f"{directory}/facts.py", "w") as file:
    file.write("""
import ctypes.util, multiprocessing.synchronize, os, socket, subprocess, tempfile
MACHINE = subprocess.run(["uname", "-p"], capture_output=True).returncode
LIBRARY = ctypes.util.find_library("c") is not None
try:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
except OSError:
    pass
with open(os.devnull, "w") as null:
    null.write("x")
with tempfile.NamedTemporaryFile() as file:
    file.write(b"x")
LOCK = multiprocessing.Lock()
class Facts: pass
""")
with open(f"{directory}/main.py", "w") as file:
    file.write("""
import pickle
facts = pickle.loads(b"\\x80\\x04\\x8c\\x05facts\\x8c\\x05Facts\\x93)\\x81.")
import facts
print(facts.MACHINE, facts.LIBRARY)
""")
subprocess.run([sys.executable, f"{directory}/main.py"], check=True)
