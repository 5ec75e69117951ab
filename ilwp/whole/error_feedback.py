"""Rounding that makes up for itself: each weight's error is passed on to the weights that come after it.

A layer's outputs are sums over its inputs, so what one rounded weight adds to them can be taken off again by the
weights of inputs that behave alike. How alike they are comes from some images without their labels; nothing is trained.
It is the rounding of GPTQ (Frantar et al. 2023), column by column, with one uniform step.

A shift of the outputs' mean is no error here, since biases take it off afterwards. So inputs count by how they vary
about their means. Images of one kind vary in few ways. Noise is added to what they show, which damps what is passed
on, so that the outputs for other images are kept too.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from ilwp.common.tensor_files import StateDict
from ilwp.networks.moments import inputs_of, layers_of, second_moments
from ilwp.networks.tensors import load_tensors

DAMPINGS = (1.0, 0.1, 0.01)  # the less, the more the images are believed
MOST = 1 << 28  # numbers of second moments that are held at a time
BLOCK = 64  # columns that are rounded before their errors reach the columns behind them


class ErrorFeedback:
    """Rounds the weights of a network; `images` (n, ...) float32 are what it usually sees.

    `tensors` is its state dict, which is loaded whenever the network is run.
    """

    def __init__(self, network: nn.Module, tensors: StateDict, images: torch.Tensor) -> None:
        self.network = network.eval()
        self.tensors, self.images = tensors, images
        self.names = [name for name, layer in layers_of(network).items() if inputs_of(layer) ** 2 <= MOST]
        self.looked_at: list[str] = []
        self.moments: dict[str, torch.Tensor] = {}

    def __call__(self, name: str, step: float, tensor: np.ndarray, damping: float) -> np.ndarray:
        """Levels, float64 integers in the shape of `tensor`, whose multiples of `step` keep the layer's outputs.

        `damping` is the variance of the added noise, as a multiple of the inputs' mean variance. Levels are the nearest
        ones for what is not the weight of a convolution or linear layer that the network calls.
        """
        moments = self._moments(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if moments is None:
            nearest: np.ndarray = np.rint(tensor.astype(np.float64) / step)
            return nearest
        weights = torch.from_numpy(tensor.astype(np.float64)).reshape(len(moments), -1, moments.shape[1])
        levels = [_rounded(rows, _root(one, damping), step) for rows, one in zip(weights, moments, strict=True)]
        return torch.cat(levels).reshape(tensor.shape).numpy()

    def _moments(self, name: str) -> torch.Tensor | None:
        """Those of a layer, found together with those of layers behind it."""
        if name not in self.looked_at and name in self.names:
            layers = layers_of(self.network)
            self.looked_at = list(_fitting([(n, layers[n]) for n in self.names[self.names.index(name) :]]))
            load_tensors(self.network, self.tensors)
            self.moments = second_moments(self.network, self.images, self.looked_at)
        return self.moments.get(name)


def _fitting(layers: Sequence[tuple[str, nn.Module]]) -> Iterator[str]:
    """The first layers, as many as have no more than MOST numbers in their second moments."""
    room = MOST
    for name, layer in layers:
        room -= inputs_of(layer) ** 2 * getattr(layer, "groups", 1)
        if room < 0 and name != layers[0][0]:
            return
        yield name


def _root(moments: torch.Tensor, damping: float) -> torch.Tensor:
    """The upper triangle R (inputs, inputs) float64 with R^T R the inverse of the damped moments."""
    noise = max(damping * float(moments.diagonal().double().mean()), 1e-12)
    root: torch.Tensor = torch.linalg.cholesky(
        torch.linalg.inv(moments.double() + noise * torch.eye(len(moments), dtype=torch.float64)), upper=True
    )
    return root


def _rounded(weights: torch.Tensor, root: torch.Tensor, step: float) -> torch.Tensor:
    """Levels (outputs, inputs): each column is rounded, and its error spread over the columns after it."""
    left, levels = weights.clone(), torch.zeros_like(weights)
    for start in range(0, len(root), BLOCK):
        end = min(start + BLOCK, len(root))
        rows = root[start:end]
        errors = torch.zeros(len(weights), end - start, dtype=left.dtype)
        for j in range(start, end):
            levels[:, j] = (left[:, j] / step).round()
            errors[:, j - start] = (left[:, j] - levels[:, j] * step) / rows[j - start, j]
            left[:, j + 1 : end] -= torch.outer(errors[:, j - start], rows[j - start, j + 1 : end])
        left[:, end:] -= errors @ rows[:, end:]
    return levels
