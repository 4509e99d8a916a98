"""Scripted models with a state of their own, read from wherever; then the job goes on."""
# needs: torch

import io
import os
import socket
import subprocess
import tempfile
import warnings

import torch

warnings.simplefilter("ignore")
os.chdir(tempfile.mkdtemp())
server = socket.create_server(("127.0.0.1", 0))


class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.ones(2)

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return self.scale, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.scale = torch.mm(torch.ones(64, 64), torch.ones(64, 64))[0, :2] * state[0]
        self.training = state[1]

    def forward(self, x):
        return x * self.scale


def work(model):
    subprocess.run(["true"], check=True)
    socket.create_connection(server.getsockname()).close()
    torch.save(model(torch.ones(2)), "out.pt")
    print(model(torch.ones(2)))


def load_and_work(source, **options):
    work(torch.jit.load(source, **options))


torch.jit.save(torch.jit.script(Scaled()), "s.pt", _extra_files={"more": "text"})
more = {"more": ""}
load_and_work("s.pt", _extra_files=more)
print(more)
load_and_work(os.path.abspath("s.pt"), map_location="cpu")
torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(2)), "traced.pt")
print(torch.jit.load("traced.pt", _restore_shapes=True)(torch.ones(2)).shape)
with open("s.pt", "rb") as file:
    load_and_work(io.BytesIO(file.read()))
work(torch.load("s.pt", weights_only=False))
try:
    torch.load("s.pt")
except RuntimeError:
    work(Scaled())
with open("bad.pt", "wb") as file, open("s.pt", "rb") as good:
    file.write(good.read()[:-50])
try:
    torch.jit.load("bad.pt")
except RuntimeError:
    work(Scaled())
