"""Shared memory as a value in another process: there the resource tracker starts inside the load."""

import pickle
import subprocess
import sys
from multiprocessing import resource_tracker, shared_memory

memory = shared_memory.SharedMemory(create=True, size=4)
load = """
import pickle, sys
again = pickle.loads(bytes.fromhex(sys.argv[1]))
print(again.size >= 4)
again.close()
"""
subprocess.run([sys.executable, "-W", "ignore", "-c", load, pickle.dumps(memory).hex()], check=True,
               stderr=subprocess.DEVNULL)
memory.close()
try:
    memory.unlink()
except FileNotFoundError:
    # Before 3.13 the other process's tracker may have done it; ours would warn of it then.
    resource_tracker.unregister(memory._name, "shared_memory")
