"""Checkpoints in memory."""
# needs: torch

import os
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
import io

out = io.BytesIO()
torch.save({"w": torch.arange(3)}, out)
for weights_only in (True, False):
    print(torch.load(io.BytesIO(out.getvalue()), weights_only=weights_only))
