"""A file of format 2 with every kind of piece in it, and ways to take one apart and to forge one."""

import zlib
from typing import Any

import ml_dtypes
import numpy as np

from ilwp.paper.methods import Method
from ilwp.whole import archive, container, segments
from ilwp.whole.container import CONTAINER_HEAD
from ilwp.whole.pieces import Exact, KernelLevels, Levels, Piece, Powers, Shared


def layer(
    levels: list[list[int]], method: Method, indices: list[int], transformed: bool = True, **more: Any
) -> KernelLevels:
    """A layer of kernels of 1x2 taps."""
    return KernelLevels((1, 2), np.array(levels, np.int32), 0.5, method, np.array(indices), transformed, **more)


SMALL: dict[str, Piece] = {
    "a.weight": layer([[1, -2], [3, 0]], "baseline", [0, 0]),
    "b.weight": layer([[0, 0], [0, 1], [1, -1]], "fss", [1, 0, 1], transformed=False),
    "c.weight": layer([[0, 1], [2, 0]], "baseline", [0, 0], cells=np.zeros(2, np.int64), signed=True),
    "d.weight": Levels(np.array([[4, 0, -1]], np.int32), 0.25),
    "d.tied": Shared("d.weight"),
    "d.bias": Exact(np.array([1.5, -2.0], np.float32)),
    "d.batches": Exact(np.array(7)),
    "d.mean": Exact(np.zeros(5, np.float32)),
    "d.scale": Powers(np.array([-9, -7, 12], np.int32), np.array([1, 1, 1], np.int8), 2),
    "d.gains": Powers(np.array([[-9], [0], [12]], np.int32), np.array([[1], [0], [-1]], np.int8), 0, np.dtype("f8")),
    "d.short": Levels(np.array([[4, 0, -1]], np.int32), 0.25, np.dtype(ml_dtypes.bfloat16)),
}
FILE = container.write_container([p.segment for p in segments.pack_all(SMALL.items())], list(SMALL), {"format": "pt"})


def opened(content: bytes) -> archive.Archive:
    return archive.Archive(lambda start, length: content[start : start + length], len(content))


def pieces_of(content: bytes) -> dict[str, Piece]:
    archive, found = opened(content), dict[str, Piece]()
    for name in archive.segments():
        segment = archive.segment(name)
        shared = segment.kind == container.SHARED
        found |= {name: Shared(segment.content.decode())} if shared else segments.unpack_segment(segment)[0]
    return {name: found[name] for name in archive.entries}


def assert_same(one: dict[str, Piece], other: dict[str, Piece]) -> None:
    assert list(one) == list(other)
    for a, b in zip(one.values(), other.values(), strict=True):
        assert type(a) is type(b)
        for key, value in vars(a).items():
            np.testing.assert_array_equal(getattr(b, key), value)
            assert np.asarray(getattr(b, key)).dtype == np.asarray(value).dtype


def with_checksum(index: bytes, content: bytes = b"") -> bytes:
    return of_packed(zlib.compress(index, wbits=-15), content)


def of_packed(packed: bytes, content: bytes = b"") -> bytes:
    return CONTAINER_HEAD.pack(b"ILWP", 2, len(packed), zlib.crc32(packed)) + packed + content


def index_and_segments(file: bytes) -> tuple[bytes, bytes]:
    end = CONTAINER_HEAD.size + CONTAINER_HEAD.unpack_from(file)[2]
    return zlib.decompress(file[CONTAINER_HEAD.size : end], wbits=-15), file[end:]
