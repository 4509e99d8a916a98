"""Loads a stream from one of several places and says how that ended. Runs on every interpreter."""

import json
import os
import pickle
import sys
import threading


def load(path):
    with open(path, "rb") as file:
        return pickle.load(file)


def in_old_thread(path):
    go, outcome = threading.Event(), []

    def work():
        go.wait()
        outcome.append(attempt(path))

    thread = threading.Thread(target=work)
    thread.start()
    go.set()
    thread.join()
    return outcome[0]


def attempt(path):
    try:
        load(path)
    except Exception as error:
        chain = []
        while error is not None:
            chain.append(type(error).__module__ + "." + type(error).__name__)
            error = error.__cause__ or error.__context__
        return chain
    return []


place, path = sys.argv[1:3]
if place == "under_import":
    sys.path.append(os.path.dirname(path))
outcome = in_old_thread(path) if place == "old_thread" else attempt(path)
os.write(1, (json.dumps(outcome) + "\n").encode())
