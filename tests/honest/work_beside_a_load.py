"""While threads have loads open, others use databases, coroutines, pools of processes, files and datagrams."""

import asyncio
import concurrent.futures
import multiprocessing
import os
import pickle
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading


class Held:
    def __setstate__(self, state):
        opened.wait()
        over.wait()


def load():
    pickle.loads(stream)


def double(x):
    with open(f"{x}.txt", "w") as file:
        file.write(str(2 * x))
    return 2 * x


def database():
    with sqlite3.connect("jobs.db") as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE job (n INTEGER)")
        for i in range(20):
            with db:
                db.execute("INSERT INTO job VALUES (?)", (i,))
        return list(db.execute("SELECT sum(n) FROM job"))


async def chat():
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    line = await reader.readline()
    writer.close()
    child = await asyncio.create_subprocess_exec("echo", "from a child", stdout=subprocess.PIPE)
    out, _ = await child.communicate()
    text = await asyncio.to_thread(double, 21)
    server.close()
    return line, out, text


def pools():
    results = []
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            results.append(pool.map(double, range(4)))
        queue = context.Queue()
        process = context.Process(target=queue.put, args=(method,))
        process.start()
        results.append(queue.get())
        process.join()
    with concurrent.futures.ProcessPoolExecutor(2) as executor:
        results.append(list(executor.map(double, range(3))))
    return results


def files():
    for i in range(300):
        with open(f"{i}.tmp", "w") as file:
            file.write("x")
        os.replace(f"{i}.tmp", "checkpoint")
    shutil.copytree(".", "../copy")
    shutil.rmtree("../copy")
    return os.path.getsize("checkpoint")


def datagrams():
    a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    b.bind(("127.0.0.1", 0))
    for i in range(100):
        a.sendto(b"x", b.getsockname())
        b.recv(1)
    return "sent"


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    os.mkdir("work")
    os.chdir("work")
    opened, over = threading.Barrier(4), threading.Event()
    held = Held()
    held.x = 1
    stream = pickle.dumps([re.compile("a+"), held])
    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    opened.wait()
    print(database())
    print(asyncio.run(chat()))
    print(pools())
    print(files())
    print(datagrams())
    over.set()
    for thread in threads:
        thread.join()
    print("over")
