"""A service unpickles requests in threads, which take their time, while other threads serve and write."""

import http.client
import http.server
import os
import pickle
import re
import tempfile
import threading

os.chdir(tempfile.mkdtemp())
all_inside = threading.Barrier(5)
all_served = threading.Event()


class Slow:
    def __setstate__(self, state):
        self.__dict__.update(state)
        all_inside.wait()
        all_served.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, text):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        pattern, slow = pickle.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(pattern.pattern + str(slow.x))

    def do_GET(self):
        name = self.path.strip("/")
        os.mkdir(name)
        with open(f"{name}/log", "a") as file:
            file.write(self.path)
        os.rename(name, name + ".done")
        self.answer(open(f"{name}.done/log").read())


def ask(*args):
    connection = http.client.HTTPConnection(*server.server_address)
    connection.request(*args)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def post(i):
    slow = Slow()
    slow.x = i
    answers[i] = ask("POST", "/", pickle.dumps([re.compile("a+"), slow]))


answers = {}
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
clients = [threading.Thread(target=post, args=(i,)) for i in range(4)]
for client in clients:
    client.start()
all_inside.wait()
print([ask("GET", f"/{i}") for i in range(50)])
all_served.set()
for client in clients:
    client.join()
print(sorted(answers.items()))
server.shutdown()
