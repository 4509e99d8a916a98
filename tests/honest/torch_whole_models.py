"""Whole models of several kinds, in both formats."""
# needs: torch

import os
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
models = [
    torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()),
    torch.nn.LSTM(3, 4),
    torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(8, 2, batch_first=True), 1),
    torch.nn.Embedding(10, 3),
]
for model in models:
    for zipped in (True, False):
        torch.save(model, "m.pt", _use_new_zipfile_serialization=zipped)
        print(type(torch.load("m.pt", weights_only=False)).__name__)
