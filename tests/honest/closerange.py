"""A program closes every descriptor that it does not know, as daemons do, and goes on."""

import os
import pickle
import subprocess
import sys
import tempfile

path = os.path.join(tempfile.mkdtemp(), "file")
os.closerange(3, 1000)
fds = [os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(20)]
print(fds[:3])
stream = b"\x80\x04\x8c\x09fractions\x8c\x08Fraction\x93K\x01K\x02\x86R."
print(pickle.loads(stream))
if os.fork() == 0:
    pickle.loads(stream)
    os._exit(0)
os.wait()
sys.stdout.flush()
subprocess.run([sys.executable, "-c", f"import pickle; print(pickle.loads({stream!r}))"], check=True)
print(os.path.getsize(path))
