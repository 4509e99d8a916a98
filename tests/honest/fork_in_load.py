"""A class, or a function that a stream calls, asks a forked child for a value when it is loaded; programs of
the job's own start right after."""

import os
import pickle
import subprocess
import sys


def ask():
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, b"42")
        os._exit(0)
    os.wait()
    return int(os.read(read, 10))


class Value:
    def __setstate__(self, state):
        self.value = ask()


class Asked:
    def __reduce__(self):
        return ask, ()


value = Value()
value.a = 1
print(pickle.loads(pickle.dumps(value)).value)
print(pickle.loads(pickle.dumps(Asked())))
for _ in range(3):
    print(subprocess.run([sys.executable, "-c", "print('ran', file=open('/dev/null', 'w'))"]).returncode)
