"""The `.ilwp` file of format 2, byte by byte: any state dict, a segment for each tensor that is not small.

    bytes             what
    4                 "ILWP"
    1                 format version, 2
    4                 length of the packed index in bytes, uint32
    4                 CRC-32 of the packed index
    packed index      a raw DEFLATE stream (RFC 1951) of the index, and zeros where the file would be too short for its
                      weights (`_shortest`)
    segments          one after another, in the order in which the index begins them, until the end of the file

    index             what
    tensors           varint: number of tensors; then for each
      name            bytes shared with the start of the name before and with its end, length of what lies between
                      (varints), and that in UTF-8
      1               kind (0 to 7), plus 8 if it lies in a segment that an earlier tensor began, plus 16 times the
                      number of axes
      1               type, a place in TYPES of `types`
      axes            a varint each
      kind 0 exact, 3 levels, 4 kernels, 5 codebooks: where another tensor began the segment, its number (varint), else
                      the segment's length (varint) and its CRC-32 (4)
      kind 1 constant the one value that all elements have
      kind 2 shared   the number of the tensor before that has the same memory (varint); no type and no axes
    metadata          varint: number of entries; then for each the lengths of key and value (varints), and both in UTF-8

Numbers are little-endian. A varint has seven bits a byte, the lowest first; all bytes but the last have the eighth bit
set. Tensors and segments are numbered from 0 in the order of the index. Each segment can be read and decoded without
the others: what is in it is in `segments`, and of codebooks in `codebook_file`.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ilwp.common.bytes import MAGIC, MOST_LAYERS, WEIGHTS_LIMIT, Reader, format_of, pack_varint
from ilwp.common.errors import IlwpError, printable
from ilwp.whole.index_fields import (
    AXES,
    Form,
    as_text,
    pack_form,
    pack_index,
    pack_tensor_name,
    pack_text,
    read_form,
    read_tensor_name,
    unpack_index,
)

VERSION = 2
HEAD = struct.Struct("<4sBII")
EXACT, CONSTANT, SHARED, LEVELS, KERNELS, CODEBOOKS = range(6)
JOINS = 8
# beside WEIGHTS_LIMIT: kernels of a set are taken off the coder one by one
KERNELS_LIMIT, KERNEL_WEIGHTS_LIMIT = (1 << 14, 16), (1 << 18, 64)
MOST_SIZES = 32  # of kernels, since the models of each size take time

Read = Callable[[int, int], bytes]  # so many bytes of a file from a place on, fewer where it ends


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


@dataclass(frozen=True)
class SegmentPlace:
    """Where a segment lies in the file."""

    start: int
    length: int
    checksum: int


@dataclass(frozen=True)
class Entry:
    """What the index says of a tensor: its segment's number, or for a constant or shared one none and the content."""

    kind: int
    form: Form | None
    segment: int | None
    content: bytes = b""


def write_container(
    segments: Iterable[Segment], names: Sequence[str], metadata: Mapping[str, str] | None = None
) -> bytes:
    """The file's bytes; `names` are all tensors' in their order. The same input gives the same bytes.

    Raises IlwpError where a name, a shape or the network is too large for the format.
    """
    found = {name: segment for segment in segments for name in segment.tensors}
    places, index, before = {name: i for i, name in enumerate(names)}, bytearray(), ""
    contents: list[bytes] = []
    numbers: dict[int, int] = {}
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
    shortest = _shortest((s.kind, f) for s in {id(s): s for s in found.values()}.values() for _, f in s.forms())
    packed += bytes(max(shortest - HEAD.size - len(packed) - sum(map(len, contents)), 0))
    return HEAD.pack(MAGIC, VERSION, len(packed), zlib.crc32(packed)) + packed + b"".join(contents)


class Archive:
    """A file of format 2, of which only the index is read: `entries` by name, `metadata`; segments when asked for.

    Raises IlwpError where the index is damaged or the file goes on after its last segment.
    """

    def __init__(self, read: Read, length: int) -> None:
        head = read(0, HEAD.size)
        if format_of(head) != VERSION:
            raise IlwpError(f"this file has format version {head[4]}, not {VERSION}")
        if len(head) < HEAD.size:
            raise IlwpError("this .ilwp file is damaged or cut short: it ends before its index")
        _, _, packed_bytes, checksum = HEAD.unpack(head)
        packed = read(HEAD.size, packed_bytes) if packed_bytes <= length else b""
        if len(packed) < packed_bytes or zlib.crc32(packed) != checksum:
            raise IlwpError("this .ilwp file is damaged or cut short: the checksum of its index is wrong")
        self._read, self.length = read, length
        self.places: list[SegmentPlace] = []
        self.members: list[list[str]] = []  # of each segment
        self.entries: dict[str, Entry] = {}
        self.metadata: dict[str, str] = {}
        reader = Reader(unpack_index(packed))
        self._take_index(reader, HEAD.size + len(packed))
        if reader.rest() or len(self.metadata) != self._entries_of_metadata:
            raise IlwpError("this file's index makes no sense")
        whole = [e for e in self.entries.values() if e.form and (e.segment is None or self.is_whole(e.segment))]
        if length < _shortest((e.kind, e.form) for e in whole if e.form):
            raise IlwpError(f"this file claims too many weights for its {length:,} bytes")
        if sum(self.entries[names[0]].kind == KERNELS for names in self.members) > MOST_SIZES:
            raise IlwpError(f"this file has more than {MOST_SIZES} segments of depthwise kernels")
        if self.places and self.places[-1].start + self.places[-1].length < length:
            raise IlwpError("this .ilwp file is damaged: it goes on after its last tensor")

    def is_whole(self, number: int) -> bool:
        """Whether the file reaches to the end of a segment."""
        return self.places[number].start + self.places[number].length <= self.length

    def segment(self, name: str) -> Segment:
        """The segment that a tensor is in; raises IlwpError where there is no such tensor or its bytes are damaged."""
        entry = self.entries.get(name)
        if entry is None:
            raise IlwpError(f"this file holds no tensor called {printable(name)}")
        if entry.segment is None:
            return Segment(entry.kind, {name: entry.form}, entry.content)
        place = self.places[entry.segment]
        if not self.is_whole(entry.segment):
            raise IlwpError(f"this .ilwp file is cut short: {printable(name)} lies behind its end")
        content = self._read(place.start, place.length)
        if zlib.crc32(content) != place.checksum:
            raise IlwpError(f"this .ilwp file is damaged: the checksum of {printable(name)} is wrong")
        return Segment(entry.kind, {n: self.entries[n].form for n in self.members[entry.segment]}, content)

    def segments(self) -> Iterator[str]:
        """The first name of each segment, constants and shared tensors included, in order."""
        seen: set[int] = set()
        for name, entry in self.entries.items():
            if entry.segment is None or entry.segment not in seen:
                yield name
            if entry.segment is not None:
                seen.add(entry.segment)

    def _take_index(self, reader: Reader, start: int) -> None:
        before = b""
        names: list[str] = []
        for _ in range(reader.varint()):
            before = read_tensor_name(reader, before)
            name, kind = as_text(before), reader.take(1)[0]
            if kind == SHARED:
                entry = Entry(SHARED, None, None, _earlier(names, reader.varint(), self.entries).encode())
            else:
                form = read_form(reader, kind // AXES)
                entry, start = self._entry(reader, kind % AXES, form, name, start)
            if name in self.entries:
                raise IlwpError("this file holds a tensor twice")
            self.entries[name] = entry
            names.append(name)
        self._entries_of_metadata = reader.varint()
        for _ in range(self._entries_of_metadata):
            lengths = reader.varint(), reader.varint()
            key, value = (as_text(reader.take(length)) for length in lengths)
            self.metadata[key] = value

    def _entry(self, reader: Reader, kind: int, form: Form, name: str, start: int) -> tuple[Entry, int]:
        kind, joins = kind % JOINS, bool(kind & JOINS)
        if kind == CONSTANT and not joins:
            return Entry(kind, form, None, reader.take(form.dtype.itemsize)), start
        if kind not in (EXACT, LEVELS, KERNELS, CODEBOOKS):
            raise IlwpError("this file holds tensors of an unknown kind")
        if not joins:
            length = reader.varint()
            self.places.append(SegmentPlace(start, length, struct.unpack("<I", reader.take(4))[0]))
            self.members.append([name])
            return Entry(kind, form, len(self.places) - 1), start + length
        number = reader.varint()
        if number >= len(self.places) or self.entries[self.members[number][0]].kind != kind:
            raise IlwpError("this file's index makes no sense")
        self.members[number].append(name)
        return Entry(kind, form, number), start


def _earlier(names: Sequence[str], number: int, entries: Mapping[str, Entry]) -> str:
    if number >= len(names) or entries[names[number]].kind == SHARED:
        raise IlwpError("this file's index makes no sense")
    return names[number]


def _shortest(forms: Iterable[tuple[int, Form]]) -> int:
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
