"""A graph module compiles its forward when it is loaded."""
# needs: torch

import os
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
traced = torch.fx.symbolic_trace(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()))
torch.save(traced, "g.pt")
print(torch.load("g.pt", weights_only=False)(torch.ones(1, 4)).shape)
