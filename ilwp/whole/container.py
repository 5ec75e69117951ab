"""The `.ilwp` file of format 2, byte by byte: a whole network, its levels on one ANS coder.

    bytes             what
    4                 "ILWP"
    1                 format version, 2
    varint            number of tensors
    per tensor        its name as in format 1 (`bitstream`); kind (1); number of axes (1), each axis (varint); then
      0 exact           type (1), as in TYPES; the values
      1 constant        type (1); the one value that all have
      2 levels          step (4, float32); code
      3 kernels         step (4, float32); flags (1): 0 to 3 method baseline, fss, lss, ill; 4 a set; 8 signs free;
                        16 cosine coefficients; 32, 64 or 96 the prediction counts 0.75, 0.5 or 0.25 times;
                        for a set its cells: number of runs, then length and cell of each (varints), no run if
                        every channel is a cell of its own; code
    varint            number of ANS words
    4 a word          ANS words, uint32
    4                 CRC-32 of everything before

Numbers are little-endian. A varint has seven bits a byte, the lowest first; all bytes but the last have the eighth
bit set. `code` is the greatest magnitude of a level (varint), an index of KINDS in `entropy_models` (1), plus the
number of kinds if one model serves all columns, and the models: a tensor of kind 2 has one column, kernels have one for
each coefficient. "geometric" is one byte, with its own zero two, "table" gamma codes filled up to whole bytes.

The ANS coder is constriction's, a stack; reading takes off it, tensor by tensor in the file's order, indices if the
method has them, then levels: of kind 2 as they lie, of kernels coefficient by coefficient, or cell by cell as
`multiset.pop` says. Then SEED is left. What the decoder makes of levels is in `network_codec`.
"""

import math
import struct
import zlib
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise
from typing import Any

import constriction
import numpy as np

from ilwp.common.bytes import (
    MAGIC,
    MOST_LAYERS,
    WEIGHTS_LIMIT,
    Reader,
    opened,
    pack_name,
    pack_shape,
    pack_varint,
    room,
)
from ilwp.common.errors import IlwpError
from ilwp.paper.settings import PAPER_METHODS
from ilwp.whole.ans import pop, push
from ilwp.whole.coding import WEIGHTS, Exact, KernelLevels, Levels, Piece, size
from ilwp.whole.models import Code, fit, read_code

VERSION = 2
TYPES = ("<f4", "<f2", "<f8", "<i8", "<i4", "<i2", "|i1", "|u1", "|b1")
SEED = (0x494C5750, 0x53454544)  # a set needs something on the coder to take bits back from
MOST_KERNELS = 1 << 17
MOST_TAPS = 1 << 10
# beside WEIGHTS_LIMIT: kernels of a set are taken off the coder one by one, and models are made level by level
DEPTHWISE_WEIGHTS, DEPTHWISE_KERNELS = (1 << 18, 64), (1 << 14, 16)
MODELLED_LEVELS = (1 << 22, 256)
EXACT, CONSTANT, LEVELS, KERNELS = range(4)
A_SET, SIGNS_FREE, TRANSFORMED, WEIGHT = 4, 8, 16, 32


def write(pieces: Mapping[str, Piece]) -> tuple[bytes, dict[str, float]]:
    """The file's bytes, and how many bits of it each tensor takes; the same pieces give the same bytes.

    Raises IlwpError where a name, a layer or the network is too large for the format.
    """
    heads: dict[str, bytes] = {}
    codes: dict[str, Code | None] = {}
    channels: dict[str, list[int]] = {}
    counts: list[int] = []
    for (before, name), piece in zip(pairwise(["", *pieces]), pieces.values(), strict=True):
        head, codes[name] = _pack(piece)
        heads[name] = pack_name(before, name) + head
        channels[name] = counts[:]
        counts += [len(piece.levels)] if isinstance(piece, KernelLevels) else []
    stack = constriction.stream.stack.AnsCoder(np.array(SEED, np.uint32))
    bits: dict[str, float] = {}
    for name in reversed(list(pieces)):
        held = stack.num_valid_bits()
        push(stack, channels[name], pieces[name], codes[name])
        bits[name] = 8 * len(heads[name]) + stack.num_valid_bits() - held
    words = stack.get_compressed()
    file = MAGIC + bytes([VERSION]) + pack_varint(len(pieces)) + b"".join(heads.values())
    file += pack_varint(len(words)) + words.astype("<u4").tobytes()
    _check_size(zip(pieces.values(), codes.values(), strict=True), len(file) + 4)
    return file + struct.pack("<I", zlib.crc32(file)), {name: bits[name] for name in pieces}


def read(file: bytes, most: int | None = None) -> dict[str, Piece]:
    """What `write` was given. Raises IlwpError for anything that is not a whole, sound file of format 2.

    Nor may it stand for more than `most` weights, where the file is a part of another.
    """
    reader = opened(file, VERSION)
    reader.take(len(MAGIC) + 1)
    heads: dict[str, tuple[Piece, Code | None]] = {}
    name, left = b"", room(WEIGHTS_LIMIT, len(file))
    left = left if most is None else min(left, most)
    for _ in range(reader.varint()):
        name = reader.name(name)
        piece, code = _unpack(reader, left)
        left -= size(piece)
        if heads.setdefault(_text(name), (piece, code))[0] is not piece:
            raise IlwpError("this file holds a tensor twice")
    _check_size(heads.values(), len(file))
    stack = _stack(reader)
    pieces: dict[str, Piece] = {}
    channels: list[int] = []
    for key, (piece, code) in heads.items():
        pieces[key] = pop(stack, channels, piece, code)
        channels += [len(piece.levels)] if isinstance(piece, KernelLevels) else []
    if stack.get_compressed().tolist() != list(SEED):
        raise IlwpError("this file's coded levels do not end where they should")
    return pieces


def _pack(piece: Piece) -> tuple[bytes, Code | None]:
    """What the file says of a piece before its levels, and the code of its levels."""
    if isinstance(piece, Exact):
        tensor = piece.tensor.astype(piece.tensor.dtype.newbyteorder("<"))
        if tensor.dtype.str not in TYPES:
            raise IlwpError(
                f"tensors of type {tensor.dtype} have no place in the format: convert the network to float32"
            )
        values = tensor.tobytes()
        constant = tensor.size > 1 and values == values[: tensor.itemsize] * tensor.size
        head = bytes([CONSTANT if constant else EXACT]) + pack_shape(tensor.shape)
        return head + bytes([TYPES.index(tensor.dtype.str)]) + values[: tensor.itemsize if constant else None], None
    step = struct.pack("<f", piece.step)
    if isinstance(piece, Levels):
        code, _ = fit(piece.levels.reshape(-1, 1))
        return bytes([LEVELS]) + pack_shape(piece.levels.shape) + step + code.pack(), code
    code, _ = fit(piece.levels, mirrored=piece.signed)
    flags = PAPER_METHODS.index(piece.method) + A_SET * (piece.cells is not None)
    flags += SIGNS_FREE * piece.signed + TRANSFORMED * piece.transformed + WEIGHT * WEIGHTS.index(piece.weight)
    head = bytes([KERNELS]) + pack_shape((len(piece.levels), 1, *piece.size)) + step + bytes([flags])
    if piece.cells is not None:
        alone = np.array_equal(piece.cells, np.arange(len(piece.cells)))
        runs = [] if alone else [(cell, len(list(run))) for cell, run in groupby(piece.cells.tolist())]
        head += pack_varint(len(runs)) + b"".join(pack_varint(length) + pack_varint(cell) for cell, length in runs)
    return head + code.pack(), code


def _unpack(reader: Reader, most: int) -> tuple[Piece, Code | None]:
    """A piece, its levels still zero, of at most `most` weights, and the code of its levels."""
    kind, shape = reader.take(1)[0], reader.shape()
    if math.prod(shape) > most:
        raise IlwpError("this file claims an impossible number of weights")
    if kind in (EXACT, CONSTANT):
        type_ = reader.take(1)[0]
        if type_ >= len(TYPES):
            raise IlwpError("this file holds tensors of an unknown type")
        dtype = np.dtype(TYPES[type_])
        values = np.frombuffer(reader.take(dtype.itemsize * (1 if kind == CONSTANT else math.prod(shape))), dtype)
        native = values.astype(dtype.newbyteorder("="))
        return Exact(np.full(shape, native) if kind == CONSTANT else native.reshape(shape)), None
    step = reader.float32()
    if kind not in (LEVELS, KERNELS) or not (math.isfinite(step) and step > 0):
        raise IlwpError("this file's tensors make no sense")
    if kind == LEVELS:
        return Levels(np.zeros(shape, np.int32), step), read_code(reader, 1)
    if (
        len(shape) != 4
        or shape[1] != 1
        or not 0 < shape[0] <= MOST_KERNELS
        or not 0 < math.prod(shape[2:]) <= MOST_TAPS
    ):
        raise IlwpError("this file's depthwise kernels make no sense")
    flags = reader.take(1)[0]
    cells = _read_cells(reader, shape[0]) if flags & A_SET else None
    method = PAPER_METHODS[flags % A_SET]
    if flags >= len(WEIGHTS) * WEIGHT or not (flags < WEIGHT if method == "baseline" else cells is None):
        raise IlwpError("this file's depthwise kernels make no sense")
    levels, indices = np.zeros((shape[0], math.prod(shape[2:])), np.int32), np.zeros(shape[0], np.int64)
    signed, transformed = bool(flags & SIGNS_FREE), bool(flags & TRANSFORMED)
    weight = WEIGHTS[flags // WEIGHT]
    piece = KernelLevels((shape[2], shape[3]), levels, step, method, indices, transformed, weight, cells, signed)
    return piece, read_code(reader, levels.shape[1])


def _read_cells(reader: Reader, channels: int) -> np.ndarray:
    runs = [(reader.varint(), reader.varint()) for _ in range(min(reader.varint(), channels))]
    if not runs:
        return np.arange(channels)
    if sum(length for length, _ in runs) != channels:
        raise IlwpError("this file's depthwise kernels make no sense")
    return np.repeat([cell for _, cell in runs], [length for length, _ in runs]).astype(np.int64)


def _check_size(pieces: Iterable[tuple[Piece, Code | None]], file_bytes: int) -> None:
    pieces = list(pieces)
    layers = [piece.levels for piece, _ in pieces if isinstance(piece, KernelLevels)]
    kernels = sum(map(len, layers))
    if len(layers) > MOST_LAYERS or kernels > MOST_KERNELS:
        most = f"{MOST_KERNELS:,} depthwise kernels in {MOST_LAYERS:,} layers"
        raise IlwpError(f"this network is too large for the format: at most {most}")
    for count, limit in (
        (sum(size(piece) for piece, _ in pieces), WEIGHTS_LIMIT),
        (sum(levels.size for levels in layers), DEPTHWISE_WEIGHTS),
        (kernels, DEPTHWISE_KERNELS),
    ):
        if count > room(limit, file_bytes):
            raise IlwpError(f"too many weights for a file of {file_bytes:,} bytes: nearly all of them are the same")
    if sum(len(code.models) * (2 * code.reach + 1) for _, code in pieces if code) > room(MODELLED_LEVELS, file_bytes):
        raise IlwpError(f"too many models of levels for a file of {file_bytes:,} bytes: choose fewer bits")


def _stack(reader: Reader) -> Any:
    words = np.frombuffer(reader.take(4 * reader.varint()), "<u4")
    if reader.rest() or not words.size or not words[-1]:
        raise IlwpError("this file's coded levels make no sense")
    return constriction.stream.stack.AnsCoder(words.astype(np.uint32))


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise IlwpError("this file's layer names are not UTF-8") from error
