"""A training script as there are many: it goes on from a checkpoint. train.py CHECKPOINT"""
import sys

import torch


def make_net():
    return torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))


def main():
    torch.manual_seed(1)
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    # weights_only=False is what a checkpoint with any object of its own needs.
    checkpoint = torch.load(sys.argv[1], weights_only=False)
    net.load_state_dict(checkpoint["net"])
    optimizer.load_state_dict(checkpoint["optimizer"])

    inputs = torch.randn(256, 8)
    targets = inputs.sum(dim=1, keepdim=True)
    for step in range(checkpoint["step"] + 1, checkpoint["step"] + 6):
        loss = torch.nn.functional.mse_loss(net(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}  loss {loss.item():.4f}", flush=True)


if __name__ == "__main__":
    main()
