"""32 threads that load at once, on small stacks, some of which end in the middle of a load."""
import _thread
import concurrent.futures
import pickle
import threading
import zlib

from victim import SECONDS, Asks, asking, victim

ROUNDS = 9 * SECONDS
THREADS = 32
STREAM = pickle.dumps([{"a": i, "b": "x" * i} for i in range(40)])


def nested(depth):
    stream = pickle.dumps("core")
    for _ in range(depth):
        stream = b"\x80\x04\x8c\x07_pickle\x8c\x05loads\x93B" + len(stream).to_bytes(4, "little") + stream + b"\x85R."
    return stream


DEEP = nested(12)


def loads(number):
    here = 0
    for i in range(10):
        here = zlib.crc32(repr(pickle.loads(STREAM)).encode(), here)
        asked = Asks(asking(1, 2, around=[number]), lambda pid: pickle.loads(DEEP)).load()
        here = zlib.crc32(repr(asked).encode(), here)
    return here


def ends_inside(results, number):
    """SystemExit leaves the load, and ends the thread."""
    def ask(pid):
        if pid == number % 3:
            results[number] = pid
            _thread.exit()
        return pickle.loads(DEEP)
    Asks(asking(0, 1, 2), ask).load()


with victim() as total:
    for size in [0, 65536, 262144] * ROUNDS:
        threading.stack_size(size)
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            for result in pool.map(loads, range(THREADS)):
                total.add(result, 20 + 20 * 13)
        results = {}
        threads = [threading.Thread(target=ends_inside, args=(results, i)) for i in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total.add(sorted(results.items()), THREADS)
