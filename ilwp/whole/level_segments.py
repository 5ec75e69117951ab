"""Segments of tensors' levels; the format is at the top of `segments`."""

import struct

import constriction

from ilwp.common.bytes import Reader
from ilwp.common.errors import IlwpError
from ilwp.whole.ans import pop_levels, push_piece
from ilwp.whole.container import LEVELS, Segment
from ilwp.whole.index_fields import Form
from ilwp.whole.models import fit_code, read_code
from ilwp.whole.pieces import Levels, Piece
from ilwp.whole.segment_parts import Packed, ans_words, check_models, read_step, stack_of_rest


def pack_levels(name: str, piece: Levels) -> Packed:
    """A segment of levels; raises IlwpError where their range is too wide for the file."""
    code, _ = fit_code(piece.levels.reshape(-1, 1))
    stack = constriction.stream.stack.AnsCoder()
    push_piece(stack, [], piece, code)
    content = struct.pack("<f", piece.step) + code.pack() + ans_words(stack)
    check_models([code], len(content))
    return Packed(Segment(LEVELS, {name: Form(piece.levels.shape, piece.dtype)}, content), {name: 8.0 * len(content)})


def unpack_levels(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    """The pieces of a segment of levels and the bits of each; raises IlwpError for what makes no sense."""
    ((name, form),) = segment.forms()
    reader = Reader(segment.content)
    step, code = read_step(reader), read_code(reader, 1)
    check_models([code], len(segment.content))
    stack = stack_of_rest(reader)
    levels = pop_levels(stack, form.shape, code)
    if not stack.is_empty():
        raise IlwpError("this file's coded levels do not end where they should")
    return {name: Levels(levels, step, form.dtype)}, {name: 8.0 * len(segment.content)}
