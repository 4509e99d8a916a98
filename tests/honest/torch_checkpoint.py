"""A distributed checkpoint of one process, and packages, kept open while the job goes on."""
# needs: torch

import os
import socket
import subprocess
import tempfile
import warnings

import torch
import torch.distributed.checkpoint as checkpoint
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.package import PackageExporter, PackageImporter

warnings.simplefilter("ignore")
os.chdir(tempfile.mkdtemp())
server = socket.create_server(("127.0.0.1", 0))


def work(what):
    subprocess.run(["true"], check=True)
    socket.create_connection(server.getsockname()).close()
    print(what)


state = {"weight": torch.arange(4.0), "step": 3}
checkpoint.save(state, checkpoint_id="c", no_dist=True)
loaded = {"weight": torch.zeros(4), "step": 0}
checkpoint.load(loaded, checkpoint_id="c", no_dist=True)
work(loaded)
dcp_to_torch_save("c", "whole.pt")
work(sorted(torch.load("whole.pt")))
with PackageExporter("p.pt") as exporter:
    exporter.extern("torch.**")
    exporter.save_pickle("model", "model.pkl", torch.nn.Linear(1, 1))
importer = PackageImporter("p.pt")
work("a package")
work(type(importer.load_pickle("model", "model.pkl")).__name__)
work(importer.file_structure().has_file("model/model.pkl"))
