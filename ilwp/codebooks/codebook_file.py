"""The `.ilwp` file of format 3, byte by byte: a network whose weights are read from codebooks.

    bytes             what
    4                 "ILWP"
    1                 format version, 3
    varint            number of sets of codebooks
    per set           flags (1): 1 values are float16, else float32; 2 tensors have scales; number of tensors (varint);
                      of each its name as in format 1 (`bitstream`), number of axes (1), each axis (varint) and its
                      scale (4, float32) if they have them; weights in a vector (varint); number of codebooks (1); then
      per codebook      number of codewords (varint); model (1): 0 all codes alike, 1 followed by `code` as in format 2
                        (`network_file`) with one column; the codewords' values
    varint            number of ANS words
    4 a word          ANS words, uint32
    the rest          a file of format 2 with all other tensors
    4                 CRC-32 of everything before

Numbers are little-endian. Vectors are cut from tensors as `codebooks.cut` says, so their number follows from the
shapes. Codewords stand in the order of use, and code r is coded as level 0, 1, -1, 2, -2 ... for r = 0, 1, 2 ..., so
that levels are the rarer the larger they are; a codebook of one codeword, or a `code` that reaches no level but 0,
takes no room. ANS is a stack; reading takes off it, set by set and codebook by codebook, the codes of all vectors.
"""

import math
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import constriction
import numpy as np

from ilwp.codebooks.codebooks import Codebooks, CodedNetwork
from ilwp.common.bytes import MAGIC, WEIGHTS_LIMIT, Reader, opened, pack_name, pack_shape, pack_varint, room
from ilwp.common.errors import IlwpError
from ilwp.whole import container
from ilwp.whole.coding import size
from ilwp.whole.models import Code, code_bits, fit, read_code

VERSION = 3
HALF, SCALED = 1, 2
MOST_BOOKS = 64
MOST_CODEWORDS = 1 << 16

Model = Code | None  # None: all codes are alike
Stack = Any  # constriction.stream.stack.AnsCoder


@dataclass(frozen=True)
class Rate:
    """Bits of a file: of each coded tensor's codes; of each set's names, codebooks and models; of each other tensor."""

    codes: dict[str, float]
    books: list[float]
    rest: dict[str, float]


def write(network: CodedNetwork) -> tuple[bytes, Rate]:
    """The file's bytes and where they go; the same network gives the same bytes.

    Raises IlwpError where a name or the network is too large for the format, or a number is not finite.
    """
    for books in network.sets:
        _check(books)
    models = [[_model(codes, len(book)) for book, codes in _columns(books)] for books in network.sets]
    sets = list(zip(network.sets, models, strict=True))
    stack = constriction.stream.stack.AnsCoder()
    for books, chosen in reversed(sets):
        for (book, codes), model in zip(reversed(_columns(books)), reversed(chosen), strict=True):
            _push(stack, codes, len(book), model)
    words = stack.get_compressed()
    heads = [_pack(books, chosen) for books, chosen in sets]
    rest, rest_bits = container.write(network.rest)
    file = MAGIC + bytes([VERSION]) + pack_varint(len(heads)) + b"".join(heads)
    file += pack_varint(len(words)) + words.astype("<u4").tobytes() + rest
    if _memory(network.sets) + sum(map(size, network.rest.values())) > room(WEIGHTS_LIMIT, len(file) + 4):
        raise IlwpError(f"too many weights for a file of {len(file):,} bytes: nearly all of them are the same")
    codes_bits = {name: bits for books, chosen in sets for name, bits in _bits(books, chosen).items()}
    rate = Rate(codes_bits, [8.0 * len(head) for head in heads], rest_bits)
    return file + struct.pack("<I", zlib.crc32(file)), rate


def read(file: bytes) -> CodedNetwork:
    """What `write` was given. Raises IlwpError for anything that is not a whole, sound file of format 3."""
    reader = opened(file, VERSION)
    reader.take(len(MAGIC) + 1)
    heads: list[tuple[Codebooks, list[Model]]] = []
    for _ in range(reader.varint()):
        heads.append(_unpack(reader, room(WEIGHTS_LIMIT, len(file)) - _memory(books for books, _ in heads)))
    words = np.frombuffer(reader.take(4 * reader.varint()), "<u4")
    if words.size and not words[-1]:
        raise IlwpError("this file's coded levels make no sense")
    stack = constriction.stream.stack.AnsCoder(words.astype(np.uint32))
    sets = tuple(_pop(stack, books, models) for books, models in heads)
    if not stack.is_empty():
        raise IlwpError("this file's coded levels do not end where they should")
    rest = container.read(reader.rest(), room(WEIGHTS_LIMIT, len(file)) - _memory(sets))
    names = [name for books in sets for name in books.shapes]
    if len({*names, *rest}) < len(names) + len(rest):
        raise IlwpError("this file holds a tensor twice")
    return CodedNetwork(sets, rest)


def _check(books: Codebooks) -> None:
    """Refuse what a reader would."""
    if not 0 < len(books.books) <= MOST_BOOKS or max(map(len, books.books)) > MOST_CODEWORDS:
        raise IlwpError(f"too many codebooks for the format: at most {MOST_BOOKS}, of {MOST_CODEWORDS:,} codewords")
    if not all(np.isfinite(book).all() for book in books.books):
        raise IlwpError("a codebook holds NaN or infinite values: the network did not train")
    if not all(math.isfinite(scale) and np.float32(scale) > 0 for scale in (books.scales or {}).values()):
        raise IlwpError("a scale of codebooks is zero, NaN or infinite in float32")


def _model(codes: np.ndarray, codewords: int) -> Model:
    """What takes fewest bits of codes (n,) int32."""
    code, bits = fit(_levels(codes)[:, None])
    return code if bits < len(codes) * math.log2(max(codewords, 1)) else None


def _push(stack: Stack, codes: np.ndarray, codewords: int, model: Model) -> None:
    if model is None and codewords > 1:
        stack.encode_reverse(codes.astype(np.int32), constriction.stream.model.Uniform(codewords))
    elif model is not None and model.reach:
        stack.encode_reverse(_levels(codes) + model.reach, model.coders(1)[0])


def _pop(stack: Stack, books: Codebooks, models: list[Model]) -> Codebooks:
    """The set with its codes off the coder."""
    codes = books.codes.copy()
    for i, (book, model) in enumerate(zip(books.books, models, strict=True)):
        if model is None and len(book) > 1:
            codes[:, i] = stack.decode(constriction.stream.model.Uniform(len(book)), len(codes))
        elif model is not None and model.reach:
            levels = stack.decode(model.coders(1)[0], len(codes)) - model.reach
            codes[:, i] = np.where(levels > 0, 2 * levels - 1, -2 * levels)
        if codes[:, i].max(initial=0) >= len(book):
            raise IlwpError("this file's codes name codewords that it does not hold")
    return replace(books, codes=codes)


def _levels(codes: np.ndarray) -> np.ndarray:
    """0, 1, -1, 2, -2 ... int32 for codes 0, 1, 2, 3, 4 ..."""
    levels: np.ndarray = np.where(codes % 2, (codes + 1) // 2, -(codes // 2)).astype(np.int32)
    return levels


def _bits(books: Codebooks, models: list[Model]) -> dict[str, float]:
    """How many bits the codes of each tensor take."""
    length = books.books[0].shape[1]
    starts = np.cumsum([0, *(_vectors(shape, length) for shape in books.shapes.values())])
    bits = dict.fromkeys(books.shapes, 0.0)
    for (book, codes), model in zip(_columns(books), models, strict=True):
        for name, (start, end) in zip(books.shapes, pairwise(starts), strict=True):
            if model is None:
                bits[name] += (end - start) * math.log2(len(book))
            else:
                levels = _levels(codes[start:end]) + model.reach
                bits[name] += code_bits(np.bincount(levels, minlength=2 * model.reach + 1), model.models[0])
    return bits


def _pack(books: Codebooks, models: list[Model]) -> bytes:
    """What the file says of a set before its codes."""
    with np.errstate(over="ignore"):
        halves = [book.astype("<f2") for book in books.books]
    half = all(np.array_equal(short, book) for short, book in zip(halves, books.books, strict=True))
    head = bytes([HALF * half + SCALED * (books.scales is not None)]) + pack_varint(len(books.shapes))
    for before, (name, shape) in zip(["", *books.shapes], books.shapes.items(), strict=False):
        head += pack_name(before, name) + pack_shape(shape)
        head += struct.pack("<f", books.scales[name]) if books.scales else b""
    head += pack_varint(books.books[0].shape[1]) + bytes([len(books.books)])
    for book, short, model in zip(books.books, halves, models, strict=True):
        head += pack_varint(len(book)) + (b"\0" if model is None else b"\1" + model.pack())
        head += (short if half else book.astype("<f4")).tobytes()
    return head


def _unpack(reader: Reader, room: int) -> tuple[Codebooks, list[Model]]:
    """A set that takes no more memory than `room`, its codes still zero, and the models of its codes."""
    flags, count, name = reader.take(1)[0], reader.varint(), b""
    shapes: dict[str, tuple[int, ...]] = {}
    scales: dict[str, float] = {}
    for _ in range(count):
        name = reader.name(name)
        shapes[_text(name)] = reader.shape()
        if flags & SCALED:
            scales[_text(name)] = reader.float32()
    length, number = reader.varint(), reader.take(1)[0]
    if not (flags <= HALF + SCALED and 0 < count == len(shapes) and length and 0 < number <= MOST_BOOKS):
        raise IlwpError("this file's codebooks make no sense")
    if not all(math.isfinite(scale) and scale > 0 for scale in scales.values()):
        raise IlwpError("this file's scales make no sense")
    vectors = sum(_vectors(shape, length) for shape in shapes.values())
    if vectors * max(length, number) > room:
        raise IlwpError("this file claims an impossible number of weights")
    pairs = [_unpack_book(reader, length, "<f2" if flags & HALF else "<f4") for _ in range(number)]
    codes = np.zeros((vectors, number), np.int32)
    return Codebooks(shapes, tuple(book for book, _ in pairs), codes, scales or None), [model for _, model in pairs]


def _unpack_book(reader: Reader, length: int, dtype: str) -> tuple[np.ndarray, Model]:
    codewords, modelled = reader.varint(), reader.take(1)[0]
    if modelled > 1 or not 0 < codewords <= MOST_CODEWORDS:
        raise IlwpError("this file's codebooks make no sense")
    model = read_code(reader, 1) if modelled else None
    values = np.frombuffer(reader.take(np.dtype(dtype).itemsize * codewords * length), dtype).astype(np.float32)
    if not np.isfinite(values).all():
        raise IlwpError("this file's codebooks hold NaN or infinite values")
    return values.reshape(codewords, length), model


def _columns(books: Codebooks) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each codebook with its codes."""
    return list(zip(books.books, books.codes.T, strict=True))


def _vectors(shape: tuple[int, ...], length: int) -> int:
    return -(-math.prod(shape) // length)


def _memory(sets: Iterable[Codebooks]) -> int:
    """About how many numbers decoding takes."""
    return sum(len(books.codes) * max(books.books[0].shape[1], len(books.books)) for books in sets)


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise IlwpError("this file's layer names are not UTF-8") from error
