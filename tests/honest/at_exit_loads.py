"""Loads at interpreter exit, in finalizers, and in a thread that outlives the main one."""

import atexit
import pickle
import sys
import threading
import time

stream = b"\x80\x04\x8c\x09fractions\x8c\x08Fraction\x93K\x01K\x02\x86R."


class Last:
    def __del__(self):
        print("del", pickle.loads(b"\x80\x04]."))


def late():
    time.sleep(0.2)
    print("thread", pickle.loads(b"\x80\x04]."))


keep = Last()
atexit.register(lambda: print("atexit", pickle.loads(stream)))
threading.Thread(target=late).start()
print("end")
