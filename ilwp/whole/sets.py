"""A layer's kernels coded as a set: their order, and where it is free their signs, cost nothing.

A network does the same whatever the order of a depthwise layer's channels, so a file need not tell one of the c!
orders from another. Bits back from an ANS coder do that exactly: which kernel comes next is *decoded* from what the
coder already holds, which takes log2(c!) bits off it over a layer, and the decoder, which sees the kernels come in,
puts those bits back. The decoder ends up with the kernels sorted, so the network is sorted first.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import constriction
import numpy as np

from ilwp.common.bytes import Reader, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.whole.models import AnsStack

COIN = constriction.stream.model.Uniform(2)


def order_bits(sizes: Iterable[int]) -> float:
    """Bits that say in which order the channels of cells of these sizes stand: log2 c! for a cell of c.

    >>> order_bits([4, 2])  # log2 of 24 and of 2
    5.584...
    """
    return float(sum(math.lgamma(size + 1) for size in sizes) / math.log(2))


def cells_that_pay(cells: np.ndarray) -> np.ndarray:
    """The cells (c,) where their orders save more than a file's words for them cost, else each channel on its own."""
    saved = order_bits(np.unique(cells, return_counts=True)[1])
    return cells if 8 * len(pack_cells(cells)) < saved else np.arange(len(cells))


def pack_cells(cells: np.ndarray) -> bytes:
    """Cells (c,) as runs of channels of one cell, none where each channel is on its own."""
    alone = np.array_equal(cells, np.arange(len(cells)))
    runs = [] if alone else [(cell, len(list(run))) for cell, run in groupby(cells.tolist())]
    return pack_varint(len(runs)) + b"".join(pack_varint(length) + pack_varint(cell) for cell, length in runs)


def read_cells(reader: Reader, channels: int) -> np.ndarray:
    """Cells (channels,) int64 as `pack_cells` has them; raises IlwpError where the runs do not make up the channels."""
    runs = [(reader.varint(), reader.varint()) for _ in range(min(reader.varint(), channels))]
    if not runs:
        return np.arange(channels)
    if sum(length for length, _ in runs) != channels:
        raise IlwpError("this file's depthwise kernels make no sense")
    return np.repeat([cell for _, cell in runs], [length for length, _ in runs]).astype(np.int64)


def canonical(levels: np.ndarray, cells: np.ndarray, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Order and signs (c,) that sort kernels (c, d) within each cell; with `signed`, the first level that is not 0
    becomes positive.
    """
    first = np.take_along_axis(levels, (levels != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    signs = np.where((first < 0) & signed, -1, 1)
    turned = levels * signs[:, None]
    order = np.empty(len(levels), np.int64)
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        order[members] = members[np.lexsort(turned[members].T[::-1])]
    return order, signs[order]


def push_set(stack: AnsStack, levels: np.ndarray, coders: Sequence[Any], reach: int, signed: bool) -> None:
    """Put sorted kernels (c, d), levels from -reach to reach with a coder a column, onto an ANS coder.

    The coder must hold some bits already.
    """
    left = [tuple(kernel) for kernel in levels.tolist()]
    for count in range(len(left), 0, -1):
        at = stack.decode(_uniform(count)) if count > 1 else 0
        kernel = left[at]
        ties = bisect_right(left, kernel) - (start := bisect_left(left, kernel))
        if ties > 1:
            stack.encode_reverse(at - start, _uniform(ties))
        del left[at]
        sign = -1 if signed and any(kernel) and stack.decode(COIN) else 1
        for level, coder in zip(reversed(kernel), reversed(coders), strict=True):
            stack.encode_reverse(sign * level + reach, coder)


def pop_set(stack: AnsStack, count: int, coders: Sequence[Any], reach: int, signed: bool) -> np.ndarray:
    """Take `count` sorted kernels (count, d) int64 off an ANS coder."""
    kernels: list[tuple[int, ...]] = []
    for size in range(1, count + 1):
        kernel = tuple(stack.decode(coder) - reach for coder in coders)
        if signed and any(kernel):
            negative = next(level for level in kernel if level) < 0
            stack.encode_reverse(int(negative), COIN)
            kernel = tuple(-level for level in kernel) if negative else kernel
        start = bisect_left(kernels, kernel)
        ties = bisect_right(kernels, kernel) - start + 1
        at = start + (stack.decode(_uniform(ties)) if ties > 1 else 0)
        insort(kernels, kernel)
        if size > 1:
            stack.encode_reverse(at, _uniform(size))
    return np.array(kernels, np.int64).reshape(count, len(coders))


def _uniform(size: int) -> Any:
    return constriction.stream.model.Uniform(size)
