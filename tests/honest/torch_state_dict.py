"""A state dictionary in both formats, the safe way and the old one."""
# needs: torch

import os
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(4, 4))
for zipped in (True, False):
    torch.save(model.state_dict(), "m.pt", _use_new_zipfile_serialization=zipped)
    for weights_only in (True, False):
        state = torch.load("m.pt", weights_only=weights_only)
        print(len(state), model.load_state_dict(state))
print(len(torch.load("m.pt", weights_only=True, map_location="cpu")))
torch.save(model.state_dict(), "m.pt")
print(len(torch.load("m.pt", mmap=True)))
