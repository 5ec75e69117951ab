"""The limit of the inter-layer loss: every depthwise layer tied to the first."""

import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils import parametrize

from ilwp.paper.losses import collocated


class _Tied(nn.Module):
    """Reads a layer's weight off the previous layer's, so that the collocated residual is exactly zero."""

    def __init__(self, previous: nn.Conv2d) -> None:
        super().__init__()
        self.previous = (previous,)  # in a tuple, so that it does not become a submodule

    def forward(self, own: torch.Tensor) -> torch.Tensor:
        return collocated(own, self.previous[0].weight)


def tie(layers: Sequence[nn.Conv2d]) -> None:
    """What lambda = infinity asks for: from now on every layer repeats the first one's kernels."""
    for previous, layer in itertools.pairwise(layers):
        layer.weight.requires_grad_(False)
        parametrize.register_parametrization(layer, "weight", _Tied(previous))
