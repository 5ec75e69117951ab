"""Segments of depthwise layers of one size; the format is at the top of `segments`."""

import math
from collections.abc import Mapping

import constriction
import numpy as np

from ilwp.common.bytes import Reader
from ilwp.common.errors import IlwpError
from ilwp.paper.methods import PAPER_METHODS
from ilwp.whole.ans import pop_kernels, push_piece
from ilwp.whole.container import KERNELS, Segment
from ilwp.whole.index_fields import Form
from ilwp.whole.models import Code, fit_code, read_code
from ilwp.whole.pieces import WEIGHTS, KernelLevels, Piece
from ilwp.whole.roles import MOST_TAPS
from ilwp.whole.segment_parts import Packed, ans_words, check_models, pack_step, read_step, stack_of_rest
from ilwp.whole.sets import pack_cells, read_cells

SEED = (0x494C5750, 0x53454544)  # a set needs something on the coder to take bits back from
A_SET, SIGNS_FREE, TRANSFORMED, WEIGHT = 4, 8, 16, 32
KERNELS_MODELLED_LEVELS = (1 << 21, 256)


def pack_kernels(pieces: Mapping[str, KernelLevels]) -> Packed:
    """A segment of depthwise layers of one size; raises IlwpError where their range is too wide for the file."""
    codes = {name: fit_code(piece.levels, mirrored=piece.signed)[0] for name, piece in pieces.items()}
    heads = {name: _pack_head(piece, codes[name]) for name, piece in pieces.items()}
    counts = [len(piece.levels) for piece in pieces.values()]
    stack, bits = constriction.stream.stack.AnsCoder(np.array(SEED, np.uint32)), {}
    for place, name in reversed(list(enumerate(pieces))):
        held = stack.num_valid_bits()
        push_piece(stack, counts[:place], pieces[name], codes[name])
        bits[name] = 8 * len(heads[name]) + stack.num_valid_bits() - held
    content = b"".join(heads.values()) + ans_words(stack)
    check_models(codes.values(), len(content), KERNELS_MODELLED_LEVELS)
    forms = {name: Form((len(p.levels), 1, *p.size), p.dtype) for name, p in pieces.items()}
    return Packed(Segment(KERNELS, forms, content), {name: bits[name] for name in pieces})


def unpack_kernels(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    """The pieces of a segment of kernels and the bits of each; raises IlwpError for what makes no sense."""
    reader = Reader(segment.content)
    heads: dict[str, tuple[KernelLevels, Code]] = {}
    bits: dict[str, float] = {}
    for name, form in segment.forms():
        start = reader.position
        heads[name] = _unpack_head(reader, form)
        bits[name] = 8.0 * (reader.position - start)
    if len({piece.size for piece, _ in heads.values()}) > 1:
        raise IlwpError("this file's depthwise kernels make no sense")
    check_models([code for _, code in heads.values()], len(segment.content), KERNELS_MODELLED_LEVELS)
    stack, pieces, counts = stack_of_rest(reader), dict[str, Piece](), list[int]()
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
    head = pack_step(piece.step) + bytes([flags])
    if piece.cells is not None:
        head += pack_cells(piece.cells)
    return head + code.pack()


def _unpack_head(reader: Reader, form: Form) -> tuple[KernelLevels, Code]:
    """A layer, its levels still zero, and their code."""
    if len(form.shape) < 3 or form.shape[1] != 1 or not 0 < math.prod(form.shape[2:]) <= MOST_TAPS or not form.size:
        raise IlwpError("this file's depthwise kernels make no sense")
    channels, size = form.shape[0], form.shape[2:]
    step, flags = read_step(reader), reader.take(1)[0]
    cells = read_cells(reader, channels) if flags & A_SET else None
    method = PAPER_METHODS[flags % A_SET]
    if flags >= len(WEIGHTS) * WEIGHT or not (flags < WEIGHT if method == "baseline" else cells is None):
        raise IlwpError("this file's depthwise kernels make no sense")
    levels, indices = np.zeros((channels, math.prod(size)), np.int32), np.zeros(channels, np.int64)
    signed, transformed = bool(flags & SIGNS_FREE), bool(flags & TRANSFORMED)
    weight = WEIGHTS[flags // WEIGHT]
    piece = KernelLevels(size, levels, step, method, indices, transformed, weight, cells, signed, form.dtype)
    return piece, read_code(reader, levels.shape[1])
