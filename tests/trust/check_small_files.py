"""Small files that stand for a lot: sound to the last checksum, and made to cost time or memory."""

import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from itertools import accumulate

import pytest

from ilwp.common.bytes import WEIGHTS_LIMIT, decoding_limit, pack_name, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.door import decoded
from ilwp.paper.bitstream import HEAD
from ilwp.whole.container import CONSTANT, CONTAINER_HEAD, KERNELS, LEVELS
from ilwp.whole.kernel_segments import SEED

A_SET, SIGNS_FREE = 4, 8
STEP = struct.pack("<f", 1.0)
SHORT_STEP = STEP[1:]
WORDS = struct.pack("<2I", *SEED)


def format_2(segments: list[tuple[int, list[tuple[int, ...]], bytes]]) -> bytes:
    """A file of segments, each of a kind, shapes of its tensors and a content; a constant's content is its value."""
    index, contents, number, before = b"", b"", 0, ""
    for kind, shapes, content in segments:
        for i, shape in enumerate(shapes):
            name = f"{number:07}.{i:04}"
            old, before = before, name
            same = next((j for j in range(min(len(old), 12)) if old[j] != name[j]), len(old))
            index += pack_varint(same) + b"\0" + pack_varint(12 - same) + name[same:].encode()
            index += bytes([kind + 8 * (i > 0) + 16 * len(shape), 0]) + b"".join(map(pack_varint, shape))
            if kind == CONSTANT:
                index += content
            else:
                begins = pack_varint(len(content)) + struct.pack("<I", zlib.crc32(content))
                index += pack_varint(number) if i else begins
        if kind != CONSTANT:
            contents += content
            number += 1
    index = pack_varint(sum(len(shapes) for _, shapes, _ in segments)) + index + b"\0"
    packed = zlib.compress(index, 9, wbits=-15)
    return CONTAINER_HEAD.pack(b"ILWP", 2, len(packed), zlib.crc32(packed)) + packed + contents


def kernels(layers: list[tuple[int, int, int, int, bytes, int]]) -> tuple[int, list[tuple[int, ...]], bytes]:
    """Layers whose levels all take next to nothing, since ratio 0 says that nearly all of them are zero.

    Each is its kernels, taps, flags, reach, models and their kind.
    """
    heads = [
        SHORT_STEP + bytes([flags]) + (b"\0" if flags & A_SET else b"") + pack_varint(reach) + bytes([kind]) + models
        for _, _, flags, reach, models, kind in layers
    ]
    return KERNELS, [(count, 1, 1, taps) for count, taps, *_ in layers], b"".join(heads) + WORDS


def together(count: int, taps: int, reach: int) -> tuple[int, list[tuple[int, ...]], bytes]:
    """A set of one cell with free signs."""
    head = SHORT_STEP + bytes([A_SET | SIGNS_FREE]) + b"\1" + pack_varint(count) + b"\0" + pack_varint(reach) + b"\3\0"
    return KERNELS, [(count, 1, 1, taps)], head + WORDS


def levels(shape: tuple[int, ...], code: bytes) -> tuple[int, list[tuple[int, ...]], bytes]:
    return LEVELS, [shape], b"\0" + SHORT_STEP + b"\0" + code


def format_1(channels: list[int], method: int) -> bytes:
    """Kernels of one tap whose levels are all zero and so are their indices, where there are candidates."""
    pools = {1: list(accumulate(channels)), 2: channels}.get(method, [1] * len(channels))
    bits = 7 + sum((pool**count - 1).bit_length() for pool, count in zip(pools, channels[1:], strict=False))
    section = bytes([0b10100110]) + bytes((bits - 1) // 8)  # the table of code lengths 0, 1, 0 takes seven bits
    content = HEAD.pack(b"ILWP", 1, method, 2, 4 | 8, 1, 1, len(channels), len(section))
    names = [f"{i:07}" for i in range(len(channels))]
    for before, name, count in zip(["", *names], names, channels, strict=False):
        content += pack_name(before, name) + struct.pack("<I", count)
    content += bytes(4 * channels[0]) + STEP + section
    return content + struct.pack("<I", zlib.crc32(content))


GREAT = pack_varint(1 << 16)
FORGED = {
    "models of great reach": format_2([kernels([(1, 1024, 0, 1 << 16, bytes(1024), 0)])]),
    "as many models as may be": format_2([kernels([(1, 15, 0, 1 << 16, bytes(15), 0)])]),
    "many layers of great reach": format_2([kernels([(1, 1, 0, 1 << 16, b"\0", 3)] * 500)]),
    "many segments of great reach": format_2([kernels([(1, i + 2, 0, 1 << 16, b"\0", 3)]) for i in range(500)]),
    "many tensors of great reach": format_2([levels((1,), GREAT + b"\0\0")] * 500),
    "a great set, each kernel for itself": format_2([kernels([(1 << 17, 2, A_SET, 1, b"\0", 3)])]),
    "a set as great as may be, each kernel for itself": format_2([kernels([(1 << 14, 16, A_SET, 1, b"\0", 3)])]),
    "a great set": format_2([together(1 << 17, 2, 1)]),
    "a set as great as may be": format_2([together(1 << 14, 16, 1)]),
    "many layers, each predicted from all before": format_2([kernels([(40, 2, 1, 0, b"\0", 3)] * 4000)]),
    "as many layers as may be": format_2([kernels([(20, 20, i > 0, 0, b"\0", 3) for i in range(1000)])]),
    "many weights": format_2([(CONSTANT, [(1 << 20, 1 << 10)], bytes(4))]),
    "as many weights as may be": format_2([levels((1 << 10, 1 << 10), b"\1\0\0")]),
    "an empty tensor of impossible axes": format_2([(CONSTANT, [(0, 1 << 34, 1 << 34, 1 << 34)], bytes(4))]),
    "many models": format_2([levels((1,), b"\0\2\x80")] * 10_000),
    "many empty tensors": format_2([(CONSTANT, [(0,)], bytes(4))] * 10_000),
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
    assert peak <= 4 * 8 * decoding_limit(WEIGHTS_LIMIT, len(content))


@pytest.mark.parametrize("kind", [kind for kind in FORGED if "may be" in kind])
def test_no_bound_stops_what_is_just_within_it(kind: str):
    if kind.startswith("format 1") or kind == "as many weights as may be":
        assert decoded(FORGED[kind])
    else:
        # all levels have come off the coder when it turns out to hold another number than it should
        with pytest.raises(IlwpError, match="do not end where they should"):
            decoded(FORGED[kind])
