"""The levels of a network's tensors on one ANS coder, which is a stack: what is put on last comes off first."""

import math
from collections.abc import Sequence
from dataclasses import replace

import constriction
import numpy as np

from ilwp.common.errors import IlwpError
from ilwp.paper.methods import SEARCHES
from ilwp.whole import sets
from ilwp.whole.models import AnsStack, Code
from ilwp.whole.pieces import KernelLevels, Levels


def push_piece(stack: AnsStack, channels: list[int], piece: Levels | KernelLevels, code: Code) -> None:
    """Put a piece's levels and indices on the coder, last first; `channels` are those of the kernels before it."""
    columns = piece.levels if isinstance(piece, KernelLevels) else piece.levels.reshape(-1, 1)
    coders = code.coders(columns.shape[1]) if code.reach else []
    if isinstance(piece, KernelLevels) and piece.cells is not None and coders:
        for members in reversed(_members(piece.cells)):
            sets.push_set(stack, columns[members], coders, code.reach, piece.signed)
    elif coders:
        for column, coder in zip(reversed(columns.T), reversed(coders), strict=True):
            stack.encode_reverse((column + code.reach).astype(np.int32, copy=False), coder)
    if isinstance(piece, KernelLevels) and (pool := _pool(piece, channels)) > 1:
        stack.encode_reverse(piece.indices.astype(np.int32), constriction.stream.model.Uniform(pool))


def pop_levels(stack: AnsStack, shape: tuple[int, ...], code: Code, centre: int = 0) -> np.ndarray:
    """Levels int32 of a tensor of this shape, around `centre`."""
    if not code.reach:
        return np.full(shape, centre, np.int32)
    levels: np.ndarray = stack.decode(code.coders(1)[0], math.prod(shape)).reshape(shape)
    levels += np.int32(centre - code.reach)
    return levels


def pop_kernels(stack: AnsStack, channels: list[int], piece: KernelLevels, code: Code) -> KernelLevels:
    """The piece with levels and indices off the coder; raises IlwpError where it predicts from nothing."""
    indices, (count, taps) = np.zeros(len(piece.levels), np.int64), piece.levels.shape
    if piece.method != "baseline" and not channels:
        raise IlwpError("this file predicts its first depthwise kernels, from none")
    if (pool := _pool(piece, channels)) > 1:
        indices = stack.decode(constriction.stream.model.Uniform(pool), count).astype(np.int64)
    elif piece.method == "ill":
        indices = np.arange(count) % channels[-1]
    if piece.cells is None or not code.reach:
        return replace(piece, levels=_columns(stack, code, count, taps), indices=indices)
    levels, coders = np.empty((count, taps), np.int32), code.coders(taps)
    for members in _members(piece.cells):
        levels[members] = sets.pop_set(stack, len(members), coders, code.reach, piece.signed)
    return replace(piece, levels=levels, indices=indices)


def _columns(stack: AnsStack, code: Code, count: int, columns: int) -> np.ndarray:
    """Levels (count, columns) int32."""
    if not code.reach:
        return np.zeros((count, columns), np.int32)
    return np.stack([stack.decode(coder, count) - code.reach for coder in code.coders(columns)], axis=1)


def _members(cells: np.ndarray) -> list[np.ndarray]:
    """The channels of each cell."""
    order = np.argsort(cells, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)


def _pool(piece: KernelLevels, channels: Sequence[int]) -> int:
    """How many candidates an index has to tell apart; `channels` are those of the depthwise layers before."""
    if piece.method not in SEARCHES:
        return 0
    return sum(channels) if piece.method == "fss" else channels[-1]
