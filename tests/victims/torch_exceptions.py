"""C++ exceptions on their way through libtorch's readers and unpickler, and loads that go well."""
# needs: torch
import io
import random
import threading
import warnings
import zipfile

import torch

from victim import SECONDS, outcome, victim

warnings.simplefilter("ignore")
ROUNDS = 30 * SECONDS


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one = torch.nn.Linear(3, 2)
        torch.nn.init.constant_(self.one.weight, 0.5)
        torch.nn.init.constant_(self.one.bias, 0.25)

    def forward(self, x):
        return self.one(x)


class Throws:
    """Has libtorch throw while the stream is read."""

    def __reduce__(self):
        return torch.Tensor.view, (torch.ones(2, 3), 7)


def saved(save, thing):
    out = io.BytesIO()
    save(thing, out)
    return out.getvalue()


def rewritten(archive, change):
    """The same archive with other pickles in it, which are read before anything is found wrong."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name.endswith(".pkl") else data)
    return out.getvalue()


def spoilt(data, dice):
    """Another opcode somewhere, or an end."""
    at = dice.randrange(2, len(data))
    return data[:at] + (bytes([dice.choice(b"\xff\x00\x93R0b")]) + data[at + 1:] if dice.randrange(3) else b"")


def damaged(archive, dice):
    """Cut off, with other bytes somewhere, or with other pickles in it."""
    kind = dice.randrange(4)
    if kind == 0:
        return archive[:dice.randrange(len(archive))]
    if kind == 1:
        at = dice.randrange(len(archive) - 8)
        return archive[:at] + dice.randbytes(8) + archive[at + 8:]
    return rewritten(archive, lambda data: spoilt(data, dice))


def script(data):
    return torch.jit.load(io.BytesIO(data))(torch.ones(1, 3)).tolist()


def weights(data, only):
    return sorted(torch.load(io.BytesIO(data), weights_only=only))


SCRIPT = saved(lambda m, out: torch.jit.save(torch.jit.script(m), out), Model())
STATE = saved(torch.save, Model().state_dict())
WHOLE = saved(torch.save, {"throws": Throws(), "x": torch.ones(2)})


def work(seed, rounds, results):
    dice = random.Random(seed)
    for _ in range(rounds):
        results.append(script(SCRIPT))
        results.append(weights(STATE, True))
        results.append(weights(STATE, False))
        results.append(outcome(weights, WHOLE, False))
        for _ in range(4):
            # What comes of it is luck: libtorch reads memory that nobody has written.
            outcome(script, damaged(SCRIPT, dice))
            outcome(weights, damaged(STATE, dice), True)
            results.append("lives")


with victim() as total:
    torch.set_num_threads(1)
    every = [[] for _ in range(3)]
    threads = [threading.Thread(target=work, args=(seed, ROUNDS // 3, results))
               for seed, results in enumerate(every)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for results in every:
        for result in results:
            total.add(result, 0)
    total.loads = 3 * ROUNDS // 3 * 3  # script, and weights_only=False twice
