"""The fields of an index, each as it is written and as it is read; the format is at the top of `container`."""

import math
import zlib
from dataclasses import dataclass

import numpy as np

from ilwp.common.bytes import Reader, decoding_limit, front_coded, pack_varint
from ilwp.common.errors import IlwpError, printable
from ilwp.whole.types import number_of, type_of

AXES = 16
INDEX_LIMIT = (1 << 16, 64)  # bytes of an index, and how many more for each of its packed bytes
MOST_AXES = 8
LONGEST_TENSOR_NAME = 1 << 14


@dataclass(frozen=True)
class Form:
    """A tensor's shape and type."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize


def pack_index(index: bytes) -> bytes:
    """Not made shorter where a reader would not believe how much is in it."""
    for level in (9, 0):
        stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = stream.compress(index) + stream.flush()
        if len(index) <= decoding_limit(INDEX_LIMIT, len(packed)):
            break
    return packed


def unpack_index(packed: bytes) -> bytes:
    """What `pack_index` was given; raises IlwpError where that cannot be."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        index = stream.decompress(packed, decoding_limit(INDEX_LIMIT, len(packed)))
    except zlib.error as error:
        raise IlwpError("this file's index makes no sense") from error
    if not stream.eof or stream.unused_data.strip(b"\0"):
        raise IlwpError("this file's index makes no sense")
    return index


def pack_tensor_name(before: str, name: str) -> bytes:
    """A tensor's name after the name before; raises IlwpError where it is no Unicode text or too long."""
    try:
        old, new = before.encode(), name.encode()
    except UnicodeEncodeError as error:
        raise IlwpError("a tensor's name is no Unicode text: rename it") from error
    if len(new) > LONGEST_TENSOR_NAME:
        raise IlwpError(f"the name {printable(name[:20])}... is longer than {LONGEST_TENSOR_NAME:,} bytes")
    start, end, middle = front_coded(old, new)
    return pack_varint(start) + pack_varint(end) + pack_varint(len(middle)) + middle


def read_tensor_name(reader: Reader, before: bytes) -> bytes:
    """A tensor's name in UTF-8, after the name before; raises IlwpError for what no writer makes."""
    start, end, middle = reader.varint(), reader.varint(), reader.varint()
    if start + end > len(before) or start + end + middle > LONGEST_TENSOR_NAME:
        raise IlwpError("this file's names make no sense")
    return before[:start] + reader.take(middle) + before[len(before) - end :]


def pack_form(kind: int, form: Form) -> bytes:
    """A tensor's kind, type and shape; raises IlwpError where the format has no place for them."""
    if not _is_possible(form.shape):
        raise IlwpError(f"a tensor of shape {form.shape} has no place in the format: at most {MOST_AXES} axes")
    head = bytes([kind + AXES * len(form.shape), number_of(form.dtype)])
    return head + b"".join(map(pack_varint, form.shape))


def read_form(reader: Reader, axes: int) -> Form:
    """A tensor's type and shape, of which the kind's byte told the number of axes; raises IlwpError as `pack_form`."""
    dtype = type_of(reader.take(1)[0])
    shape = tuple(reader.varint() for _ in range(axes))
    if not _is_possible(shape):
        raise IlwpError("this file claims an impossible number of weights")
    return Form(shape, dtype)


def _is_possible(shape: tuple[int, ...]) -> bool:
    # numpy counts the other axes of an empty array too, at up to sixteen bytes a number
    return (
        len(shape) <= MOST_AXES and math.prod(axis or 1 for axis in shape) < 1 << 59 and max(shape, default=0) < 1 << 35
    )


def pack_text(*parts: str) -> bytes:
    """Lengths of texts, then the texts in UTF-8; raises IlwpError for what is no Unicode text."""
    try:
        encoded = [part.encode() for part in parts]
    except (AttributeError, UnicodeEncodeError) as error:
        raise IlwpError("the metadata is no Unicode text: give texts by names that are texts") from error
    return b"".join(pack_varint(len(part)) for part in encoded) + b"".join(encoded)


def as_text(content: bytes) -> str:
    """The text that UTF-8 stands for; raises IlwpError where it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise IlwpError("this file's names are not UTF-8") from error
