"""A whole network to integer levels and back: every tensor becomes a piece, and every piece a tensor.

    state dict -> encode -> dict of pieces -> network_file.write -> bytes
    state dict <- decode <- dict of pieces <- network_file.read  <- bytes

Depthwise kernels are predicted in a closed loop, as in `codec`; the first layer is quantized too, and what is quantized
may be the residual's cosine transform. All other weights with two axes or more share one step: the same error
everywhere costs least accuracy. Vectors (batch norms, biases) stay exact unless they are given bits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as validated

from ilwp.common.errors import IlwpError
from ilwp.networks.symmetry import Symmetry, rearranged
from ilwp.paper.kernels import depthwise_kernels
from ilwp.paper.prediction import candidates, predict, references
from ilwp.paper.quantization import TINIEST
from ilwp.paper.settings import SEARCHES, Method
from ilwp.whole import sets
from ilwp.whole.alignment import align
from ilwp.whole.models import MOST_REACH, fit
from ilwp.whole.transform import basis, forward, inverse

WEIGHTS = (1.0, 0.75, 0.5, 0.25)  # of a prediction
Bits = Annotated[float, Field(ge=2, le=16)]


@validated(frozen=True, config={"extra": "forbid"})
class Plan:
    """How to code a network. Of n bits there are 2 ** n - 1 levels in the range of the largest weight; n need not be
    whole, since an entropy coder does not mind.
    """

    method: Literal["baseline", "fss", "lss", "ill", "aligned", "multiset"] = "ill"
    bits: Bits = 8.0  # of depthwise kernels
    range: Literal["layer", "network"] = "layer"  # a step for every depthwise layer, or one for all
    dense_bits: Bits = 8.0  # of all other weights, in the range of the largest among them
    vector_bits: Bits | None = None  # of batch norms and biases, in each one's own range; None keeps them exact


@dataclass(frozen=True)
class Exact:
    """A tensor as it is."""

    tensor: np.ndarray


@dataclass(frozen=True)
class Levels:
    """A tensor of any shape: `levels` int32 times `step`, a float32 value."""

    levels: np.ndarray
    step: float


@dataclass(frozen=True)
class KernelLevels:
    """A depthwise layer (c, 1, kh, kw): residual `levels` (c, kh * kw) int32 times `step`.

    They are cosine coefficients if `transformed`, else taps. `method` and `indices` (c,) int64 are those of
    `prediction.predict`, whose result counts `weight` times. `cells` (c,) int64, where the order was free, numbers the
    channels that were sorted among themselves; `signed` says that their signs were free too.
    """

    size: tuple[int, int]
    levels: np.ndarray
    step: float
    method: Method
    indices: np.ndarray
    transformed: bool
    weight: float = 1.0
    cells: np.ndarray | None = None
    signed: bool = False


Piece = Exact | Levels | KernelLevels
Tensors = Mapping[str, np.ndarray]
Rounding = Callable[[str, float, Tensors], np.ndarray]


def encode(
    tensors: Tensors, plan: Plan, symmetries: Sequence[Symmetry] = (), rounding: Rounding | None = None
) -> dict[str, Piece]:
    """A piece for every tensor of a state dict, in its order.

    `aligned` and `multiset` put channels into another order, as far as `symmetries` allow. `rounding` gives the levels
    of a dense weight, given its name, the step and the state dict as far as it is decoded; without it they are the
    nearest. Raises IlwpError for depthwise kernels that cannot be coded, and for weights that are not finite.
    """
    tensors = align(tensors, symmetries) if plan.method == "aligned" else dict(tensors)
    names = list(depthwise_kernels(tensors))
    free = {symmetry.layer: symmetry for symmetry in symmetries}
    pieces: dict[str, Piece] = {}
    before: list[np.ndarray] = []
    step = _step([tensors[name] for name in names], plan.bits) if plan.range == "network" else None
    for name in names:
        piece = _kernels(tensors[name][:, 0], before, plan, step)
        if plan.method == "multiset" and name in free:
            order, signs = sets.canonical(piece.levels, free[name].cells, free[name].signed is not None)
            tensors = rearranged(tensors, free[name], order, signs)
            levels, cells = piece.levels[order] * signs[:, None], free[name].cells
            piece = replace(piece, levels=levels, cells=cells, signed=free[name].signed is not None)
        before.append(_reconstruct(piece, before))
        pieces[name] = piece
    dense = [name for name, t in tensors.items() if name not in pieces and t.ndim > 1 and t.dtype == np.float32]
    for name in tensors.keys() - pieces.keys() - set(dense):
        pieces[name] = _vector(tensors[name], plan.vector_bits)
    step = _step([tensors[name] for name in dense], plan.dense_bits)
    decoded = dict(tensors) | decode({name: pieces[name] for name in tensors if name in pieces})
    for name in dense:
        pieces[name] = _levels(tensors[name] if rounding is None else rounding(name, step, decoded) * step, step)
        decoded |= decode({name: pieces[name]})
    return {name: pieces[name] for name in tensors}


def decode(pieces: Mapping[str, Piece]) -> dict[str, np.ndarray]:
    """The state dict that pieces stand for, the same bits on every machine."""
    tensors: dict[str, np.ndarray] = {}
    before: list[np.ndarray] = []
    for name, piece in pieces.items():
        if isinstance(piece, KernelLevels):
            before.append(_reconstruct(piece, before))
            tensors[name] = before[-1].reshape(-1, 1, *piece.size)
        else:
            tensors[name] = piece.tensor if isinstance(piece, Exact) else _float32(piece.levels * piece.step)
    return tensors


def size(piece: Piece) -> int:
    """How many weights a piece has."""
    return int(piece.tensor.size if isinstance(piece, Exact) else piece.levels.size)


def _kernels(layer: np.ndarray, before: list[np.ndarray], plan: Plan, step: float | None) -> KernelLevels:
    """The piece of a layer (c, kh, kw), transformed, and with one step for the network predicted, only if it pays."""
    methods: list[Method] = ["baseline"]
    if before and plan.method not in ("baseline", "multiset"):
        wanted: Method = "ill" if plan.method == "aligned" else plan.method  # type: ignore[assignment]
        # a range of its own makes a layer's step, and so its error, another with prediction
        methods = [wanted] if step is None else ["baseline", wanted]
    flat = layer.reshape(len(layer), -1)
    pieces = []
    for method in methods:
        indices = np.zeros(len(flat), np.int64) if method == "baseline" else references(method, flat, before)
        prediction = np.zeros_like(flat) if method == "baseline" else predict(method, indices, before)
        weights = WEIGHTS[:1] if method == "baseline" or step is None else WEIGHTS
        for weight, transformed in product(weights, (True, False)):
            residual = flat - weight * prediction
            chosen = step or _step([residual], plan.bits)
            values = forward(residual, basis(*layer.shape[1:])) if transformed else residual
            # a coefficient of many taps may reach further than any of them
            if transformed and np.abs(values).max(initial=0) > MOST_REACH * chosen:
                continue
            levels = _quantized(values, chosen)
            pieces.append(KernelLevels(layer.shape[1:], levels, chosen, method, indices, transformed, weight))
    return min(pieces, key=lambda piece: _cost(piece, before))


def _cost(piece: KernelLevels, before: list[np.ndarray]) -> float:
    """About how many bits a piece takes."""
    searched = len(candidates(piece.method, before)) if piece.method in SEARCHES else 1
    return fit(piece.levels)[1] + len(piece.levels) * float(np.log2(searched))


def _reconstruct(piece: KernelLevels, before: list[np.ndarray]) -> np.ndarray:
    """The kernels (c, kh * kw) float32 that a decoder has."""
    residual = piece.levels * piece.step
    if piece.transformed:
        residual = inverse(residual, basis(*piece.size))
    if piece.method != "baseline":
        residual = residual + piece.weight * predict(piece.method, piece.indices, before)
    return _float32(residual)


def _vector(tensor: np.ndarray, bits: float | None) -> Exact | Levels:
    if bits is None or tensor.dtype != np.float32 or not tensor.size or np.ptp(tensor) == 0:
        return Exact(tensor)
    return _levels(tensor, _step([tensor], bits))


def _levels(tensor: np.ndarray, step: float) -> Levels:
    return Levels(_quantized(tensor, step), step)


def _quantized(values: np.ndarray, step: float) -> np.ndarray:
    levels = np.rint(values.astype(np.float64) / step)
    if not np.isfinite(levels).all() or np.abs(levels).max(initial=0) > MOST_REACH:
        raise IlwpError("weights differ too much in size for so many bits, or are not finite: choose fewer bits")
    return levels.astype(np.int32)


def _step(tensors: Sequence[np.ndarray], bits: float) -> float:
    """The step, a float32 value, that gives the largest of all values the last of its levels."""
    largest = float(np.max([np.abs(t).max(initial=0) for t in tensors], initial=0))
    if not np.isfinite(largest):
        raise IlwpError("a weight is NaN or infinite: the network did not train")
    return max(float(np.float32(largest / (2 ** (bits - 1) - 1))), TINIEST)


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        rounded: np.ndarray = values.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise IlwpError("the weights are too large for float32 once they are quantized")
    return rounded
