"""The safetensors format: tensors of a mapped file without a copy, and files whose bytes depend on the tensors alone.

    8 bytes         length n of the header, little-endian
    n bytes         JSON: {name: {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {text: text}}
    until the end   the tensors without gaps, C order, little-endian; offsets count from here

The safetensors library is not used for it since its NumPy side has no float8, and orders metadata by chance.
"""

import json
import math
import mmap
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from ilwp.common.errors import IlwpError, printable

# a file holds its tensors in the reverse of this order: larger types first, so that each begins aligned
DTYPES = {
    "BOOL": np.dtype(bool), "U8": np.dtype(np.uint8), "I8": np.dtype(np.int8),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2), "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu), "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "I16": np.dtype("<i2"), "U16": np.dtype("<u2"), "F16": np.dtype("<f2"), "BF16": np.dtype(ml_dtypes.bfloat16),
    "I32": np.dtype("<i4"), "U32": np.dtype("<u4"), "F32": np.dtype("<f4"), "C64": np.dtype("<c8"),
    "F64": np.dtype("<f8"), "I64": np.dtype("<i8"), "U64": np.dtype("<u8"),
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}
METADATA = "__metadata__"


def read_safetensors(content: mmap.mmap) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors, in the order of the header, and metadata; the tensors share memory with a map. Raises IlwpError."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 + length:
        raise IlwpError("not a whole safetensors file: it is cut short, so copy or download it again")
    try:
        header = json.loads(content[8 : 8 + length])
        metadata = header.pop(METADATA, {})
        spans = {name: (*entry["data_offsets"], entry["dtype"], entry["shape"]) for name, entry in header.items()}
        _check_texts(metadata)
        _check_spans(spans, len(content) - 8 - length)
        return {name: _array(content, 8 + length + s[0], *s[2:]) for name, s in spans.items()}, metadata
    except IlwpError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise IlwpError("not a whole safetensors file: its header makes no sense, so copy it again") from error


def check(tensors: Mapping[str, np.ndarray]) -> None:
    """Raises IlwpError for the one name that the format keeps for itself, and for types that it does not have."""
    if METADATA in tensors:
        raise IlwpError(f"a tensor cannot be called {METADATA} in a safetensors file: rename it")
    for name, tensor in tensors.items():
        if tensor.dtype.newbyteorder("<") not in NAMES:
            message = f"{printable(name)} is {tensor.dtype}, which no safetensors file can hold"
            raise IlwpError(f"{message}: convert it to {'complex64' if tensor.dtype.kind == 'c' else 'float32'}")


def parts(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> Iterator[bytes | memoryview]:
    """A safetensors file's bytes, a tensor at a time; errors are those of `check`."""
    check(tensors)
    ranks = {dtype: rank for rank, dtype in enumerate(DTYPES.values())}
    order = sorted(tensors, key=lambda name: (-ranks[tensors[name].dtype.newbyteorder("<")], name.encode()))
    header: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].nbytes
        dtype = NAMES[tensors[name].dtype.newbyteorder("<")]
        header[name] = {"dtype": dtype, "shape": list(tensors[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in order:
        array = np.ascontiguousarray(tensors[name], tensors[name].dtype.newbyteorder("<"))
        yield array.reshape(-1).view(np.uint8).data


def _check_texts(metadata: Any) -> None:
    if not all(isinstance(text, str) for pair in metadata.items() for text in pair):
        raise ValueError("metadata is text")


def _check_spans(spans: Mapping[str, tuple[int, int, str, list[int]]], length: int) -> None:
    """Raises ValueError or IlwpError unless tensors of known types fill the rest of the file."""
    position = 0
    for name, (begin, end, dtype, shape) in sorted(spans.items(), key=lambda item: item[1][:2]):
        if dtype not in DTYPES:
            raise IlwpError(f"{printable(name)} is of type {printable(str(dtype))[:20]}, which NumPy does not have")
        if any(type(number) is not int or number < 0 for number in (begin, end, *shape)):
            raise ValueError("no size")
        if begin != position or end - begin != math.prod(shape) * DTYPES[dtype].itemsize:
            raise ValueError("offsets and shapes do not fit")
        position = end
    if position > length:
        raise IlwpError("not a whole safetensors file: it is cut short, so copy or download it again")
    if position < length:
        raise IlwpError("not a whole safetensors file: it is longer than its header says, so copy it again")


def _array(content: mmap.mmap, offset: int, dtype: str, shape: list[int]) -> np.ndarray:
    count = math.prod(shape)
    flat = np.frombuffer(content, DTYPES[dtype], count, offset) if count else np.empty(0, DTYPES[dtype])
    return np.require(flat.reshape(shape), requirements=["ALIGNED"])
