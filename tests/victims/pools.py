"""multiprocessing in each of its ways to start, and the objects that it sends about by pickle."""
import multiprocessing
import os
import pickle

from victim import SECONDS, Asks, asking, victim

ROUNDS = SECONDS


def work(number):
    stream = asking(*range(number % 5), around=[number])
    return [Asks(stream, lambda pid: pickle.loads(pickle.dumps((pid, number)))).load() for _ in range(20)]


if __name__ == "__main__":
    with victim() as total:
        for _ in range(ROUNDS):
            for how in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(how).Pool(2, maxtasksperchild=20) as pool:
                    for result in pool.map(work, range(60), chunksize=3):
                        total.add(result, 20)
