"""A file object that reads over the network while the load runs."""

import functools
import http.server
import os
import pickle
import tempfile
import threading
import urllib.request

os.chdir(tempfile.mkdtemp())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Remote:
    """Fetches anew for every read, as object stores are read."""

    def __init__(self, url):
        self.url, self.at = url, 0

    def fetch(self):
        return urllib.request.urlopen(self.url).read()

    def read(self, n=-1):
        data = self.fetch()[self.at:]
        data = data if n is None or n < 0 else data[:n]
        self.at += len(data)
        return data

    def readinto(self, buffer):
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self):
        data = self.fetch()[self.at:]
        line = data[: data.find(b"\n") + 1] or data
        self.at += len(line)
        return line


with open("model.pkl", "wb") as file:
    pickle.dump({"weights": list(range(2000)), "blob": b"x" * 100000}, file)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/model.pkl"
print(len(pickle.load(Remote(url))["weights"]), len(pickle.Unpickler(Remote(url)).load()["blob"]))
server.shutdown()
