"""Segments of tensors' levels; the format is at the top of `segments`."""

from collections.abc import Mapping
from dataclasses import dataclass

import constriction
import numpy as np

from ilwp.common.bytes import Reader, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.whole.ans import pop_levels, push_piece
from ilwp.whole.columns import ColumnedHead, columned, pop_columned, read_columned
from ilwp.whole.container import LEVELS, Segment
from ilwp.whole.index_fields import Form
from ilwp.whole.models import AnsStack, Code, fit_code, read_code
from ilwp.whole.pieces import MOST_FINENESS, Levels, Piece, Powers
from ilwp.whole.segment_parts import Packed, ans_words, check_models, pack_step, read_step, stack_of_rest

ALL_PLUS = 128
COLUMNED = 64  # in place of a scale
MOST_CENTRE = 1 << 23


@dataclass(frozen=True)
class _Head:
    """What a file says before the levels of a tensor: its step or, of powers of two, their fineness; the middle of its
    levels; their code, and that of the signs unless all are plus.
    """

    form: Form
    step: float
    fineness: int | None
    centre: int
    code: Code
    signs: Code | None


def pack_levels(pieces: Mapping[str, Levels | Powers]) -> Packed:
    """A segment of levels; raises IlwpError where their range is too wide for the file."""
    stack, bits = constriction.stream.stack.AnsCoder(), dict[str, float]()
    heads: dict[str, bytes] = {}
    codes: list[Code] = []
    for name, piece in reversed(list(pieces.items())):
        before = stack.num_valid_bits()
        heads[name], used = _push(stack, piece, alone=len(pieces) == 1)
        codes += used
        bits[name] = 8.0 * len(heads[name]) + stack.num_valid_bits() - before
    content = b"".join(heads[name] for name in pieces) + ans_words(stack)
    check_models(codes, len(content))
    forms = {name: Form(p.levels.shape, p.dtype) for name, p in pieces.items()}
    return Packed(Segment(LEVELS, forms, content), bits)


def unpack_levels(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    """The pieces of a segment of levels and the bits of each; raises IlwpError for what makes no sense."""
    reader, bits = Reader(segment.content), dict[str, float]()
    heads: dict[str, _Head | ColumnedHead] = {}
    for name, form in segment.forms():
        start = reader.position
        heads[name] = _read_head(reader, form)
        bits[name] = 8.0 * (reader.position - start)
    check_models([code for head in heads.values() for code in _codes(head)], len(segment.content))
    stack, pieces = stack_of_rest(reader), dict[str, Piece]()
    for name, head in heads.items():
        held = stack.num_valid_bits()
        pieces[name] = pop_columned(stack, head) if isinstance(head, ColumnedHead) else _pop_piece(stack, head)
        bits[name] += held - stack.num_valid_bits()
    if not stack.is_empty():
        raise IlwpError("this file's coded levels do not end where they should")
    return pieces, bits


def _push(stack: AnsStack, piece: Levels | Powers, alone: bool) -> tuple[bytes, list[Code]]:
    """Put a tensor on the coder: what the file says before it, and the codes in that."""
    centre = _centre(piece)
    levels = piece.levels - centre if centre else piece.levels
    code, bits = fit_code(levels.reshape(-1, 1))
    if alone and isinstance(piece, Levels) and (better := columned(piece, bits)):
        return bytes([COLUMNED]) + better.push(stack), [better.code_of_classes, better.code]
    head, codes = _pack_scale(piece) + pack_varint(2 * centre if centre >= 0 else -2 * centre - 1) + code.pack(), [code]
    if isinstance(piece, Powers) and not (piece.signs == 1).all():
        signs, _ = fit_code(piece.signs.reshape(-1, 1))
        push_piece(stack, [], Levels(piece.signs, 1.0), signs)
        head += signs.pack()
        codes.append(signs)
    push_piece(stack, [], Levels(levels, 1.0), code)
    return head, codes


def _codes(head: _Head | ColumnedHead) -> list[Code]:
    if isinstance(head, ColumnedHead):
        return [head.code_of_classes, head.code]
    return [head.code, head.signs] if head.signs else [head.code]


def _pack_scale(piece: Levels | Powers) -> bytes:
    if isinstance(piece, Levels):
        return b"\0" + pack_step(piece.step)
    return bytes([1 + piece.fineness + ALL_PLUS * bool((piece.signs == 1).all())])


def _read_head(reader: Reader, form: Form) -> _Head | ColumnedHead:
    scale = reader.take(1)[0]
    if scale == COLUMNED:
        return read_columned(reader, form)
    fineness = scale % ALL_PLUS - 1 if scale else None
    step = 0.0 if scale else read_step(reader)
    twice = reader.varint()
    code = read_code(reader, 1)
    signs = read_code(reader, 1) if 0 < scale < ALL_PLUS else None
    if not 0 <= (fineness or 0) <= MOST_FINENESS or twice > 2 * MOST_CENTRE or (signs and signs.reach > 1):
        raise IlwpError("this file's coded levels make no sense")
    return _Head(form, step, fineness, -(twice + 1 >> 1) if twice % 2 else twice >> 1, code, signs)


def _pop_piece(stack: AnsStack, head: _Head) -> Levels | Powers:
    shape = head.form.shape
    levels = pop_levels(stack, shape, head.code, head.centre)
    if head.fineness is None:
        return Levels(levels, head.step, head.form.dtype)
    signs = pop_levels(stack, shape, head.signs).astype(np.int8) if head.signs else np.ones(shape, np.int8)
    return Powers(levels, signs, head.fineness, head.form.dtype)


def _centre(piece: Levels | Powers) -> int:
    """What is taken off all levels: of a vector the one in the middle, since few vectors lie around zero."""
    vector = sum(axis > 1 for axis in piece.levels.shape) < 2
    return int(np.sort(piece.levels, axis=None)[piece.levels.size // 2]) if vector and piece.levels.size else 0
