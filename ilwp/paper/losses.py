"""The inter-layer loss of section 3.3."""

import itertools
from collections.abc import Sequence

import torch
from torch import nn


def collocated(layer: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
    """The previous layer's kernel beside each of `layer`'s: K[i-1][j mod c[i-1]] for j < c[i]."""
    return previous[torch.arange(len(layer), device=layer.device) % len(previous)]


def inter_layer_loss(kernels: Sequence[torch.Tensor]) -> torch.Tensor:
    """Eq. 2: mean |K[i][j] - K[i-1][j mod c[i-1]]| over all predicted weights, a scalar.

    `kernels` are the depthwise weights (c_i, 1, kh, kw) in network order. Eq. 2 prints c[i-1] as the
    upper limit of j; it runs to c[i] here, without which the modulus would never act and wider layers
    would go unpredicted. Both ends receive a gradient. Raises ValueError for fewer than two layers.
    """
    if len(kernels) < 2:
        raise ValueError("the inter-layer loss needs at least two depthwise layers")
    distances = [(layer - collocated(layer, previous)).abs().sum() for previous, layer in itertools.pairwise(kernels)]
    return torch.stack(distances).sum() / sum(layer.numel() for layer in kernels[1:])


def total_loss(
    logits: torch.Tensor, labels: torch.Tensor, kernels: Sequence[torch.Tensor], weight: float
) -> torch.Tensor:
    """Eq. 3: cross-entropy of logits (n, classes) plus `weight` (lambda) times the inter-layer loss."""
    classification = nn.functional.cross_entropy(logits, labels)
    return classification + weight * inter_layer_loss(kernels) if weight else classification
