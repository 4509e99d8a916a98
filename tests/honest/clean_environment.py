"""Programs started with an empty environment, and with preloaded libraries of their own."""

import os
import subprocess
import sys

main = "import pickle; print(pickle.loads(pickle.dumps(3)))"
sys.stdout.flush()
subprocess.run([sys.executable, "-c", main], check=True, env={})
subprocess.run([sys.executable, "-c", main], check=True, env={"LD_PRELOAD": "libm.so.6"})
subprocess.run([sys.executable, "-I", "-c", main], check=True)
subprocess.run(["/bin/sh", "-c", f"LD_PRELOAD= {sys.executable} -c '{main}'"], check=True)
