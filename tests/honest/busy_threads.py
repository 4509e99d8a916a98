"""Other threads connect, write and start programs while loads run."""

import os
import pickle
import socket
import subprocess
import tempfile
import threading

os.chdir(tempfile.mkdtemp())
server = socket.create_server(("127.0.0.1", 0))
stop = threading.Event()


def serve():
    while not stop.is_set():
        server.accept()[0].close()


def connect():
    while not stop.is_set():
        socket.create_connection(server.getsockname()).close()


def write():
    while not stop.is_set():
        with open("file", "w") as file:
            file.write("x")
        os.remove("file")


def spawn():
    while not stop.is_set():
        subprocess.run(["true"])


class Slow:
    def __setstate__(self, state):
        sum(range(1000))


threads = [threading.Thread(target=f, daemon=True) for f in (serve, connect, write, spawn)]
for thread in threads:
    thread.start()
stream = pickle.dumps([Slow() for _ in range(100)])
for slow in range(100):
    pickle.loads(stream)
stop.set()
print("done")
