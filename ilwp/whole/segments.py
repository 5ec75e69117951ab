"""The content of a segment of a file, byte by byte: levels of one or more tensors, depthwise layers, exact tensors.

    bytes             what
    exact             of the values of all its tensors, one after another, the first byte of each, then the second and
                      so on; each of these planes begins with a byte: 0 followed by the bytes as they are, or 1
                      followed by `code`, number of ANS words (varint) and ANS words for levels that are the bytes
                      less 128
    levels            for each tensor: scale (1): 0 followed by the step (3), or the fineness of powers of two plus 1,
                      plus 128 if all signs are plus; centre (varint: twice its magnitude, less 1 if it is negative);
                      code; code of the signs, if a fineness comes without 128. Then ANS words, uint32, until the end
    kernels           for each layer: step (3); flags (1): 0 to 3 method baseline, fss, lss, ill; 4 a set;
                      8 signs free; 16 cosine coefficients; 32, 64 or 96 the prediction counts 0.75, 0.5 or 0.25
                      times; for a set its cells: number of runs, then length and cell of each (varints), no run if
                      every channel is a cell of its own; code. Then ANS words, uint32, until the end

A step is a float32 without its lowest byte, which is 0. `code` is the greatest magnitude of a level (varint), an index
of KINDS in `models` (1), plus the number of kinds if one model serves all columns, and the models: levels have one
column, kernels have one for each tap or coefficient. "geometric" is one byte, with its own zero two, "table" gamma
codes filled up to whole bytes.

The ANS coder is constriction's, a stack. Reading takes off it, layer by layer, indices if the method has them, then
levels: of a tensor as they lie, less its centre, and then its signs; of kernels tap by tap, or cell by cell as
`sets.pop_set` says. After the kernels SEED is left, after other levels nothing. A weight is its level times the step,
multiplied in float32 (in float64 for float64) and rounded to its type; with a fineness it is what `pieces.powers` makes
of it. What kernels are made of is in `pieces.layer`.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import constriction
import numpy as np

from ilwp.common.bytes import Reader, decoding_limit, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.paper.methods import PAPER_METHODS
from ilwp.whole import container
from ilwp.whole.ans import pop_kernels, pop_levels, push_piece
from ilwp.whole.container import CONSTANT, EXACT, KERNELS, LEVELS, SHARED, Form, Segment
from ilwp.whole.models import Code, fit_code, read_code
from ilwp.whole.pieces import MOST_FINENESS, WEIGHTS, Exact, KernelLevels, Levels, Piece, Powers, Shared
from ilwp.whole.roles import MOST_TAPS
from ilwp.whole.types import from_little_endian, little_endian

SEED = (0x494C5750, 0x53454544)  # a set needs something on the coder to take bits back from
A_SET, SIGNS_FREE, TRANSFORMED, WEIGHT = 4, 8, 16, 32
FULL = 1 << 16  # bytes after which exact tensors begin another segment
SMALL, FULL_OF_LEVELS = 1 << 12, 1 << 15  # levels of a tensor that shares a segment, and of all in one and their models
ALL_PLUS = 128
MOST_CENTRE = 1 << 23
# models are made level by level: how many in a segment of levels or of kernels, and how many more for each byte
MODELLED_LEVELS, KERNELS_MODELLED_LEVELS = (1 << 15, 256), (1 << 21, 256)


@dataclass(frozen=True)
class Packed:
    """A segment, and how many bits of it each of its tensors takes; none for what the index holds."""

    segment: Segment
    bits: Mapping[str, float]


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
        elif isinstance(piece, Levels | Powers) and piece.levels.size > SMALL:
            yield _pack_levels({name: piece})
        elif isinstance(piece, Levels | Powers):
            needed = piece.levels.size + 2 * int(np.ptp(piece.levels)) if piece.levels.size else 0
            if small and needed > room_left:
                yield _pack_levels(small)
                small, room_left = {}, FULL_OF_LEVELS
            small[name] = piece
            room_left -= needed
        elif isinstance(piece, Shared):
            yield Packed(Segment(SHARED, {name: None}, piece.name.encode()), {name: 0.0})
        elif (value := _constant(piece.tensor)) is not None:
            form = Form(piece.tensor.shape, piece.tensor.dtype)
            yield Packed(Segment(CONSTANT, {name: form}, value), {name: 0.0})
        else:
            alike = exact.setdefault(piece.tensor.dtype, {})
            alike[name] = piece
            if sum(p.tensor.nbytes for p in alike.values()) >= FULL:
                yield _pack_exact(exact.pop(piece.tensor.dtype))
    yield from map(_pack_exact, exact.values())
    if small:
        yield _pack_levels(small)
    for layers in kernels.values():
        yield _pack_kernels(layers)


def unpack_segment(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    """The pieces of a segment, and how many bits each takes; raises IlwpError for what `pack_all` cannot have made."""
    if segment.kind == LEVELS:
        return _unpack_levels(segment)
    if segment.kind == KERNELS:
        return _unpack_kernels(segment)
    if segment.kind == CONSTANT:
        ((name, form),) = segment.forms()
        value = from_little_endian(segment.content, form.dtype, ())
        return {name: Exact(np.full(form.shape, value, form.dtype))}, {name: 0.0}
    if segment.kind != EXACT:
        raise IlwpError("this file holds tensors of an unknown kind")
    return _unpack_exact(segment)


def _constant(tensor: np.ndarray) -> bytes | None:
    """The one value that all elements have, to the bit; none for an empty tensor."""
    if not tensor.size:
        return None
    # a view of the bytes compares equal where NaN does not, and tells -0 from 0
    flat = np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).reshape(tensor.size, -1)
    return little_endian(tensor.reshape(-1)[:1]) if (flat == flat[0]).all() else None


def _pack_exact(pieces: Mapping[str, Exact]) -> Packed:
    values = b"".join(little_endian(piece.tensor) for piece in pieces.values())
    forms = {name: Form(p.tensor.shape, p.tensor.dtype) for name, p in pieces.items()}
    itemsize = next(iter(forms.values())).dtype.itemsize
    planes = np.frombuffer(values, np.uint8).reshape(-1, itemsize).T
    content = b"".join(map(_pack_plane, planes))
    return Packed(Segment(EXACT, forms, content), _shares(forms.items(), len(content)))


def _unpack_exact(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    forms, reader = segment.forms(), Reader(segment.content)
    itemsize = forms[0][1].dtype.itemsize
    if any(form.dtype != forms[0][1].dtype for _, form in forms):
        raise IlwpError("this file's exact tensors make no sense")
    count = sum(form.size for _, form in forms)
    values = np.empty((count, itemsize), np.uint8)
    for plane in range(itemsize):
        values[:, plane] = _unpack_plane(reader, count)
    if reader.rest():
        raise IlwpError("this file's exact tensors make no sense")
    pieces, start = dict[str, Piece](), 0
    for name, form in forms:
        content = values[start : start + form.size].tobytes()
        pieces[name] = Exact(from_little_endian(content, form.dtype, form.shape))
        start += form.size
    return pieces, _shares(forms, len(segment.content))


def _pack_plane(plane: np.ndarray) -> bytes:
    """One byte of every value, coded where that is shorter."""
    levels = plane.astype(np.int32) - 128
    code, bits = fit_code(levels[:, None])
    if bits > 7.9 * len(plane):
        return b"\0" + plane.tobytes()
    stack = constriction.stream.stack.AnsCoder()
    push_piece(stack, [], Levels(levels, 1.0), code)
    words = _words(stack)
    return b"\1" + code.pack() + pack_varint(len(words) // 4) + words


def _unpack_plane(reader: Reader, count: int) -> np.ndarray:
    if not reader.take(1)[0]:
        return np.frombuffer(reader.take(count), np.uint8)
    code = read_code(reader, 1)
    if code.reach > 128:
        raise IlwpError("this file's exact tensors make no sense")
    stack = _stack(Reader(reader.take(4 * reader.varint())))
    plane: np.ndarray = (pop_levels(stack, (count,), code) + 128).astype(np.uint8)
    if not stack.is_empty():
        raise IlwpError("this file's coded levels do not end where they should")
    return plane


def _shares(forms: Iterable[tuple[str, Form]], content_bytes: int) -> dict[str, float]:
    """Bits of tensors that are coded together, by their size."""
    forms = list(forms)
    whole = sum(form.nbytes for _, form in forms)
    return {name: 8.0 * content_bytes * form.nbytes / max(whole, 1) for name, form in forms}


def _pack_levels(pieces: Mapping[str, Levels | Powers]) -> Packed:
    stack, bits = constriction.stream.stack.AnsCoder(), dict[str, float]()
    heads: dict[str, bytes] = {}
    codes: list[Code] = []
    for name, piece in reversed(list(pieces.items())):
        centre, before = _centre(piece), stack.num_valid_bits()
        levels = piece.levels - centre if centre else piece.levels
        code, _ = fit_code(levels.reshape(-1, 1))
        head = _pack_scale(piece) + pack_varint(2 * centre if centre >= 0 else -2 * centre - 1) + code.pack()
        codes.append(code)
        if isinstance(piece, Powers) and not (piece.signs == 1).all():
            signs, _ = fit_code(piece.signs.reshape(-1, 1))
            push_piece(stack, [], Levels(piece.signs, 1.0), signs)
            head += signs.pack()
            codes.append(signs)
        push_piece(stack, [], Levels(levels, 1.0), code)
        heads[name] = head
        bits[name] = 8.0 * len(head) + stack.num_valid_bits() - before
    content = b"".join(heads[name] for name in pieces) + _words(stack)
    _check_models(codes, len(content))
    forms = {name: Form(p.levels.shape, p.dtype) for name, p in pieces.items()}
    return Packed(Segment(LEVELS, forms, content), bits)


def _unpack_levels(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    reader, bits = Reader(segment.content), dict[str, float]()
    heads: dict[str, tuple[Levels | Powers, int, Code, Code | None]] = {}
    for name, form in segment.forms():
        start = reader.position
        heads[name] = _unpack_scale(reader, form)
        bits[name] = 8.0 * (reader.position - start)
    _check_models((code for head in heads.values() for code in head[2:] if code), len(segment.content))
    stack, pieces = _stack(reader), dict[str, Piece]()
    for name, (piece, centre, code, signs) in heads.items():
        held = stack.num_valid_bits()
        levels = pop_levels(stack, piece.levels.shape, code)
        if centre:
            levels += np.int32(centre)
        if isinstance(piece, Powers) and signs:
            piece = replace(piece, signs=pop_levels(stack, levels.shape, signs).astype(np.int8))
        pieces[name] = replace(piece, levels=levels)
        bits[name] += held - stack.num_valid_bits()
    if not stack.is_empty():
        raise IlwpError("this file's coded levels do not end where they should")
    return pieces, bits


def _pack_scale(piece: Levels | Powers) -> bytes:
    if isinstance(piece, Levels):
        return b"\0" + _pack_step(piece.step)
    return bytes([1 + piece.fineness + ALL_PLUS * bool((piece.signs == 1).all())])


def _unpack_scale(reader: Reader, form: Form) -> tuple[Levels | Powers, int, Code, Code | None]:
    """A tensor, its levels still zero, their centre and code, and the code of its signs."""
    none, scale = np.broadcast_to(np.int32(0), form.shape), reader.take(1)[0]
    piece: Levels | Powers
    if scale:
        piece = Powers(none, np.ones(form.shape, np.int8), scale % ALL_PLUS - 1, form.dtype)
        if not 0 <= piece.fineness <= MOST_FINENESS:
            raise IlwpError("this file's coded levels make no sense")
    else:
        piece = Levels(none, _step(reader), form.dtype)
    twice = reader.varint()
    code = read_code(reader, 1)
    signs = read_code(reader, 1) if 0 < scale < ALL_PLUS else None
    if twice > 2 * MOST_CENTRE or (signs and signs.reach > 1):
        raise IlwpError("this file's coded levels make no sense")
    return piece, -(twice + 1 >> 1) if twice % 2 else twice >> 1, code, signs


def _centre(piece: Levels | Powers) -> int:
    """What is taken off all levels: of a vector the one in the middle, since few vectors lie around zero."""
    vector = sum(axis > 1 for axis in piece.levels.shape) < 2
    return int(np.sort(piece.levels, axis=None)[piece.levels.size // 2]) if vector and piece.levels.size else 0


def _pack_kernels(pieces: Mapping[str, KernelLevels]) -> Packed:
    codes = {name: fit_code(piece.levels, mirrored=piece.signed)[0] for name, piece in pieces.items()}
    heads = {name: _pack_head(piece, codes[name]) for name, piece in pieces.items()}
    counts = [len(piece.levels) for piece in pieces.values()]
    stack, bits = constriction.stream.stack.AnsCoder(np.array(SEED, np.uint32)), {}
    for place, name in reversed(list(enumerate(pieces))):
        held = stack.num_valid_bits()
        push_piece(stack, counts[:place], pieces[name], codes[name])
        bits[name] = 8 * len(heads[name]) + stack.num_valid_bits() - held
    content = b"".join(heads.values()) + _words(stack)
    _check_models(codes.values(), len(content), KERNELS_MODELLED_LEVELS)
    forms = {name: Form((len(p.levels), 1, *p.size), p.dtype) for name, p in pieces.items()}
    return Packed(Segment(KERNELS, forms, content), {name: bits[name] for name in pieces})


def _unpack_kernels(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    reader = Reader(segment.content)
    heads: dict[str, tuple[KernelLevels, Code]] = {}
    bits: dict[str, float] = {}
    for name, form in segment.forms():
        start = reader.position
        heads[name] = _unpack_head(reader, form)
        bits[name] = 8.0 * (reader.position - start)
    if len({piece.size for piece, _ in heads.values()}) > 1:
        raise IlwpError("this file's depthwise kernels make no sense")
    _check_models([code for _, code in heads.values()], len(segment.content), KERNELS_MODELLED_LEVELS)
    stack, pieces, counts = _stack(reader), dict[str, Piece](), list[int]()
    for name, (head, code) in heads.items():
        held = stack.num_valid_bits()
        pieces[name] = pop_kernels(stack, counts, head, code)
        bits[name] += held - stack.num_valid_bits()
        counts.append(len(head.levels))
    if stack.get_compressed().tolist() != list(SEED):
        raise IlwpError("this file's coded levels do not end where they should")
    return pieces, bits


def _pack_head(piece: KernelLevels, code: Code) -> bytes:
    flags = PAPER_METHODS.index(piece.method) + A_SET * (piece.cells is not None)
    flags += SIGNS_FREE * piece.signed + TRANSFORMED * piece.transformed + WEIGHT * WEIGHTS.index(piece.weight)
    head = _pack_step(piece.step) + bytes([flags])
    if piece.cells is not None:
        alone = np.array_equal(piece.cells, np.arange(len(piece.cells)))
        runs = [] if alone else [(cell, len(list(run))) for cell, run in groupby(piece.cells.tolist())]
        head += pack_varint(len(runs)) + b"".join(pack_varint(length) + pack_varint(cell) for cell, length in runs)
    return head + code.pack()


def _unpack_head(reader: Reader, form: Form) -> tuple[KernelLevels, Code]:
    """A layer, its levels still zero, and their code."""
    channels, size = form.shape[0], form.shape[2:]
    if len(form.shape) < 3 or form.shape[1] != 1 or not channels or not 0 < math.prod(size) <= MOST_TAPS:
        raise IlwpError("this file's depthwise kernels make no sense")
    step, flags = _step(reader), reader.take(1)[0]
    cells = _read_cells(reader, channels) if flags & A_SET else None
    method = PAPER_METHODS[flags % A_SET]
    if flags >= len(WEIGHTS) * WEIGHT or not (flags < WEIGHT if method == "baseline" else cells is None):
        raise IlwpError("this file's depthwise kernels make no sense")
    levels, indices = np.zeros((channels, math.prod(size)), np.int32), np.zeros(channels, np.int64)
    signed, transformed = bool(flags & SIGNS_FREE), bool(flags & TRANSFORMED)
    weight = WEIGHTS[flags // WEIGHT]
    piece = KernelLevels(size, levels, step, method, indices, transformed, weight, cells, signed, form.dtype)
    return piece, read_code(reader, levels.shape[1])


def _read_cells(reader: Reader, channels: int) -> np.ndarray:
    runs = [(reader.varint(), reader.varint()) for _ in range(min(reader.varint(), channels))]
    if not runs:
        return np.arange(channels)
    if sum(length for length, _ in runs) != channels:
        raise IlwpError("this file's depthwise kernels make no sense")
    return np.repeat([cell for _, cell in runs], [length for length, _ in runs]).astype(np.int64)


def _pack_step(step: float) -> bytes:
    packed = struct.pack("<f", step)
    if packed[0]:
        raise ValueError("a step is a value of quantization.of_step")
    return packed[1:]


def _step(reader: Reader) -> float:
    step: float = struct.unpack("<f", b"\0" + reader.take(3))[0]
    if not (math.isfinite(step) and step > 0):
        raise IlwpError("this file's quantization steps make no sense")
    return step


def _words(stack: Any) -> bytes:
    words: bytes = stack.get_compressed().astype("<u4").tobytes()
    return words


def _stack(reader: Reader) -> Any:
    """The coder with all that is left to read."""
    words = reader.rest()
    if len(words) % 4 or words[-4:] == bytes(4):
        raise IlwpError("this file's coded levels make no sense")
    return constriction.stream.stack.AnsCoder(np.frombuffer(words, "<u4").astype(np.uint32))


def _check_models(codes: Iterable[Code], content_bytes: int, limit: tuple[int, int] = MODELLED_LEVELS) -> None:
    if sum(len(code.models) * (2 * code.reach + 1) for code in codes) > decoding_limit(limit, content_bytes):
        raise IlwpError(f"too many models of levels for {content_bytes:,} bytes: choose a lower quality")
