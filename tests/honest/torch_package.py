"""A package of torch: code and pickles of one archive, imported by itself."""
# needs: torch

import os
import sys
import tempfile

import torch
from torch.package import PackageExporter, PackageImporter

directory = tempfile.mkdtemp()
with open(directory + "/tiny_model.py", "w") as file:
    file.write("import torch\nclass Tiny(torch.nn.Module):\n    def forward(self, x):\n        return x + 1\n")
sys.path.insert(0, directory)
import tiny_model

with PackageExporter(directory + "/p.pt") as exporter:
    exporter.intern("tiny_model")
    exporter.extern("torch.**")
    exporter.save_pickle("model", "model.pkl", tiny_model.Tiny())
model = PackageImporter(directory + "/p.pt").load_pickle("model", "model.pkl")
print(model(torch.ones(1)).item())
