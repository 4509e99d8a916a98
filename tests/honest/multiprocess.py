"""Pools, queues, managers and shared memory, by every way of starting."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory


def square(x):
    return x * x


def read(queue, name):
    memory = shared_memory.SharedMemory(name=name)
    queue.put(bytes(memory.buf[:3]))
    memory.close()


def main():
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(5)))
        queue = context.Queue()
        memory = shared_memory.SharedMemory(create=True, size=10)
        memory.buf[:3] = b"abc"
        process = context.Process(target=read, args=(queue, memory.name))
        process.start()
        print(queue.get())
        process.join()
        memory.close()
        memory.unlink()
        with context.Manager() as manager:
            shared = manager.dict()
            shared["a"] = 1
            print(dict(shared))
        left, right = context.Pipe()
        left.send({"x": [1]})
        print(right.recv())
    with ProcessPoolExecutor(2) as executor:
        print(list(executor.map(square, range(3))))


if __name__ == "__main__":
    main()
