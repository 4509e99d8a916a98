"""The job that loads what an attack made:

    victim.py PLACE CARRIER ARTIFACT MARKER BEFORE AFTER PROBE

BEFORE and AFTER are statements run around the load, PROBE an expression that tells when it is true
that the attack has worked, which MARKER then shows. Prints how the load ended: "loaded", "unsafe",
"error NAME"; then why. Runs on every CPython from 3.9 on, with nothing but the carrier's library.
"""
import os
import pickle
import sys
import threading

PLACE, CARRIER, ARTIFACT, MARKER, BEFORE, AFTER, PROBE = sys.argv[1:]


def by_pickle(path):
    with open(path, "rb") as file:
        return pickle.load(file)


def by_bytes(path):
    with open(path, "rb") as file:
        data = file.read()
    return pickle.loads(data)


def by_bytesio(path):
    import io
    with open(path, "rb") as file:
        data = io.BytesIO(file.read())
    return pickle.load(data)


def by_opener(name):
    def load(path):
        with __import__(name).open(path) as file:
            return pickle.load(file)
    return load


def by_unbuffered(path):
    with open(path, "rb", buffering=0) as file:
        return pickle.Unpickler(file).load()


def by_pure(path):
    with open(path, "rb") as file:
        return pickle._Unpickler(file).load()


class Subclass(pickle.Unpickler):
    def find_class(self, module, name):
        return super().find_class(module, name)


def by_subclass(path):
    with open(path, "rb") as file:
        return Subclass(file).load()


def by_torch(path):
    import torch
    return torch.load(path, weights_only=False)


def by_torch_mmap(path):
    import torch
    return torch.load(path, weights_only=False, mmap=True)


def by_torch_safe(path):
    import torch
    return torch.load(path, weights_only=True)


def by_torch_safe_mmap(path):
    import torch
    return torch.load(path, weights_only=True, mmap=True)


def by_torch_safe_bytes(path):
    import io
    import torch
    with open(path, "rb") as file:
        return torch.load(io.BytesIO(file.read()), weights_only=True)


def by_joblib(path):
    import joblib
    return joblib.load(path)


def by_dill(path):
    import dill
    with open(path, "rb") as file:
        return dill.load(file)


def by_numpy(path):
    import numpy
    return numpy.load(path, allow_pickle=True)


def by_pandas(path):
    import pandas
    return pandas.read_pickle(path)


CARRIERS = {
    "pickle": by_pickle, "bytes": by_bytes, "bytesio": by_bytesio, "unbuffered": by_unbuffered,
    "pure": by_pure, "subclass": by_subclass, "torch_zip": by_torch, "torch_legacy": by_torch,
    "torch_mmap": by_torch_mmap, "torch_safe": by_torch_safe, "torch_safe_mmap": by_torch_safe_mmap,
    "torch_safe_bytes": by_torch_safe_bytes, "torch_safe_legacy": by_torch_safe, "joblib": by_joblib, "joblib_zlib": by_joblib, "dill": by_dill,
    "torch_tar": by_torch, "joblib_xz": by_joblib, "gzip": by_opener("gzip"),
    "bz2": by_opener("bz2"), "lzma": by_opener("lzma"), "numpy": by_numpy, "pandas": by_pandas,
}


def find_unsafe(error):
    while error:
        kind = type(error)
        if (kind.__module__, kind.__qualname__) == ("modelwatch", "UnsafeLoadError"):
            return error
        error = error.__cause__ or error.__context__
    return None


class Outcome:
    word = value = why = None

    def load(self):
        try:
            self.value = CARRIERS[CARRIER](ARTIFACT)
            self.word = "loaded"
        except BaseException as error:
            unsafe = find_unsafe(error)
            self.word = "unsafe" if unsafe else "error " + type(error).__name__
            self.why = str(unsafe)


def load_in_thread(outcome, started, wanted):
    started.set()
    wanted.wait()
    outcome.load()


def main():
    global value
    outcome = Outcome()
    exec(BEFORE, globals())
    if PLACE == "old_thread":
        started, wanted = threading.Event(), threading.Event()
        thread = threading.Thread(target=load_in_thread, args=(outcome, started, wanted))
        thread.start()
        started.wait()
        wanted.set()
        thread.join()
    else:
        outcome.load()
    print(outcome.word, outcome.why, sep="\n", flush=True)
    value = outcome.value
    exec(AFTER, globals())
    if PROBE and eval(PROBE, globals()):
        open(MARKER, "w").close()


if __name__ == "__main__":
    main()
