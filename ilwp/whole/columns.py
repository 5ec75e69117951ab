"""Levels of weight tensors whose columns are not alike; the format is at the top of `segments`.

    levels (rows, columns) -> column_classes -> columned -> Columned.push -> coder -> pop_columned -> levels

A column holds what one tap of one input channel gives to every output. Where taps at a kernel's rim, or some of the
inputs, count for little, their levels are much smaller than the others'. So columns with about the same mean magnitude
form a class, which has a model of its own. No model depends on levels that lie before, so that decoding stays fast.
"""

import math
from dataclasses import dataclass

import numpy as np

from ilwp.common.bytes import Reader
from ilwp.common.errors import IlwpError
from ilwp.common.numbers import BLOCK
from ilwp.whole.ans import pop_levels, push_piece
from ilwp.whole.index_fields import Form
from ilwp.whole.models import AnsStack, Code, fit_code, fit_parts, read_code
from ilwp.whole.pieces import Levels
from ilwp.whole.segment_parts import MODELLED_LEVELS, modelled, pack_step, read_step

MOST_CLASSES = 16
# of mean magnitudes: classes part at each half octave, and columns of hardly anything but zeros are alike
EDGES = np.array([math.ldexp(half, octave) for octave in range(-4, 24) for half in (1.0, math.sqrt(2))])
LEAST_GAIN = 3.0  # bits that a column has to save by estimate, since its class takes about as many


@dataclass(frozen=True)
class Columned:
    """A tensor's levels (rows, columns) int32, the classes (columns,) int32 of its columns, and both codes."""

    levels: np.ndarray
    classes: np.ndarray
    step: float
    code_of_classes: Code
    code: Code

    def push(self, stack: AnsStack) -> bytes:
        """Put classes and levels on the coder, the last class first; what the file says before them."""
        parts = _parts(self.levels, self.classes)
        for part, coder in zip(reversed(parts), reversed(self.code.coders(len(parts))), strict=True):
            stack.encode_reverse((part + self.code.reach).astype(np.int32, copy=False), coder)
        push_piece(stack, [], Levels(self.classes, 1.0), self.code_of_classes)
        return pack_step(self.step) + bytes([len(parts)]) + self.code_of_classes.pack() + self.code.pack()


@dataclass(frozen=True)
class ColumnedHead:
    """What a file says before levels whose columns are in `count` classes."""

    form: Form
    step: float
    count: int
    code_of_classes: Code
    code: Code


def columned(piece: Levels, bits: float) -> Columned | None:
    """The tensor with its columns in classes; None where that takes no fewer than `bits` or too many models."""
    if not piece.levels.size or sum(axis > 1 for axis in piece.levels.shape) < 2:
        return None
    levels = piece.levels.reshape(len(piece.levels), -1)
    classes = column_classes(levels)
    if classes is None:
        return None
    (of_classes, more), (code, fewer) = fit_code(classes[:, None]), fit_parts(_parts(levels, classes))
    if more + fewer >= bits or modelled([of_classes, code]) > MODELLED_LEVELS[0]:
        return None
    return Columned(levels, classes, piece.step, of_classes, code)


def column_classes(levels: np.ndarray) -> np.ndarray | None:
    """A class (columns,) int32 from 0 on for each column of levels (rows, columns); None where one model does for all.

    None of the classes, at most MOST_CLASSES, is empty, and a higher one has greater levels.
    """
    rows, columns = levels.shape
    sums, at_a_time = np.zeros(columns, np.int64), max(BLOCK // columns, 1)
    for start in range(0, rows, at_a_time):
        sums += np.abs(levels[start : start + at_a_time]).sum(0, dtype=np.int64)
    means = sums / rows
    gain = math.log2(means.mean() + EDGES[0]) - float(np.log2(means + EDGES[0]).mean())
    if gain * rows < LEAST_GAIN:
        return None
    classes = np.searchsorted(EDGES, means)
    lowest = classes.max() - MOST_CLASSES + 1
    return np.unique(np.maximum(classes, lowest), return_inverse=True)[1].astype(np.int32)


def read_columned(reader: Reader, form: Form) -> ColumnedHead:
    """What `Columned.push` returned; raises IlwpError where that cannot be."""
    step, count = read_step(reader), reader.take(1)[0]
    of_classes, code = read_code(reader, 1), read_code(reader, count)
    if not 0 < count <= MOST_CLASSES or len(form.shape) < 2 or not form.size or not code.reach:
        raise IlwpError("this file's coded levels make no sense")
    return ColumnedHead(form, step, count, of_classes, code)


def pop_columned(stack: AnsStack, head: ColumnedHead) -> Levels:
    """The tensor off the coder; raises IlwpError for a column of a class that is not there."""
    rows, code = head.form.shape[0], head.code
    classes = pop_levels(stack, (head.form.size // rows,), head.code_of_classes)
    if classes.min() < 0 or classes.max() >= head.count:
        raise IlwpError("this file's coded levels make no sense")
    order, counts = np.argsort(classes, kind="stable"), np.bincount(classes, minlength=head.count)
    parts = [
        stack.decode(coder, rows * count).reshape(rows, count)
        for coder, count in zip(code.coders(head.count), counts.tolist(), strict=True)
    ]
    levels = np.concatenate(parts, axis=1).take(np.argsort(order), axis=1)
    levels -= np.int32(code.reach)
    return Levels(levels.reshape(head.form.shape), head.step, head.form.dtype)


def _parts(levels: np.ndarray, classes: np.ndarray) -> list[np.ndarray]:
    """The levels (n,) of each class, row by row."""
    order, ends = np.argsort(classes, kind="stable"), np.bincount(classes).cumsum()
    return [part.ravel() for part in np.split(levels[:, order], ends[:-1], axis=1)]
