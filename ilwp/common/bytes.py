"""Bytes of the `.ilwp` formats: a bounded reader, names that share their ends, integers of any size."""

import struct
import zlib
from dataclasses import dataclass
from itertools import takewhile

from ilwp.common.errors import IlwpError

MAGIC = b"ILWP"
LATEST = 2  # of the formats
LONGEST_NAME = 255
LONGEST_VARINT = 5  # bytes, for numbers below 2 ** 35
MOST_LAYERS = 1 << 10  # of depthwise kernels, since each may be predicted from all before it
WEIGHTS_LIMIT = (1 << 20, 2048)  # how many a file may stand for, and how many more for each of its bytes


def pack_name(before: str, name: str) -> bytes:
    """A layer's name after the name before, of which it repeats neither the shared start nor the shared end."""
    old, new = before.encode(), name.encode()
    if len(new) > LONGEST_NAME:
        raise IlwpError(f"the layer name {name[:20]}... is longer than {LONGEST_NAME} bytes")
    start, end, middle = front_coded(old, new)
    return bytes([start, end, len(middle)]) + middle


def front_coded(before: bytes, name: bytes) -> tuple[int, int, bytes]:
    """How many bytes a name shares with the start and with the rest of the name before, and what lies between."""
    start = _shared(before, name)
    end = _shared(before[start:][::-1], name[start:][::-1])
    return start, end, name[start : len(name) - end]


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def pack_varint(number: int) -> bytes:
    """Seven bits per byte, the lowest first, 128 added to all but the last; for numbers from 0 on.

    >>> pack_varint(300).hex()
    'ac02'
    """
    low = bytes([number & 127])
    return low if number < 128 else bytes([number & 127 | 128]) + pack_varint(number >> 7)


def decoding_limit(limit: tuple[int, int], file_bytes: int) -> int:
    """An upper bound on decoded values, against decompression bombs.

    `limit` holds how many any file may stand for, and how many more for each of its bytes.
    """
    return limit[0] + limit[1] * file_bytes


@dataclass
class Reader:
    """Takes a file apart from its start; raises IlwpError where the file ends too soon."""

    content: bytes
    position: int = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        part = self.content[self.position : self.position + count]
        if len(part) < count:
            raise IlwpError("this .ilwp file ends before what its header promises")
        self.position += count
        return part

    def rest(self) -> bytes:
        """Everything that was not taken."""
        return self.content[self.position :]

    def name(self, before: bytes) -> bytes:
        """A name that `pack_name` wrote after the name `before`."""
        start, end, middle = self.take(3)
        if start + end > len(before):
            raise IlwpError("this file's layer names make no sense")
        return before[:start] + self.take(middle) + before[len(before) - end :]

    def varint(self) -> int:
        """A number that `pack_varint` wrote."""
        number = 0
        for i, byte in enumerate(self.content[self.position : self.position + LONGEST_VARINT]):
            number |= (byte & 127) << 7 * i
            if byte < 128:
                self.position += i + 1
                return number
        self.take(LONGEST_VARINT)  # which raises where the file ends within the number
        raise IlwpError("this file holds an impossible number")

    def float32(self) -> float:
        """Four bytes."""
        value: float = struct.unpack("<f", self.take(4))[0]
        return value


def format_of(file: bytes) -> int:
    """The format of an `.ilwp` file; raises IlwpError where it is none, or a format of the future."""
    if not file.startswith(MAGIC):
        raise IlwpError("this is no .ilwp file" if file else "this file is empty")
    if len(file) == len(MAGIC):
        raise IlwpError("this .ilwp file is damaged or cut short: it ends after its first word")
    if not 1 <= file[4] <= LATEST:
        raise IlwpError(f"this file has format version {file[4]}, but this ilwp reads up to {LATEST}: update it")
    return file[4]


def opened(file: bytes, version: int) -> Reader:
    """A reader of everything before the checksum; raises IlwpError where format or checksum are wrong."""
    if format_of(file) != version:
        raise IlwpError(f"this file has format version {file[4]}, not {version}")
    if len(file) < 9 or zlib.crc32(file[:-4]) != struct.unpack("<I", file[-4:])[0]:
        raise IlwpError("this .ilwp file is damaged or cut short: its checksum is wrong")
    return Reader(file[:-4])
