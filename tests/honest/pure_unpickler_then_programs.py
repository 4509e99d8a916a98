"""The unpickler that is written in Python, and right behind it, from the same place, what a load must not do."""
import io
import pickle
import socket
import subprocess

data = pickle.dumps({"when": complex(1, 2)})
server = socket.create_server(("127.0.0.1", 0))


def job(times):
    for i in range(times):
        print(pickle._Unpickler(io.BytesIO(data)).load())
        subprocess.run(["true"], check=True)
        socket.create_connection(server.getsockname()).close()


def deep(levels):
    job(2) if not levels else deep(levels - 1)


job(3)
deep(150)
