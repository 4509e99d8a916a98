"""A signal while a load runs."""

import os
import pickle
import signal


class Interrupted:
    def __setstate__(self, state):
        raise KeyboardInterrupt

    def __getstate__(self):
        return {"x": 1}


signal.signal(signal.SIGUSR1, lambda number, frame: print("signal"))
os.kill(os.getpid(), signal.SIGUSR1)
try:
    pickle.loads(pickle.dumps(Interrupted()))
except KeyboardInterrupt:
    print("interrupted")
os.kill(os.getpid(), signal.SIGUSR1)
