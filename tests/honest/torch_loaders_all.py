"""Data loaders with workers of every kind, persistent ones too."""
# needs: torch

import torch
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return {"x": torch.tensor([float(i) ** 2]), "n": i}


if __name__ == "__main__":
    for context in ("fork", "spawn", "forkserver"):
        loader = DataLoader(Squares(), batch_size=2, num_workers=2, persistent_workers=True, multiprocessing_context=context)
        for _ in range(2):
            print(context, sum(float(batch["x"].sum()) for batch in loader))
    torch.multiprocessing.set_sharing_strategy("file_system")
    print(sum(float(batch["x"].sum()) for batch in DataLoader(Squares(), num_workers=2)))
