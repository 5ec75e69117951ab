"""Little networks whose channels may move or not, and what it takes to try."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ilwp.networks.symmetries import structure, symmetries
from ilwp.networks.symmetry import Symmetry, rearranged
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.networks.trials import random_inputs


def settled(network: nn.Module) -> nn.Module:
    """The network with batch norms that do something, as after training, and biases that are not zero."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.detach().add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def outputs(network: nn.Module, side: int = 32, inputs: int = 3) -> torch.Tensor:
    images = torch.randn(2, inputs, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        return network.double()(images)


def shuffle(symmetry: Symmetry, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = np.arange(len(symmetry.cells))
    for cell in np.unique(symmetry.cells):
        members = np.flatnonzero(symmetry.cells == cell)
        order[members] = rng.permutation(members)
    signs = rng.choice([-1, 1], len(order)) if symmetry.signed else np.ones(len(order))
    return order, signs


def shuffled(network: nn.Module, seed: int = 0) -> dict[str, np.ndarray]:
    rng, tensors = np.random.default_rng(seed), arrays(network)
    for symmetry in symmetries(network):
        tensors = rearranged(tensors, symmetry, *shuffle(symmetry, rng))
    return tensors


class Block(nn.Module):
    def __init__(self, norm: bool = True, multiplier: int = 1) -> None:
        super().__init__()
        hidden = 4 * multiplier
        self.expand = nn.Conv2d(2, 4, 1)
        self.depthwise = nn.Conv2d(4, hidden, 3, padding=1, groups=4)
        self.norm, self.project = nn.BatchNorm2d(hidden) if norm else nn.ReLU(), nn.Conv2d(hidden, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.project(self.norm(self.depthwise(self.expand(x))))


def same_whatever_the_order(network: nn.Module) -> list[Symmetry]:
    """The symmetries of a network whose outputs stay when all of them are used."""
    network, (x,) = settled(network), random_inputs(network)
    found, tensors = structure(network, (x,))[0], shuffled(network, seed=3)
    with torch.no_grad():
        before = network.double()(x.double())
        load_tensors(network, tensors)
        torch.testing.assert_close(network(x.double()), before, rtol=1e-10, atol=1e-10)
    return found


class Reading(Block):
    """A block of which something else reads a part too."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.expand(x)
        y = self.project(self.norm(self.depthwise(hidden)))
        if self.what == "channels":
            return y + hidden[:, :2]
        if self.what == "a channel's size":
            return y + hidden.softmax(1).amax((1, 2, 3))
        if self.what == "weight":
            return y + F.conv2d(x, self.expand.weight)[:, :2]
        if self.what == "kernels":
            return y * self.depthwise.weight.cumsum(0)[2].mean()
        if self.what == "norm":
            return y * self.norm.weight[0]
        return y + F.conv2d(x[:, :1], self.depthwise.weight, padding=1)[:, 1:3]


class Inside(nn.Conv2d):
    """What a user derives from a convolution."""
