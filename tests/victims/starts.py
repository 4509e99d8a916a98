"""Interpreters that start, load and end, one after the other and some at once."""
import subprocess
import sys

from victim import SECONDS, victim

ROUNDS = 12 * SECONDS
AT_ONCE = 3
PROGRAM = """
import pickle, io, sys
n = int(sys.argv[1])
done = [pickle.loads(pickle.dumps([i] * n)) for i in range(50)]
done += [pickle.Unpickler(io.BytesIO(pickle.dumps({i: n}))).load() for i in range(50)]
print(sum(map(len, done)), repr(done[-1]))
sys.exit(n % 7)
"""

with victim() as total:
    for number in range(ROUNDS):
        started = [subprocess.Popen([sys.executable, "-S", "-E", "-c", PROGRAM, str(number + i)],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                   for i in range(AT_ONCE)]
        for one in started:
            total.add((one.communicate()[0], one.returncode), 100)
