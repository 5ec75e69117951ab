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
VECTOR_QP = -75  # NNCodec's default
GENERAL: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zstd": (zstandard.ZstdCompressor(level=22).compress, zstandard.ZstdDecompressor().decompress),
    "lzma": (lambda content: lzma.compress(content, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    "brotli": (lambda content: brotli.compress(content, quality=11), brotli.decompress),
}


def nncodec_encode(
    tensors: Mapping[str, np.ndarray], qp: int, trellis: bool, vector_qp: int = VECTOR_QP, opt_qp: bool = False
) -> bytes:
    """NNCodec's bytes; `vector_qp` is its step for tensors of one axis.

    With `opt_qp` it gives each weight a step of its own, by the weight's size and deviation.
    """
    from nncodec.nn import encode

    with _quiet():
        settings = {"qp": qp, "use_dq": trellis, "nonweight_qp": vector_qp, "opt_qp": opt_qp, "verbose": False}
        return bytes(encode({name: t.copy() for name, t in tensors.items()}, settings))


def nncodec_decode(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """What NNCodec makes of its bytes."""
    from nncodec.nn import decode

    with _quiet():
        found = decode(bytearray(content))
    return {name: np.asarray(found[name], np.float32).reshape(shape) for name, shape in shapes.items()}


def zipnn_encode(tensors: Mapping[str, np.ndarray]) -> bytes:
    """ZipNN's bytes of float32 tensors one after the other, without loss."""
    from zipnn import ZipNN

    content = b"".join(np.ascontiguousarray(t, np.float32).tobytes() for t in tensors.values())
    with _quiet():
        return bytes(ZipNN(input_format="byte", bytearray_dtype="float32").compress(content))


def zipnn_decode(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """The tensors in what `zipnn_encode` made."""
    from zipnn import ZipNN

    with _quiet():
        whole = np.frombuffer(
            bytes(ZipNN(input_format="byte", bytearray_dtype="float32").decompress(content)), np.float32
        )
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(np.frombuffer(bytes(whole), np.float32), ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NNCodec prints, and leaves a copy of what it encodes where it is run."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        yield
