"""A map_location of the user own, which writes a log."""
# needs: torch

import os
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
def place(storage, location):
    with open("log", "a") as log:
        log.write(location + "\n")
    return storage


torch.save({"w": torch.ones(3)}, "m.pt")
print(torch.load("m.pt", map_location=place), open("log").read())
