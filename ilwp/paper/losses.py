"""The inter-layer loss of section 3.3."""

from collections.abc import Sequence

import torch
from torch import nn

# for each layer from the second on the earlier layer that it is compared with, counted from 0; None stands for zeros
Targets = Sequence[int | None]


def collocated(layer: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
    """The previous layer's kernel beside each of `layer`'s: K[i-1][j mod c[i-1]] for j < c[i]."""
    return previous[torch.arange(len(layer), device=layer.device) % len(previous)]


def inter_layer_loss(kernels: Sequence[torch.Tensor], targets: Targets | None = None) -> torch.Tensor:
    """Eq. 2: mean |K[i][j] - K[i-1][j mod c[i-1]]| over all predicted weights, a scalar.

    `kernels` are the depthwise weights (c_i, 1, kh, kw) in network order. Eq. 2 prints c[i-1] as the upper limit of j;
    it runs to c[i] here, without which the modulus would never act and wider layers would go unpredicted. Both ends
    receive a gradient. Controls name other `targets` than the previous layers.
    Raises ValueError for fewer than two layers.
    """
    if len(kernels) < 2:
        raise ValueError("the inter-layer loss needs at least two depthwise layers")
    predicted = kernels[1:]
    chosen = range(len(predicted)) if targets is None else targets
    distances = [
        (layer if target is None else layer - collocated(layer, kernels[target])).abs().sum()
        for target, layer in zip(chosen, predicted, strict=True)
    ]
    return torch.stack(distances).sum() / sum(layer.numel() for layer in predicted)


def total_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    kernels: Sequence[torch.Tensor],
    weight: float,
    targets: Targets | None = None,
) -> torch.Tensor:
    """Eq. 3: cross-entropy of logits (n, classes) plus `weight` (lambda) times the inter-layer loss."""
    classification = nn.functional.cross_entropy(logits, labels)
    return classification + weight * inter_layer_loss(kernels, targets) if weight else classification
