"""Segments of exact tensors: the bytes of all values, plane by plane; the format is at the top of `segments`."""

from collections.abc import Iterable, Mapping

import constriction
import numpy as np

from ilwp.common.bytes import Reader, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.whole.ans import pop_levels, push_piece
from ilwp.whole.container import EXACT, Segment
from ilwp.whole.index_fields import Form
from ilwp.whole.models import fit_code, read_code
from ilwp.whole.pieces import Exact, Levels, Piece
from ilwp.whole.segment_parts import Packed, ans_words, stack_of_rest
from ilwp.whole.types import from_little_endian, little_endian


def pack_exact(pieces: Mapping[str, Exact]) -> Packed:
    """A segment of exact tensors of one type."""
    values = b"".join(little_endian(piece.tensor) for piece in pieces.values())
    forms = {name: Form(p.tensor.shape, p.tensor.dtype) for name, p in pieces.items()}
    itemsize = next(iter(forms.values())).dtype.itemsize
    planes = np.frombuffer(values, np.uint8).reshape(-1, itemsize).T
    content = b"".join(map(_pack_plane, planes))
    return Packed(Segment(EXACT, forms, content), _shares(forms.items(), len(content)))


def unpack_exact(segment: Segment) -> tuple[dict[str, Piece], dict[str, float]]:
    """The pieces of a segment of exact tensors and the bits of each; raises IlwpError for what makes no sense."""
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
    words = ans_words(stack)
    return b"\1" + code.pack() + pack_varint(len(words) // 4) + words


def _unpack_plane(reader: Reader, count: int) -> np.ndarray:
    if not reader.take(1)[0]:
        return np.frombuffer(reader.take(count), np.uint8)
    code = read_code(reader, 1)
    if code.reach > 128:
        raise IlwpError("this file's exact tensors make no sense")
    stack = stack_of_rest(Reader(reader.take(4 * reader.varint())))
    plane: np.ndarray = (pop_levels(stack, (count,), code) + 128).astype(np.uint8)
    if not stack.is_empty():
        raise IlwpError("this file's coded levels do not end where they should")
    return plane


def _shares(forms: Iterable[tuple[str, Form]], content_bytes: int) -> dict[str, float]:
    """Bits of tensors that are coded together, by their size."""
    forms = list(forms)
    whole = sum(form.nbytes for _, form in forms)
    return {name: 8.0 * content_bytes * form.nbytes / max(whole, 1) for name, form in forms}
