"""A chain of a hundred modules that import one another, inside a load, with bytecode."""

import os
import pickle
import sys
import tempfile

directory = tempfile.mkdtemp(dir="/var/tmp")
for i in range(120):
    with open(f"{directory}/chain_{i}.py", "w") as file:
        file.write(f"import chain_{i + 1}\n" if i < 119 else "import ctypes\nlibc = ctypes.CDLL(None)\nimport tempfile\ntempfile.TemporaryFile().close()\n")
        file.write("class Point: pass\n")
main = directory + "/main.py"
with open(main, "w") as file:
    file.write("""
import pickle
print(type(pickle.loads(b"\\x80\\x04\\x8c\\x07chain_0\\x8c\\x05Point\\x93)\\x81.")).__name__)
""")
import subprocess
subprocess.run([sys.executable, main], check=True, env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"})
print(len(os.listdir(directory + "/__pycache__")))
