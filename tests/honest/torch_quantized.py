"""A quantised model, whose kernels make executable pages."""
# needs: torch

import os
import tempfile

import torch

os.chdir(tempfile.mkdtemp())
import warnings

warnings.simplefilter("ignore")
model = torch.nn.Sequential(torch.nn.Linear(4, 4))
quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear})
torch.save(quantized, "q.pt")
print(torch.load("q.pt", weights_only=False)(torch.ones(1, 4)).shape)
