"""The peers: NNCodec (ISO/IEC 15938-17), and general compressors on the same quantized levels.

Each has a function from arrays to bytes and one back.
"""

import contextlib
import io
import lzma
import tempfile
from collections.abc import Callable, Iterator, Mapping

import brotli
import numpy as np
import zstandard

Tensors = dict[str, np.ndarray]
GENERAL: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zstd": (zstandard.ZstdCompressor(level=22).compress, zstandard.ZstdDecompressor().decompress),
    "lzma": (lambda content: lzma.compress(content, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    "brotli": (lambda content: brotli.compress(content, quality=11), brotli.decompress),
}


def nncodec_encode(tensors: Mapping[str, np.ndarray], qp: int, trellis: bool, vector_qp: int = -75) -> bytes:
    """NNCodec's bytes; `vector_qp` is its step for tensors of one axis, -75 its default."""
    from nncodec.nn import encode

    with _quiet():
        settings = {"qp": qp, "use_dq": trellis, "nonweight_qp": vector_qp, "verbose": False}
        return bytes(encode({name: t.copy() for name, t in tensors.items()}, settings))


def nncodec_decode(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """What NNCodec makes of its bytes."""
    from nncodec.nn import decode

    with _quiet():
        found = decode(bytearray(content))
    return {name: np.asarray(found[name], np.float32).reshape(shape) for name, shape in shapes.items()}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NNCodec prints, and leaves a copy of what it encodes where it is run."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        yield
