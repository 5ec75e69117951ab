"""Where a network is trained, and how many threads it gets there."""

import torch


def device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def single_threaded() -> None:
    """Give this process one thread of the CPU, so that sums have one order and runs fit one per core."""
    torch.set_num_threads(1)
