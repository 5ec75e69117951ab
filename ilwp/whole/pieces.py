"""What a tensor is in a file: a piece; and what a decoder makes of it.

state dict -> coding.encode_tensors -> pieces -> segments.pack_all       -> segments
state dict <- decode_pieces         <- pieces <- segments.unpack_segment <- segments
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from ilwp.common.numbers import BLOCK
from ilwp.paper.methods import Method
from ilwp.paper.prediction import predict
from ilwp.whole.transform import basis, inverse
from ilwp.whole.types import rounded

FLOAT32 = np.dtype(np.float32)
MOST_FINENESS = 12
WEIGHTS = (1.0, 0.75, 0.5, 0.25)  # of a prediction


@dataclass(frozen=True)
class Exact:
    """A tensor as it is, of any type."""

    tensor: np.ndarray


@dataclass(frozen=True)
class Shared:
    """The same memory as the tensor `name`, which comes before."""

    name: str


@dataclass(frozen=True)
class Levels:
    """A tensor of any shape: `levels` int32 times `step`, a value of `steps.of_step`, rounded to `dtype`."""

    levels: np.ndarray
    step: float
    dtype: np.dtype = FLOAT32


@dataclass(frozen=True)
class Powers:
    """A tensor of any shape: `signs` int8, each -1, 0 or 1, times 2 ** (`levels` int32 / 2 ** `fineness`), rounded to
    `dtype`. So the error of every element is the same share of it, and what is positive stays so.
    """

    levels: np.ndarray
    signs: np.ndarray
    fineness: int
    dtype: np.dtype = FLOAT32


@dataclass(frozen=True)
class KernelLevels:
    """A depthwise layer (c, 1, *size): residual `levels` (c, taps) int32 times `step`, a value of `of_step`.

    They are cosine coefficients if `transformed`, else taps. `method` and `indices` (c,) int64 are those of
    `prediction.predict`, whose result counts `weight` times; layers of one `size` are predicted from one another.
    `cells` (c,) int64, where the order was free, numbers the channels that were sorted among themselves; `signed` says
    that their signs were free too.
    """

    size: tuple[int, ...]
    levels: np.ndarray
    step: float
    method: Method
    indices: np.ndarray
    transformed: bool
    weight: float = 1.0
    cells: np.ndarray | None = None
    signed: bool = False
    dtype: np.dtype = FLOAT32


Piece = Exact | Shared | Levels | Powers | KernelLevels


def decode_pieces(pieces: Mapping[str, Piece]) -> dict[str, np.ndarray]:
    """The state dict that pieces stand for, the same bits on every machine."""
    tensors: dict[str, np.ndarray] = {}
    before: dict[tuple[int, ...], list[np.ndarray]] = {}
    for name, piece in pieces.items():
        if isinstance(piece, Exact):
            tensors[name] = piece.tensor
        elif isinstance(piece, Shared):
            tensors[name] = tensors[piece.name]
        elif isinstance(piece, Levels):
            tensors[name] = dense(piece)
        elif isinstance(piece, Powers):
            tensors[name] = powers(piece)
        else:
            layers = before.setdefault(piece.size, [])
            tensors[name] = layer(piece, layers)
            layers.append(flat(tensors[name]))
    return tensors


def dense(piece: Levels) -> np.ndarray:
    """The tensor that levels stand for."""
    tensor = np.empty(piece.levels.shape, piece.dtype)
    levels, into = piece.levels.reshape(-1), tensor.reshape(-1)
    # a level and a step have few digits: but for float64, their product is rounded once, to float32 first
    inner = np.float64 if piece.dtype == np.float64 else np.float32
    with np.errstate(over="ignore"):
        for start in range(0, levels.size, BLOCK):
            values = np.multiply(levels[start : start + BLOCK], inner(piece.step), dtype=inner)
            into[start : start + BLOCK] = rounded(values, piece.dtype)
    return tensor


def powers(piece: Powers) -> np.ndarray:
    """The tensor that powers of two stand for."""
    fractions = _fractions(piece.fineness)
    with np.errstate(over="ignore"):
        magnitudes = np.ldexp(fractions[piece.levels % len(fractions)], piece.levels // len(fractions))
    return rounded(piece.signs * magnitudes, piece.dtype)


@cache
def _fractions(fineness: int) -> np.ndarray:
    """The powers of two from 1 to 2; they come from square roots, the same on every machine."""
    fractions, root = np.ones(1), 2.0
    for _ in range(fineness):
        root = math.sqrt(root)
        fractions = np.stack([fractions, fractions * root], axis=1).ravel()
    return fractions


def layer(piece: KernelLevels, before: list[np.ndarray]) -> np.ndarray:
    """The depthwise layer (c, 1, *size); `before` are those of its size that lie ahead of it, as `flat` has them."""
    residual = piece.levels * piece.step
    if piece.transformed:
        residual = inverse(residual, basis(*piece.size))
    if piece.method != "baseline":
        residual = residual + piece.weight * predict(piece.method, piece.indices, before)
    return rounded(residual, piece.dtype).reshape(-1, 1, *piece.size)


def flat(tensor: np.ndarray) -> np.ndarray:
    """A depthwise layer's kernels (c, taps) float64."""
    return tensor.reshape(len(tensor), -1).astype(np.float64)


def size(piece: Piece) -> int:
    """How many weights a piece has; none where they are another tensor's."""
    if isinstance(piece, Shared):
        return 0
    return int(piece.tensor.size if isinstance(piece, Exact) else piece.levels.size)
