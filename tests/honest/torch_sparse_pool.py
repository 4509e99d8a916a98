"""A sparse tensor starts the OpenMP pool in the load; the pool lives on and works later."""
# needs: torch

import os

os.environ["OMP_NUM_THREADS"] = "4"
import subprocess
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
torch.save(torch.eye(300).to_sparse(), "s.pt")
sparse = torch.load("s.pt", weights_only=False)
for i in range(20):
    torch.randn(400, 400) @ torch.randn(400, 400)
    with open("x", "w") as file:
        file.write(str(i))
    subprocess.run(["true"])
print(sparse.shape, int(sparse.to_dense().sum()))
