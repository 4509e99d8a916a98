"""Shared memory as a value: the resource tracker starts inside the load."""

import pickle
from multiprocessing import shared_memory

memory = shared_memory.SharedMemory(create=True, size=4)
stream = pickle.dumps(memory)
again = pickle.loads(stream)
print(again.size >= 4)
again.close()
memory.close()
memory.unlink()
