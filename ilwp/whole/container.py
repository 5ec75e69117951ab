"""The `.ilwp` file of format 2, byte by byte: any state dict, a segment for each tensor that is not small.

    bytes             what
    4                 "ILWP"
    1                 format version, 2
    4                 length of the packed index in bytes, uint32
    4                 CRC-32 of the packed index
    packed index      a raw DEFLATE stream (RFC 1951) of the index, and zeros where the file would be too short for its
                      weights (`shortest_file`)
    segments          one after another, in the order in which the index begins them, until the end of the file

    index             what
    tensors           varint: number of tensors; then for each
      name            bytes shared with the start of the name before and with its end, length of what lies between
                      (varints), and that in UTF-8
      1               kind (0 to 5), plus 8 if it lies in a segment that an earlier tensor began, plus 16 times the
                      number of axes
      1               type, a place in TYPES of `types`
      axes            a varint each
      kind 0, 3 to 5  exact, levels, kernels, codebooks: where another tensor began the segment, its number (varint),
                      else the segment's length (varint) and its CRC-32 (4)
      kind 1          constant: the one value that all elements have
      kind 2          shared: the number of the tensor before that has the same memory (varint); no type and no axes
    metadata          varint: number of entries; then for each the lengths of key and value (varints), and both in UTF-8

Numbers are little-endian. A varint has seven bits a byte, the lowest first; all bytes but the last have the eighth bit
set. Tensors and segments are numbered from 0 in the order of the index. Each segment can be read and decoded without
the others: what is in it is in `segments`, and of codebooks in `codebook_file`.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ilwp.common.bytes import MAGIC, MOST_LAYERS, WEIGHTS_LIMIT, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.whole.index_fields import (
    Form,
    pack_form,
    pack_index,
    pack_tensor_name,
    pack_text,
)

CONTAINER_VERSION = 2
CONTAINER_HEAD = struct.Struct("<4sBII")
EXACT, CONSTANT, SHARED, LEVELS, KERNELS, CODEBOOKS = range(6)
JOINS = 8
# beside WEIGHTS_LIMIT: kernels of a set are taken off the coder one by one
KERNELS_LIMIT, KERNEL_WEIGHTS_LIMIT = (1 << 14, 16), (1 << 18, 64)
MOST_SIZES = 32  # of kernels, since the models of each size take time


@dataclass(frozen=True)
class Segment:
    """The `content` of one or more `tensors`, of a `kind`: a constant's value, a shared tensor's name (its form is
    none), or what lies in the file.
    """

    kind: int
    tensors: Mapping[str, Form | None]
    content: bytes

    def forms(self) -> list[tuple[str, Form]]:
        """Names and forms of what has one."""
        return [(name, form) for name, form in self.tensors.items() if form is not None]


def write_container(
    segments: Iterable[Segment], names: Sequence[str], metadata: Mapping[str, str] | None = None
) -> bytes:
    """The file's bytes; `names` are all tensors' in their order. The same input gives the same bytes.

    Raises IlwpError where a name, a shape or the network is too large for the format. Raises ValueError where a segment
    has its tensors in another order, since a reader would take the one for the other.
    """
    found = {name: segment for segment in segments for name in segment.tensors}
    places, index, before = {name: i for i, name in enumerate(names)}, bytearray(), ""
    contents: list[bytes] = []
    numbers: dict[int, int] = {}
    each = {id(segment): segment.tensors for segment in found.values()}.values()
    if any([*tensors] != sorted(tensors, key=places.__getitem__) for tensors in each):
        raise ValueError("the tensors of a segment must come in the order of all tensors")
    index += pack_varint(len(names))
    for name in names:
        segment = found[name]
        index += pack_tensor_name(before, name)
        before = name
        form, joins = segment.tensors[name], id(segment) in numbers
        if form is None:
            index += bytes([SHARED]) + pack_varint(places[segment.content.decode()])
            continue
        index += pack_form(segment.kind + JOINS * joins, form)
        if segment.kind == CONSTANT:
            index += segment.content
        elif joins:
            index += pack_varint(numbers[id(segment)])
        else:
            numbers[id(segment)] = len(contents)
            contents.append(segment.content)
            index += pack_varint(len(segment.content)) + struct.pack("<I", zlib.crc32(segment.content))
    index += pack_varint(len(metadata or {}))
    for key, value in (metadata or {}).items():
        index += pack_text(key, value)
    packed = pack_index(bytes(index))
    shortest = shortest_file((s.kind, f) for s in {id(s): s for s in found.values()}.values() for _, f in s.forms())
    packed += bytes(max(shortest - CONTAINER_HEAD.size - len(packed) - sum(map(len, contents)), 0))
    return CONTAINER_HEAD.pack(MAGIC, CONTAINER_VERSION, len(packed), zlib.crc32(packed)) + packed + b"".join(contents)


def shortest_file(forms: Iterable[tuple[int, Form]]) -> int:
    """The fewest bytes of a file that may stand for tensors of these kinds, so that none can fill memory or time.

    Raises IlwpError where none may.
    """
    forms = list(forms)
    kernels = [form for kind, form in forms if kind == KERNELS]
    if len(kernels) > MOST_LAYERS or len({form.shape[2:] for form in kernels}) > MOST_SIZES:
        raise IlwpError(
            f"this network is too large for the format: at most {MOST_LAYERS:,} depthwise layers of {MOST_SIZES} sizes"
        )
    counted = (
        (sum(form.size for _, form in forms), WEIGHTS_LIMIT),
        (sum(form.size for form in kernels), KERNEL_WEIGHTS_LIMIT),
        (sum(form.shape[0] for form in kernels if form.shape), KERNELS_LIMIT),
    )
    return max(-((free - count) // each) for count, (free, each) in counted)
