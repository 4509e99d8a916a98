"""A scripted model, read by the C++ unpickler."""
# needs: torch

import os
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
import warnings

warnings.simplefilter("ignore")
torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), "s.pt")
print(torch.jit.load("s.pt")(torch.ones(1, 2)).shape)
