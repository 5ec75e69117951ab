"""Small files that stand for a lot: sound to the last checksum, and made to cost time or memory."""

import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from itertools import accumulate

import pytest

from ilwp.common.bytes import WEIGHTS_LIMIT, pack_name, pack_varint, room
from ilwp.common.errors import IlwpError
from ilwp.door import decoded
from ilwp.paper.bitstream import HEAD
from ilwp.whole.container import SEED

KERNELS, LEVELS, CONSTANT = 3, 2, 1
A_SET, SIGNS_FREE = 4, 8


def format_2(heads: list[bytes], words: tuple[int, ...] = SEED) -> bytes:
    names = [f"{i:07}" for i in range(len(heads))]
    content = b"ILWP\2" + pack_varint(len(heads))
    for before, name, head in zip(["", *names], names, heads, strict=False):
        content += pack_name(before, name) + head
    content += pack_varint(len(words)) + struct.pack(f"<{len(words)}I", *words)
    return content + struct.pack("<I", zlib.crc32(content))


def shaped(kind: int, *shape: int) -> bytes:
    return bytes([kind, len(shape)]) + b"".join(pack_varint(axis) for axis in shape)


def kernel_layer(count: int, taps: int, flags: int, reach: int, models: bytes, kind: int = 0) -> bytes:
    """A layer whose levels all take next to nothing, since ratio 0 says that nearly all of them are zero."""
    cells = b"\0" if flags & A_SET else b""
    head = shaped(KERNELS, count, 1, 1, taps) + struct.pack("<f", 1.0) + bytes([flags]) + cells
    return head + pack_varint(reach) + bytes([kind]) + models


def together(count: int, taps: int, reach: int) -> bytes:
    """A set of one cell with free signs."""
    head = shaped(KERNELS, count, 1, 1, taps) + struct.pack("<f", 1.0) + bytes([A_SET | SIGNS_FREE])
    return head + b"\1" + pack_varint(count) + b"\0" + pack_varint(reach) + b"\3\0"


def format_1(channels: list[int], method: int) -> bytes:
    """Kernels of one tap whose levels are all zero and so are their indices, where there are candidates."""
    pools = {1: list(accumulate(channels)), 2: channels}.get(method, [1] * len(channels))
    bits = 7 + sum((pool**count - 1).bit_length() for pool, count in zip(pools, channels[1:], strict=False))
    section = bytes([0b10100110]) + bytes((bits - 1) // 8)  # the table of code lengths 0, 1, 0 takes seven bits
    content = HEAD.pack(b"ILWP", 1, method, 2, 4 | 8, 1, 1, len(channels), len(section))
    names = [f"{i:07}" for i in range(len(channels))]
    for before, name, count in zip(["", *names], names, channels, strict=False):
        content += pack_name(before, name) + struct.pack("<I", count)
    content += bytes(4 * channels[0]) + SCALE + section
    return content + struct.pack("<I", zlib.crc32(content))


SCALE = struct.pack("<f", 1.0)
GREAT = pack_varint(1 << 16)
FORGED = {
    "models of great reach": format_2([kernel_layer(1, 1024, 0, 1 << 16, bytes(1024))]),
    "as many models as may be": format_2([kernel_layer(1, 31, 0, 1 << 16, bytes(31))]),
    "many layers of great reach": format_2([kernel_layer(1, 1, 0, 1 << 16, b"\0", 3)] * 500),
    "many tensors of great reach": format_2([shaped(LEVELS, 1) + SCALE + GREAT + b"\0\0"] * 500),
    "a great set, each kernel for itself": format_2([kernel_layer(1 << 17, 2, A_SET, 1, b"\0", 3)]),
    "a set as great as may be, each kernel for itself": format_2([kernel_layer(1 << 14, 16, A_SET, 1, b"\0", 3)]),
    "a great set": format_2([together(1 << 17, 2, 1)]),
    "a set as great as may be": format_2([together(1 << 14, 16, 1)]),
    "many layers, each predicted from all before": format_2([kernel_layer(40, 2, 1, 0, b"\0", 3)] * 4000),
    "as many layers as may be": format_2([kernel_layer(20, 20, i > 0, 0, b"\0", 3) for i in range(1000)]),
    "many weights": format_2([shaped(CONSTANT, 1 << 20, 1 << 10) + b"\0" + bytes(4)]),
    "as many weights as may be": format_2([shaped(LEVELS, 1 << 10, 1 << 10) + SCALE + b"\1\0\0"]),
    "an empty tensor of impossible axes": format_2([shaped(CONSTANT, 0, 1 << 34, 1 << 34, 1 << 34) + b"\0" + bytes(4)]),
    "many models": format_2([shaped(LEVELS, 1) + SCALE + b"\0\2\x80"] * 10_000),
    "many empty tensors": format_2([shaped(CONSTANT, 0) + b"\7\0"] * 10_000),
    "format 1: many weights": format_1([1, (1 << 24) - 1], 0),
    "format 1: as many weights as may be": format_1([1, 1 << 20], 0),
    "format 1: many searched for": format_1([1, 1 << 20], 2),
    "format 1: as many searched for as may be": format_1([1] + [1 << 14] * 60, 2),
    "format 1: many layers": format_1([1] * 60_000, 1),
    "format 1: as many layers as may be": format_1([100] * 1024, 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGED)
def test_a_small_file_that_stands_for_much_takes_neither_time_nor_memory(kind: str):
    content = FORGED[kind]
    started = time.process_time()
    with suppress(IlwpError):
        decoded(content)
    assert time.process_time() - started < 1
    tracemalloc.start()
    with suppress(IlwpError):
        decoded(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 4 * 8 * room(WEIGHTS_LIMIT, len(content))


@pytest.mark.parametrize("kind", [kind for kind in FORGED if "may be" in kind])
def test_no_bound_stops_what_is_just_within_it(kind: str):
    if kind.startswith("format 1"):
        assert decoded(FORGED[kind])
    else:
        # all levels have come off the coder when it turns out to hold another number than it should
        with pytest.raises(IlwpError, match="do not end where they should"):
            decoded(FORGED[kind])
