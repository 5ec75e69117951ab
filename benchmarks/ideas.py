"""Ideas of how dense weights could be rounded and coded, each in place of a function of the package.

Those of `real_tried.py`. CERWU's rule is written anew from the equations of arXiv 2505.18758, and runs on our coder.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from trellis import quantize as trellis
from trellis import size as trellis_bytes
from trellis import values as trellis_values

from ilwp.common.tensor_files import Tensors
from ilwp.door import Compressed, attempts
from ilwp.networks.moments import layers_of, second_moments
from ilwp.networks.sensitivity import inputs_for
from ilwp.networks.tensors import load_tensors
from ilwp.whole import coding
from ilwp.whole.error_feedback import DAMPINGS, ErrorFeedback
from ilwp.whole.pieces import Exact, Levels
from ilwp.whole.rounding import given_levels

PATH, HEAD = 256, 16  # levels on a path through the trellis, and bytes that a tensor of them takes beside its models
PASSES = 3  # each prices levels by how often the one before used them
SCALES_A_DOUBLING = 8  # of a column's step, which takes a byte
Rounded = Levels | Exact


@dataclass(frozen=True)
class Idea:
    """What is changed while a file is made, how many bytes more than the file it takes, and what its tensors stand for.

    `more_bytes` gets the file and the names of dense weights.
    """

    changed: AbstractContextManager[Any]
    more_bytes: Callable[[Compressed, Collection[str]], float] = lambda *_: 0.0
    values: Callable[[Tensors], Tensors] = dict


def dependent(slope: float) -> Idea:
    """Dependent quantization."""
    rounding = _Dependent(slope)
    return Idea(patch("ilwp.whole.coding.levels_of", rounding), rounding.more_bytes)


def rate_aware(slope: float) -> Idea:
    """Of the two levels beside a weight and zero, the one of least error and rate."""
    return Idea(patch("ilwp.whole.coding.levels_of", partial(_rate_aware, slope=slope)))


def by_column(power: float) -> Idea:
    """Steps that are finer for inputs that vary more, by that power of their deviation."""
    rounding = _ByColumn(power)
    changed = ExitStack()
    changed.enter_context(patch("ilwp.door.attempts._coded", partial(rounding.coded, attempts._coded)))
    back = attempts._decoded
    changed.enter_context(patch("ilwp.door.attempts._decoded", lambda coded: rounding.values(back(coded))))
    return Idea(changed, lambda *_: sum(scales.size for scales in rounding.scales.values()), rounding.values)


def synthetic_feedback() -> Idea:
    """Error feedback from the moments of synthetic inputs."""
    plain = attempts._coded

    def coded(task: Any, ready: Any, *_: object) -> Any:
        network = task.structure.network
        inputs = inputs_for(network, task.structure.input_shape)
        feedback = ErrorFeedback(network, ready.tensors | ready.kernels, inputs)
        return plain(task, ready, lambda name, step, tensor: feedback(name, step, tensor, max(DAMPINGS)))

    return Idea(patch("ilwp.door.attempts._coded", coded))


def cerwu(slope: float) -> Idea:
    """CERWU's rule, which extends error feedback."""
    return Idea(patch("ilwp.whole.error_feedback._rounded", partial(_cerwu, slope=slope)))


class _Dependent:
    """In place of `levels_of`; `coded` are the bytes of the levels and their models."""

    def __init__(self, slope: float) -> None:
        self.slope, self.coded = slope, 0.0

    def __call__(self, tensor: np.ndarray, step: float) -> Rounded:
        """Levels of half a step, which stand for the same values."""
        piece = LEVELS_OF(tensor, step)
        if tensor.ndim < 2 or isinstance(piece, Exact):
            return piece
        x = np.pad(tensor.ravel() / (step / 2), (0, -tensor.size % PATH)).reshape(-1, PATH)
        levels = trellis(x.astype(np.float64), self.slope, alike=True)
        self.coded += trellis_bytes(levels, alike=True) + HEAD
        found = trellis_values(levels).ravel()[: tensor.size].reshape(tensor.shape)
        return Levels(found.astype(np.int32), step / 2, tensor.dtype)

    def more_bytes(self, made: Compressed, dense: Collection[str]) -> float:
        """Those of the levels, less those of what is in the file in their place."""
        return self.coded - sum(row.bytes for row in made.rows if row.tensor in dense and row.snr != np.inf)


class _ByColumn:
    """Levels whose steps are multiplied with `scales`; of each layer they add as much noise as without."""

    def __init__(self, power: float) -> None:
        self.power = power
        self.scales: dict[str, np.ndarray] = {}

    def coded(self, plain: Callable[..., Any], task: Any, ready: Any, *_: object) -> Any:
        """In place of `attempts._coded`."""
        network = task.structure.network
        load_tensors(network, ready.tensors | ready.kernels)
        names = {f"{name}.weight": name for name in layers_of(network) if f"{name}.weight" in ready.roles.dense}
        moments = second_moments(network, inputs_for(network, task.structure.input_shape), list(names.values()))
        self.scales = {}
        for weight, name in names.items():
            variance = np.atleast_2d(moments[name].diagonal(dim1=1, dim2=2).double().numpy())
            finer = (variance + min(DAMPINGS) * variance.mean()) ** (-self.power / 2)
            finer *= np.sqrt(variance.sum() / (variance * finer**2).sum())
            finer = 2 ** (np.rint(SCALES_A_DOUBLING * np.log2(finer)) / SCALES_A_DOUBLING)
            self.scales[weight] = finer.reshape(1, *ready.tensors[weight].shape[1:])
        return plain(task, ready, lambda name, step, tensor: np.rint(tensor / self.scales.get(name, 1.0) / step))

    def values(self, back: Tensors) -> Tensors:
        """What decoded levels stand for."""
        return dict(back) | {name: (back[name] * scales).astype(np.float32) for name, scales in self.scales.items()}


LEVELS_OF = coding.levels_of


def _prices(levels: np.ndarray, reach: int) -> np.ndarray:
    """Bits of the levels from -reach to reach, by how often each is used."""
    counts = np.bincount(levels.astype(np.int64).ravel().clip(-reach, reach) + reach, minlength=2 * reach + 1) + 0.5
    found: np.ndarray = -np.log2(counts / counts.sum())
    return found


def _rate_aware(tensor: np.ndarray, step: float, slope: float) -> Rounded:
    """In place of `levels_of`: of the two levels beside a weight and zero, the one of least error and rate."""
    if tensor.ndim < 2:
        return LEVELS_OF(tensor, step)
    x = tensor.astype(np.float64) / step
    levels = np.rint(x)
    reach = int(np.abs(levels).max(initial=0)) + 1
    for _ in range(PASSES):
        price = _prices(levels, reach)
        options = np.stack([np.floor(x), np.ceil(x), 0 * x])
        cost = np.square(options - x) + slope * price[options.astype(np.int64) + reach]
        levels = np.take_along_axis(options, cost.argmin(0)[None], 0)[0]
    return given_levels(levels, step, tensor)


def _cerwu(weights: torch.Tensor, root: torch.Tensor, step: float, slope: float) -> torch.Tensor:
    """In place of `error_feedback._rounded`: CERWU's rule.

    The rate of a weight w is taken as b w^2 with the b of a Gaussian. Added to the squared error of the outputs, whose
    matrix is H, it moves the weights to (H + l b)^-1 H w and makes the matrix H + l b. Then each level is chosen by its
    error and by what its rate is more than the square says.
    """
    inverse = root.T @ root
    matrix = torch.linalg.inv(inverse)
    price_per_bit = slope * step**2 * float(torch.exp(-2 * root.diagonal().log().mean()))
    square = 0.5 / (float(weights.square().mean()) * np.log(2))  # bits of a squared weight
    stiffer = matrix + price_per_bit * square * torch.eye(len(matrix), dtype=matrix.dtype)
    left = torch.linalg.solve(stiffer, matrix @ weights.T).T.contiguous()
    root = torch.linalg.cholesky(torch.linalg.inv(stiffer), upper=True)
    reach = int(torch.ceil(left.abs().max() * 4 / step)) + 1
    price = torch.from_numpy(_prices(torch.round(left / step).numpy(), reach))
    price = price - square * (torch.arange(-reach, reach + 1) * step).square()
    levels = torch.zeros_like(left)
    for j in range(len(root)):
        x = left[:, j] / step
        options = torch.stack([x.floor(), x.ceil(), x.trunc() - x.sign(), torch.zeros_like(x)]).clamp(-reach, reach)
        cost = ((options - x) * step / root[j, j]).square() + price_per_bit * price[(options + reach).long()]
        levels[:, j] = options.gather(0, cost.argmin(0)[None])[0]
        error = (left[:, j] - levels[:, j] * step) / root[j, j]
        left[:, j + 1 :] -= torch.outer(error, root[j, j + 1 :])
    return levels
