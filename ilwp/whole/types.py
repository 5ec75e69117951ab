"""Types of a tensor's elements: NumPy's, and the short floats of `ml_dtypes`, each with its number in a file."""

from typing import cast

import numpy as np

from ilwp.common.errors import IlwpError

# a type's number in a file is its place here
TYPES = (
    "float32", "float16", "bfloat16", "float64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e8m0fnu", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "complex64",
    "complex128",
)  # fmt: skip
QUANTIZED = TYPES[:8]  # weights of these types become levels
SHORT = ("bfloat16", *TYPES[4:9])  # of ml_dtypes


def number_of(dtype: np.dtype) -> int:
    """A type's number; raises IlwpError for a type that files do not hold."""
    if dtype.name not in TYPES:
        raise IlwpError(f"tensors of type {dtype} have no place in the format: convert the network to float32")
    return TYPES.index(dtype.name)


def type_of(number: int) -> np.dtype:
    """The type that a number stands for, of this machine's byte order; raises IlwpError where there is none."""
    if number >= len(TYPES):
        raise IlwpError("this file holds tensors of an unknown type")
    name = TYPES[number]
    if name in SHORT:
        import ml_dtypes

        return np.dtype(cast(type[np.generic], getattr(ml_dtypes, name)))
    return np.dtype(name)


def little_endian(tensor: np.ndarray) -> bytes:
    """A tensor's values in C order."""
    ordered = tensor if tensor.dtype.name in SHORT else tensor.astype(tensor.dtype.newbyteorder("<"), copy=False)
    return ordered.tobytes()


def from_little_endian(content: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """What `little_endian` was given, as an array of its own."""
    stored = dtype if dtype.name in SHORT else dtype.newbyteorder("<")
    return np.frombuffer(content, stored).astype(dtype).reshape(shape)


def rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Finite values rounded to a float type; beyond its range they become its greatest or least finite value."""
    with np.errstate(over="ignore"):
        found: np.ndarray = values.astype(dtype, copy=False)
    if not np.isfinite(found).all():
        greatest = _greatest(dtype)
        found = values.clip(-greatest, greatest).astype(dtype)
    return found


def _greatest(dtype: np.dtype) -> float:
    if dtype.name in SHORT:
        import ml_dtypes

        return float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
    return float(np.finfo(dtype).max)
