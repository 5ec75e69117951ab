"""Codebooks as a segment of an `.ilwp` file, byte by byte: tensors whose weights are read from them.

    bytes             what
    1                 flags: 1 values are float16, else float32; 2 tensors have scales
    4 per tensor      its scale (float32) if they have them
    varint            weights in a vector
    1                 number of codebooks; then
      per codebook    number of codewords (varint); model (1): 0 all codes alike, 1 followed by `code` as in `segments`
                      with one column; the codewords' values
    the rest          ANS words, uint32

Vectors are cut from tensors, which the index names, as `codebooks.cut` says, so their number follows from the shapes.
Codewords stand in the order of use, and code r is coded as level 0, 1, -1, 2, -2 ... for r = 0, 1, 2 ..., so that
larger levels are rarer; a codebook of one codeword, or a `code` that reaches no level but 0, takes no
room. ANS is a stack; reading takes off it, codebook by codebook, the codes of all vectors.
"""

import math
import struct
from dataclasses import replace
from itertools import pairwise

import constriction
import numpy as np

from ilwp.codebooks.codebooks import Codebooks
from ilwp.common.bytes import WEIGHTS_LIMIT, Reader, decoding_limit, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.whole.container import CODEBOOKS, Segment
from ilwp.whole.index_fields import Form
from ilwp.whole.models import AnsStack, Code, code_bits, fit_code, read_code
from ilwp.whole.pieces import FLOAT32
from ilwp.whole.segment_parts import Packed, ans_words, stack_of_rest

HALF, SCALED = 1, 2
MOST_BOOKS = 64
MOST_CODEWORDS = 1 << 16

CodeOrUniform = Code | None  # None: all codes are equally likely


def pack_codebooks(books: Codebooks) -> Packed:
    """The segment of a set, and how many of its bits are the codes of each tensor.

    Raises IlwpError where the set is too large for the format, or a number is not finite.
    """
    _check(books)
    models = [_model(codes, len(book)) for book, codes in _columns(books)]
    stack = constriction.stream.stack.AnsCoder()
    for (book, codes), model in zip(reversed(_columns(books)), reversed(models), strict=True):
        _push(stack, codes, len(book), model)
    content = _pack_head(books, models) + ans_words(stack)
    if _memory(books) > decoding_limit(WEIGHTS_LIMIT, len(content)):
        raise IlwpError(f"too many weights for {len(content):,} bytes: nearly all of them are the same")
    forms = {name: Form(shape, FLOAT32) for name, shape in books.shapes.items()}
    return Packed(Segment(CODEBOOKS, forms, content), _bits(books, models))


def unpack_codebooks(segment: Segment) -> tuple[Codebooks, dict[str, float]]:
    """The set, and the bits of each tensor's codes; raises IlwpError for what `pack_codebooks` cannot have made."""
    reader = Reader(segment.content)
    books, models = _unpack_head(reader, dict(segment.forms()), decoding_limit(WEIGHTS_LIMIT, len(segment.content)))
    stack = stack_of_rest(reader)
    found = _pop(stack, books, models)
    if not stack.is_empty():
        raise IlwpError("this file's coded levels do not end where they should")
    return found, _bits(found, models)


def _check(books: Codebooks) -> None:
    """Raise IlwpError for what a reader would refuse."""
    if not 0 < len(books.books) <= MOST_BOOKS or max(map(len, books.books)) > MOST_CODEWORDS:
        raise IlwpError(f"too many codebooks for the format: at most {MOST_BOOKS}, of {MOST_CODEWORDS:,} codewords")
    if not all(np.isfinite(book).all() for book in books.books):
        raise IlwpError("a codebook holds NaN or infinite values: the network did not train")
    if not all(math.isfinite(scale) and np.float32(scale) > 0 for scale in (books.scales or {}).values()):
        raise IlwpError("a scale of codebooks is zero, NaN or infinite in float32")


def _model(codes: np.ndarray, codewords: int) -> CodeOrUniform:
    """What takes fewest bits of codes (n,) int32."""
    code, bits = fit_code(_levels(codes)[:, None])
    return code if bits < len(codes) * math.log2(max(codewords, 1)) else None


def _push(stack: AnsStack, codes: np.ndarray, codewords: int, model: CodeOrUniform) -> None:
    if model is None and codewords > 1:
        stack.encode_reverse(codes.astype(np.int32), constriction.stream.model.Uniform(codewords))
    elif model is not None and model.reach:
        stack.encode_reverse(_levels(codes) + model.reach, model.coders(1)[0])


def _pop(stack: AnsStack, books: Codebooks, models: list[CodeOrUniform]) -> Codebooks:
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


def _bits(books: Codebooks, models: list[CodeOrUniform]) -> dict[str, float]:
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


def _pack_head(books: Codebooks, models: list[CodeOrUniform]) -> bytes:
    """What the file says of a set before its codes."""
    with np.errstate(over="ignore"):
        halves = [book.astype("<f2") for book in books.books]
    half = all(np.array_equal(short, book) for short, book in zip(halves, books.books, strict=True))
    head = bytes([HALF * half + SCALED * (books.scales is not None)])
    head += b"".join(struct.pack("<f", books.scales[name]) for name in books.shapes if books.scales)
    head += pack_varint(books.books[0].shape[1]) + bytes([len(books.books)])
    for book, short, model in zip(books.books, halves, models, strict=True):
        head += pack_varint(len(book)) + (b"\0" if model is None else b"\1" + model.pack())
        head += (short if half else book.astype("<f4")).tobytes()
    return head


def _unpack_head(reader: Reader, forms: dict[str, Form], limit: int) -> tuple[Codebooks, list[CodeOrUniform]]:
    """A set that takes no more memory than `limit`, its codes still zero, and the models of its codes."""
    flags = reader.take(1)[0]
    scales = {name: reader.float32() for name in forms if flags & SCALED}
    length, number = reader.varint(), reader.take(1)[0]
    if not (flags <= HALF + SCALED and length and 0 < number <= MOST_BOOKS):
        raise IlwpError("this file's codebooks make no sense")
    if any(form.dtype != FLOAT32 for form in forms.values()):
        raise IlwpError("this file's codebooks are of another type than float32")
    if not all(math.isfinite(scale) and scale > 0 for scale in scales.values()):
        raise IlwpError("this file's scales make no sense")
    shapes = {name: form.shape for name, form in forms.items()}
    vectors = sum(_vectors(shape, length) for shape in shapes.values())
    if vectors * max(length, number) > limit:
        raise IlwpError("this file claims an impossible number of weights")
    pairs = [_unpack_book(reader, length, "<f2" if flags & HALF else "<f4") for _ in range(number)]
    codes = np.zeros((vectors, number), np.int32)
    return Codebooks(shapes, tuple(book for book, _ in pairs), codes, scales or None), [model for _, model in pairs]


def _unpack_book(reader: Reader, length: int, dtype: str) -> tuple[np.ndarray, CodeOrUniform]:
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


def _memory(books: Codebooks) -> int:
    """About how many numbers decoding takes."""
    return int(len(books.codes) * max(books.books[0].shape[1], len(books.books)))
