"""Workers of a data loader are started while another thread has a load open that has made a call."""
# needs: torch

import pickle
import re
import threading

import torch
from torch.utils.data import DataLoader, Dataset

opened, over = threading.Event(), threading.Event()


class Held:
    def __setstate__(self, state):
        opened.set()
        over.wait()


class Squares(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, i):
        return torch.full((50, 50), float(i)), i


def main():
    held = Held()
    held.x = 1
    thread = threading.Thread(target=pickle.loads, args=(pickle.dumps([re.compile("a+"), held]),))
    thread.start()
    opened.wait()
    for method in ("fork", "spawn"):
        loader = DataLoader(Squares(), 8, num_workers=2, multiprocessing_context=method)
        print(method, sum(float(x.mean()) for x, _ in loader))
    over.set()
    thread.join()


if __name__ == "__main__":
    main()
