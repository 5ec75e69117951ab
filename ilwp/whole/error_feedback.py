"""Rounding that makes up for itself: each weight's error is passed on to the weights that come after it.

A layer's outputs are sums over its inputs, so what one rounded weight adds to them can be taken off again by the
weights of inputs that behave alike. How alike they are comes from a few hundred training images without their labels;
nothing is trained. It is the rounding of GPTQ (Frantar et al. 2023), column by column, with one uniform step.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ilwp.networks.tensors import load_tensors

BATCH = 250
DAMPING = 0.01  # of the mean square input, so that inputs that never differ do not divide by zero


class ErrorFeedback:
    """Rounds the weights of one network's layers; `images` (n, 3, h, w) float32 are what it usually sees."""

    def __init__(self, network: nn.Module, images: torch.Tensor) -> None:
        self.network = network.eval()
        self.images = images

    def __call__(self, name: str, step: float, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Levels, float64 integers in the shape of `tensors[name]`, whose multiples of `step` keep the layer's outputs.

        `tensors` is the whole state dict: weights that are rounded already as they are decoded, others as trained.
        """
        layer = dict(self.network.named_modules()).get(name.removesuffix(".weight"))
        groups = getattr(layer, "groups", 1)
        alike = None
        if isinstance(layer, nn.Conv2d | nn.Linear):
            load_tensors(self.network, tensors)
            alike = self._moments(layer, groups)
        if alike is None:
            nearest: np.ndarray = np.rint(tensors[name].astype(np.float64) / step)
            return nearest
        rows = tensors[name].reshape(groups, -1, alike.shape[1]).astype(np.float64)  # (groups, outputs, inputs)
        levels = np.stack([_rounded(row, moment, step) for row, moment in zip(rows, alike, strict=True)])
        return levels.reshape(tensors[name].shape)

    def _moments(self, layer: nn.Module, groups: int) -> np.ndarray | None:
        """Second moments of what the layer multiplies its weights with, (groups, inputs, inputs) float64.

        None where the network does not call it, such as a head that only training has.
        """
        sums: list[torch.Tensor] = []

        def look(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            seen = _seen(layer, inputs[0], groups)
            sums.append((seen @ seen.transpose(1, 2)).double())

        handle = layer.register_forward_pre_hook(look)
        try:
            with torch.inference_mode():
                for batch in torch.split(self.images, BATCH):
                    self.network(batch)
        finally:
            handle.remove()
        return torch.stack(sums).sum(0).numpy() if sums else None


def _seen(layer: nn.Module, x: torch.Tensor, groups: int) -> torch.Tensor:
    """Inputs of one output (groups, inputs, places)."""
    if isinstance(layer, nn.Conv2d):
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        x = F.pad(x, layer._reversed_padding_repeated_twice, mode)
        x = F.unfold(x, layer.kernel_size, layer.dilation, stride=layer.stride)
        return x.reshape(len(x), groups, -1, x.shape[-1]).permute(1, 2, 0, 3).flatten(2)
    return x.flatten(0, -2).T[None]


def _rounded(weights: np.ndarray, moments: np.ndarray, step: float) -> np.ndarray:
    """Levels (outputs, inputs): each column is rounded, and its error spread over the columns after it."""
    count = len(moments)
    damped = moments + np.eye(count) * (DAMPING * max(float(np.trace(moments)) / count, 1e-12))
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, levels = weights.copy(), np.zeros_like(weights)
    for j in range(count):
        levels[:, j] = np.rint(left[:, j] / step)
        error = (left[:, j] - levels[:, j] * step) / spread[j, j]
        left[:, j + 1 :] -= np.outer(error, spread[j, j + 1 :])
    return levels
