"""Reading the `.ilwp` file of format 2: its index at once, and a segment when it is asked for."""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ilwp.common.bytes import Reader, format_of
from ilwp.common.errors import IlwpError, printable
from ilwp.whole.container import (
    CODEBOOKS,
    CONSTANT,
    CONTAINER_HEAD,
    CONTAINER_VERSION,
    EXACT,
    JOINS,
    KERNELS,
    LEVELS,
    MOST_SIZES,
    SHARED,
    Segment,
    shortest_file,
)
from ilwp.whole.index_fields import AXES, Form, as_text, read_form, read_tensor_name, unpack_index

Read = Callable[[int, int], bytes]  # so many bytes of a file from a place on, fewer where it ends


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


class Archive:
    """A file of format 2, of which only the index is read: `entries` by name, `metadata`; segments when asked for.

    Raises IlwpError where the index is damaged or the file goes on after its last segment.
    """

    def __init__(self, read: Read, length: int) -> None:
        head = read(0, CONTAINER_HEAD.size)
        if format_of(head) != CONTAINER_VERSION:
            raise IlwpError(f"this file has format version {head[4]}, not {CONTAINER_VERSION}")
        if len(head) < CONTAINER_HEAD.size:
            raise IlwpError("this .ilwp file is damaged or cut short: it ends before its index")
        _, _, packed_bytes, checksum = CONTAINER_HEAD.unpack(head)
        packed = read(CONTAINER_HEAD.size, packed_bytes) if packed_bytes <= length else b""
        if len(packed) < packed_bytes or zlib.crc32(packed) != checksum:
            raise IlwpError("this .ilwp file is damaged or cut short: the checksum of its index is wrong")
        self._read, self.length = read, length
        self.places: list[SegmentPlace] = []
        self.members: list[list[str]] = []  # of each segment
        self.entries: dict[str, Entry] = {}
        self.metadata: dict[str, str] = {}
        reader = Reader(unpack_index(packed))
        self._take_index(reader, CONTAINER_HEAD.size + len(packed))
        if reader.rest() or len(self.metadata) != self._entries_of_metadata:
            raise IlwpError("this file's index makes no sense")
        whole = [e for e in self.entries.values() if e.form and (e.segment is None or self.is_whole(e.segment))]
        if length < shortest_file((e.kind, e.form) for e in whole if e.form):
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
