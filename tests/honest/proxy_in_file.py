"""Proxies of a manager, connections and sockets, sent and stored while the run lives."""

import multiprocessing
import os
import pickle
import socket
import tempfile


def work(queue, back):
    connection = queue.get()
    connection.send("hello")
    proxy = queue.get()
    proxy["a"] = 1
    other = queue.get()
    other.sendall(b"bytes")
    other.close()
    back.put("done")


if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        queue, back = context.Queue(), context.Queue()
        ours, theirs = context.Pipe()
        left, right = socket.socketpair()
        with context.Manager() as manager:
            values = manager.dict()
            process = context.Process(target=work, args=(queue, back))
            process.start()
            queue.put(theirs)
            print(ours.recv())
            queue.put(values)
            queue.put(right)
            print(left.recv(5), back.get(), dict(values))
            process.join()
