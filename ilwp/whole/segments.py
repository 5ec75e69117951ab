"""The content of a segment of a file, byte by byte: levels of one or more tensors, depthwise layers, exact tensors.

    bytes             what
    exact             of the values of all its tensors, one after another, the first byte of each, then the second and
                      so on; each of these planes begins with a byte: 0 followed by the bytes as they are, or 1
                      followed by `code`, number of ANS words (varint) and ANS words for levels that are the bytes
                      less 128
    levels            for each tensor: scale (1): 0 followed by the step (3), or the fineness of powers of two plus 1,
                      plus 128 if all signs are plus; centre (varint: twice its magnitude, less 1 if it is negative);
                      code; code of the signs, if a fineness comes without 128. Where columns are in classes: 64,
                      step (3), number of classes (1), code of the classes, code with a model for each class. Then ANS
                      words, uint32, until the end
    kernels           for each layer: step (3); flags (1): 0 to 3 method baseline, fss, lss, ill; 4 a set;
                      8 signs free; 16 cosine coefficients; 32, 64 or 96 the prediction counts 0.75, 0.5 or 0.25
                      times; for a set its cells: number of runs, then length and cell of each (varints), no run if
                      every channel is a cell of its own; code. Then ANS words, uint32, until the end

A step is a float32 without its lowest byte, which is 0. `code` is the greatest magnitude of a level (varint), an index
of KINDS in `models` (1), plus the number of kinds if one model serves all columns, and the models: levels have one
column, or one for each class, kernels have one for each tap or coefficient. "geometric" is one byte, with its own zero
two, "table" gamma codes filled up to whole bytes.

The ANS coder is constriction's, a stack. Reading takes off it, layer by layer, indices if the method has them, then
levels. Those of a tensor come as they lie, less its centre, and then its signs. Where its columns are in classes, the
class of each column comes first, and then the levels of each class, row by row. Those of kernels come tap by tap, or
cell by cell as `sets.pop_set` says. After the kernels SEED is left, after other levels nothing. A tensor's rows are its
first axis, and its columns all others together. A weight is its level times the step, multiplied in float32 (in float64
for float64) and rounded to its type; with a fineness it is what `pieces.powers` makes of it. What kernels are made of
is in `pieces.layer`.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ilwp.common.errors import IlwpError
from ilwp.whole import container
from ilwp.whole.container import CONSTANT, EXACT, KERNELS, LEVELS, SHARED, Segment
from ilwp.whole.exact_segments import pack_exact, unpack_exact
from ilwp.whole.index_fields import Form
from ilwp.whole.kernel_segments import pack_kernels, unpack_kernels
from ilwp.whole.level_segments import pack_levels, unpack_levels
from ilwp.whole.pieces import Exact, KernelLevels, Levels, Piece, Powers, Shared, decode_pieces
from ilwp.whole.segment_parts import Packed
from ilwp.whole.types import from_little_endian, little_endian

FULL = 1 << 16  # bytes after which exact tensors begin another segment
SMALL, FULL_OF_LEVELS = 1 << 12, 1 << 15  # levels of a tensor that shares a segment, and of all in one and their models


def write_pieces(pieces: Mapping[str, Piece]) -> bytes:
    """The file of a state dict's pieces; errors are those of `pack_all` and `container.write_container`."""
    return container.write_container([packed.segment for packed in pack_all(pieces.items())], list(pieces))


def pack_all(pieces: Iterable[tuple[str, Piece]]) -> Iterator[Packed]:
    """Segments of a state dict's pieces: small exact tensors of a type share one, as do small tensors of levels and
    depthwise layers of a size.

    Raises IlwpError for what the format cannot hold.
    """
    exact: dict[np.dtype, dict[str, Exact]] = {}
    kernels: dict[tuple[int, ...], dict[str, KernelLevels]] = {}
    small: dict[str, Levels | Powers] = {}
    room_left = FULL_OF_LEVELS
    for name, piece in pieces:
        if isinstance(piece, KernelLevels):
            kernels.setdefault(piece.size, {})[name] = piece
        elif isinstance(piece, Shared):
            yield Packed(Segment(SHARED, {name: None}, piece.name.encode()), {name: 0.0})
        elif isinstance(piece, Levels | Powers) and (needed := _needed(piece)) is not None:
            if small and needed > room_left:
                yield pack_levels(small)
                small, room_left = {}, FULL_OF_LEVELS
            small[name] = piece
            room_left -= needed
        elif isinstance(piece, Levels | Powers) and (packed := _packed_alone(name, piece)):
            yield packed
        else:
            tensor = piece.tensor if isinstance(piece, Exact) else decode_pieces({name: piece})[name]
            if (value := _constant(tensor)) is not None:
                yield Packed(Segment(CONSTANT, {name: Form(tensor.shape, tensor.dtype)}, value), {name: 0.0})
                continue
            alike = exact.setdefault(tensor.dtype, {})
            alike[name] = Exact(tensor)
            if sum(p.tensor.nbytes for p in alike.values()) >= FULL:
                yield pack_exact(exact.pop(tensor.dtype))
    yield from map(pack_exact, exact.values())
    if small:
        yield pack_levels(small)
    for layers in kernels.values():
        yield pack_kernels(layers)


def unpack_segment(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    """The pieces of a segment, and how many bits each takes; raises IlwpError for what `pack_all` cannot have made."""
    if segment.kind == LEVELS:
        return unpack_levels(segment)
    if segment.kind == KERNELS:
        return unpack_kernels(segment)
    if segment.kind == CONSTANT:
        ((name, form),) = segment.forms()
        value = from_little_endian(segment.content, form.dtype, ())
        return {name: Exact(np.full(form.shape, value, form.dtype))}, {name: 0.0}
    if segment.kind != EXACT:
        raise IlwpError("this file holds tensors of an unknown kind")
    return unpack_exact(segment)


def _constant(tensor: np.ndarray) -> bytes | None:
    """The one value that all elements have, to the bit; none for an empty tensor."""
    if not tensor.size:
        return None
    # a view of the bytes compares equal where NaN does not, and tells -0 from 0
    flat = np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).reshape(tensor.size, -1)
    return little_endian(tensor.reshape(-1)[:1]) if (flat == flat[0]).all() else None


def _needed(piece: Levels | Powers) -> int | None:
    """How much of FULL_OF_LEVELS a small tensor needs; None for one that gets a segment of its own."""
    needed = piece.levels.size + 2 * int(np.ptp(piece.levels)) if piece.levels.size else 0
    return needed if piece.levels.size <= SMALL and needed <= FULL_OF_LEVELS else None


def _packed_alone(name: str, piece: Levels | Powers) -> Packed | None:
    """None where levels reach further than a reader makes models for, since nearly all of them are the same."""
    try:
        return pack_levels({name: piece})
    except IlwpError:
        return None
